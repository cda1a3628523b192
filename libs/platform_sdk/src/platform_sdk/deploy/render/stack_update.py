"""Update the stack of a service without undoing what releases changed: decision 0014.

CloudFormation compares a template with the last template, not with the resources. If any part of a resource differs,
it writes the whole resource. If an update fails, it writes the last template again. So a resource that a release
changes is safe while its text stays the same. Before its text changes, a separate update records in CloudFormation what
the release changed.
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
"""By logical name: the parameter that holds what releases change in the resource."""

Why = Literal["synchronise", "change"]


class FrozenService(PlatformError):
    """The ECS service would change, which ECS refuses under CodeDeploy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What runs: the target group with production traffic, and the ARN of the worker's revision if there is one."""

    target_group: Colour
    worker_task_definition: str | None

    def parameters(self) -> dict[str, str]:
        return {
            "LiveTargetGroup": self.target_group,
            "WorkerTaskDefinition": self.worker_task_definition or "",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StackUpdate:
    """One call of UpdateStack, with its parameters."""

    why: Why
    template: Json
    parameters: tuple[Json, ...]

    @property
    def rolls_back(self) -> bool:
        """Whether a failed update rolls back. A synchronisation must not: the last template would undo a release."""
        return self.why == "change"


def stack_updates(deployed: Json, rendered: Json, live: Live, *, has_failed: bool = False) -> Iterator[StackUpdate]:
    """Yield the updates to send. Each must be complete before the next, and no release may run at the same time.

    Args:
        deployed: the template of the stack (GetTemplate), parsed.
        rendered: the new template.
        has_failed: the last update failed without a rollback. A later rollback would write the template before it.

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
        known = {name: value for name, value in values.items() if name in stale}
        yield StackUpdate(why="synchronise", template=deployed, parameters=tuple(keeping(deployed, deployed, known)))
    yield StackUpdate(why="change", template=rendered, parameters=tuple(keeping(deployed, rendered, {})))


def keeping(deployed: Json, template: Json, known: Mapping[str, str]) -> Iterator[Json]:
    """Yield parameters that keep their value, or get a known one. A new parameter gets its default."""
    for name in GIVEN:
        if name not in parameters_of(template):
            continue
        if name in known:
            yield {"ParameterKey": name, "ParameterValue": known[name]}
        elif name in parameters_of(deployed):
            yield {"ParameterKey": name, "UsePreviousValue": True}


def refuse_other_service(deployed: Json, rendered: Json) -> None:
    for name in ("Service", "Placeholder"):
        if resource_of(deployed, name) not in (None, resource_of(rendered, name)):
            raise FrozenService(
                f"the update would change {name}",
                because="ECS refuses to update a service that CodeDeploy deploys",
                hint="make the change with a release, or create the service again under another name",
            )


def resource_of(template: Json, name: str) -> object:
    """Return the properties of a resource. A change of DependsOn or Metadata updates nothing."""
    resources = template["Resources"]
    assert isinstance(resources, dict), "a template has resources"
    body = resources.get(name)
    return None if body is None else body["Properties"]


def parameters_of(template: Json) -> Json:
    parameters = template.get("Parameters", {})
    assert isinstance(parameters, dict), "parameters are a mapping"
    return parameters
