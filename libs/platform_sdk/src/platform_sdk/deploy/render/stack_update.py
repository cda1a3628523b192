"""How a service's stack is updated without undoing what releases have done: decision 0014.

CloudFormation compares what it is given with what it was given last, not with what is there, and writes a resource
whole when any of it differs; when an update fails, it writes what it was given before. So a resource that a release
changes is safe as long as its text stays the same, and where its text must change, CloudFormation is told first, in an
update that changes nothing else, what the release has made of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from platform_sdk.deploy.render.cloudformation import Json
from platform_sdk.deploy.render.names import Colour
from platform_sdk.errors import PlatformError

GIVEN: Final = ("LiveTargetGroup", "WorkerTaskDefinition", "ContainerPort", "HealthCheckGracePeriodSeconds")

CHANGED_BY_RELEASES: Final[Mapping[str, str]] = {
    "ProductionRule": "LiveTargetGroup",
    "TestRule": "LiveTargetGroup",
    "WorkerService": "WorkerTaskDefinition",
}
"""By logical name: the parameter that says what a release has made of it."""

Why = Literal["synchronise", "change"]


class FrozenService(PlatformError):
    """The ECS service would be updated, which ECS refuses while CodeDeploy deploys it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What runs: the target group with production traffic, and the worker's revision (an ARN) if it has one."""

    target_group: Colour
    worker_task_definition: str | None

    def parameters(self) -> dict[str, str]:
        return {
            "LiveTargetGroup": self.target_group,
            "WorkerTaskDefinition": self.worker_task_definition or "",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StackUpdate:
    """One call of UpdateStack; `parameters` are as it takes them."""

    why: Why
    template: Json
    parameters: tuple[Json, ...]

    @property
    def rolls_back(self) -> bool:
        """What was given before a synchronisation is no longer true: to write it would undo a release."""
        return self.why == "change"


def stack_updates(deployed: Json, rendered: Json, live: Live, *, has_failed: bool = False) -> Iterator[StackUpdate]:
    """What to send, in order; each must be complete before the next. No release may run meanwhile.

    Args:
        deployed: the template that the stack has (GetTemplate), parsed.
        rendered: the template that it shall have.
        has_failed: the last update was not rolled back. The next one that is would write what was given before that.

    Raises:
        FrozenService: the ECS service under CodeDeploy would change.
    """
    refuse_other_service(deployed, rendered)
    stale = {
        parameter
        for name, parameter in CHANGED_BY_RELEASES.items()
        if has_failed
        or (
            resource_of(deployed, name) not in (None, resource_of(rendered, name))
            and resource_of(rendered, name) is not None
        )
    }
    if stale:
        values = live.parameters()
        told = {name: value for name, value in values.items() if name in stale}
        yield StackUpdate(why="synchronise", template=deployed, parameters=tuple(keeping(deployed, deployed, told)))
    yield StackUpdate(why="change", template=rendered, parameters=tuple(keeping(deployed, rendered, {})))


def keeping(deployed: Json, template: Json, told: Mapping[str, str]) -> Iterator[Json]:
    """A parameter that is new has no previous value: it takes its default."""
    for name in GIVEN:
        if name not in parameters_of(template):
            continue
        if name in told:
            yield {"ParameterKey": name, "ParameterValue": told[name]}
        elif name in parameters_of(deployed):
            yield {"ParameterKey": name, "UsePreviousValue": True}


def refuse_other_service(deployed: Json, rendered: Json) -> None:
    for name in ("Service", "Placeholder"):
        if resource_of(deployed, name) not in (None, resource_of(rendered, name)):
            raise FrozenService(
                f"the update would change {name}",
                because="ECS refuses to update a service that CodeDeploy deploys",
                hint="bring the change with a release, or create the service anew under another name",
            )


def resource_of(template: Json, name: str) -> object:
    """Without DependsOn and Metadata, for which CloudFormation updates nothing."""
    resources = template["Resources"]
    assert isinstance(resources, dict), "a template has resources"
    body = resources.get(name)
    return None if body is None else body["Properties"]


def parameters_of(template: Json) -> Json:
    parameters = template.get("Parameters", {})
    assert isinstance(parameters, dict), "parameters are a mapping"
    return parameters
