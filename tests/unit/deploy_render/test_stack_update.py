"""Updates of a service's stack after releases (decision 0014).

`CloudFormation` here does what the real one does with a template: it compares the text of each resource with the text
that it was given last, writes those that differ, and writes the text of before when an update fails.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.names import COLOURS, Colour, target_group
from platform_sdk.deploy.render.service_stack import (
    FrozenService,
    Live,
    StackUpdate,
    render_service_stack,
    stack_updates,
)
from tests.support.repository import FIXTURES

STAGING = load_environment(FIXTURES, "staging")
ORDERS = next(spec for spec in load_services(FIXTURES, "staging") if spec.name == "orders")
FIRST_RELEASE = "arn:aws:ecs:us-east-1:444455556666:task-definition/staging-orders-worker:1"
SECOND_RELEASE = "arn:aws:ecs:us-east-1:444455556666:task-definition/staging-orders-worker:2"

RELEASED_CHECK = "/orders/of-the-release"

Template = dict[str, Any]


class UpdateFailed(Exception):
    """Something in the account was not as the template needs it."""


class RefusedByEcs(Exception):
    """Unable to update task definition on services with a CODE_DEPLOY deployment controller."""


def resolved(value: Any, template: Template, parameters: dict[str, str]) -> Any:
    match value:
        case {"Ref": name} if name in parameters:
            return parameters[name]
        case {"Fn::If": ["LiveIsGreen", yes, no]}:
            return yes if parameters["LiveTargetGroup"] == "green" else no
        case {"Fn::If": ["HasWorkerRevision", yes, no]}:
            return resolved(yes if parameters["WorkerTaskDefinition"] else no, template, parameters)
        case dict():
            return {key: resolved(inner, template, parameters) for key, inner in value.items()}
        case list():
            return [resolved(inner, template, parameters) for inner in value]
    return value


@dataclass
class CloudFormation:
    """A stack, and the three things in the account that both it and releases write."""

    template: Template = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    weights: dict[str, tuple[int, int]] = field(default_factory=dict)
    checks: dict[Colour, str] = field(default_factory=dict)
    worker_revision: Any = None
    written: list[str] = field(default_factory=list)

    def create(self, template: Template) -> None:
        defaults = {name: str(body["Default"]) for name, body in template["Parameters"].items()}
        for name, properties in self.texts(template, defaults).items():
            self.write(name, properties)
        self.template, self.parameters, self.written = template, defaults, []

    def update(self, update: StackUpdate, *, fails: bool = False) -> None:
        template: Template = update.template
        defaults = {name: str(body["Default"]) for name, body in template["Parameters"].items()}
        given: dict[str, str] = {
            str(one["ParameterKey"]): self.parameters[str(one["ParameterKey"])]
            if one.get("UsePreviousValue")
            else str(one["ParameterValue"])
            for one in update.parameters
        }
        before, after = self.texts(self.template, self.parameters), self.texts(template, defaults | given)
        changed = [name for name in after if before.get(name) != after[name]]
        for name in changed:
            if name == "Service":
                raise RefusedByEcs
            self.write(name, after[name])
        if fails:
            for name in changed:
                if name in before:
                    self.write(name, before[name])
            raise UpdateFailed
        self.template, self.parameters = template, defaults | given

    def texts(self, template: Template, parameters: dict[str, str]) -> dict[str, Any]:
        return {
            name: resolved(body["Properties"], template, parameters) for name, body in template["Resources"].items()
        }

    def write(self, name: str, properties: Any) -> None:
        self.written.append(name)
        if name in ("ProductionRule", "TestRule"):
            blue, green = (group["Weight"] for group in properties["Actions"][0]["ForwardConfig"]["TargetGroups"])
            self.weights[name] = (blue, green)
        for colour in COLOURS:
            if name == target_group(colour):
                self.checks[colour] = properties["HealthCheckPath"]
        if name == "WorkerService":
            self.worker_revision = properties["TaskDefinition"]

    def release(self, worker_revision: str) -> None:
        """As CodeDeploy and ECS do it: CloudFormation does not hear of it."""
        self.weights = {name: (green, blue) for name, (blue, green) in self.weights.items()}
        self.worker_revision = worker_revision
        self.checks["green"] = RELEASED_CHECK

    def live(self) -> Live:
        green = self.weights["ProductionRule"] == (0, 100)
        revision = self.worker_revision if isinstance(self.worker_revision, str) else None
        return Live(
            target_group="green" if green else "blue",
            worker_task_definition=revision,
            health_check_paths=self.checks,
        )


def without_alarms_that_roll_back(spec: ServiceSpec) -> ServiceSpec:
    return replace(spec, alarms=tuple(replace(alarm, roll_back=False) for alarm in spec.alarms))


CHANGES: dict[str, Callable[[ServiceSpec], ServiceSpec]] = {
    "nothing": lambda spec: spec,
    "path": lambda spec: replace(spec, path="/purchases"),
    "priority": lambda spec: replace(spec, priority=7),
    "port": lambda spec: replace(spec, port=3100),
    "health check": lambda spec: replace(
        spec, health_check=replace(spec.health_check, interval_seconds=30, grace_period_seconds=300)
    ),
    "size": lambda spec: replace(spec, task=replace(spec.task, cpu=1024, memory_mib=2048, architecture="arm64")),
    "scaling": lambda spec: replace(spec, scaling=replace(spec.scaling, min_tasks=5, max_tasks=50)),
    "traffic shift": lambda spec: replace(
        spec, traffic_shift=replace(spec.traffic_shift, type="canary", percent=20, interval_minutes=7)
    ),
    "alarms": without_alarms_that_roll_back,
    "hooks": lambda spec: replace(spec, hooks={}),
    "queues": lambda spec: replace(spec, queues=tuple(replace(one, max_receive_count=9) for one in spec.queues)),
    "logs": lambda spec: replace(spec, log_retention_days=7),
    "no worker": lambda spec: replace(spec, worker=None, queues=(), alarms=()),
}


@pytest.fixture
def stack() -> CloudFormation:
    """Created, and released once: green is live, with the first revision."""
    stack = CloudFormation()
    stack.create(render(ORDERS))
    stack.release(FIRST_RELEASE)
    return stack


def render(spec: ServiceSpec, environment: Environment = STAGING) -> Template:
    return render_service_stack(spec, environment)


def updates(stack: CloudFormation, spec: ServiceSpec) -> Iterator[StackUpdate]:
    return stack_updates(stack.template, render(spec), stack.live())


@pytest.mark.parametrize("change", CHANGES)
def test_an_update_leaves_traffic_and_revisions_where_the_last_release_put_them(
    stack: CloudFormation, change: str
) -> None:
    for update in updates(stack, CHANGES[change](ORDERS)):
        stack.update(update)
    assert stack.weights == {"ProductionRule": (0, 100), "TestRule": (0, 100)}
    assert stack.checks["green"] == RELEASED_CHECK
    assert stack.worker_revision == FIRST_RELEASE


@pytest.mark.parametrize("change", CHANGES)
def test_an_update_that_fails_and_is_rolled_back_leaves_them_too(stack: CloudFormation, change: str) -> None:
    *before, last = updates(stack, CHANGES[change](ORDERS))
    for update in before:
        stack.update(update)
    with pytest.raises(UpdateFailed):
        stack.update(last, fails=True)
    assert stack.weights == {"ProductionRule": (0, 100), "TestRule": (0, 100)}
    assert stack.worker_revision == FIRST_RELEASE


@pytest.mark.parametrize("change", CHANGES)
def test_updates_and_releases_may_alternate(stack: CloudFormation, change: str) -> None:
    for update in updates(stack, CHANGES[change](ORDERS)):
        stack.update(update)
    stack.release(SECOND_RELEASE)
    for update in updates(stack, ORDERS):
        stack.update(update)
    assert stack.weights == {"ProductionRule": (100, 0), "TestRule": (100, 0)}


@pytest.mark.parametrize("change", ["nothing", "port", "health check", "size", "scaling", "traffic shift", "logs"])
def test_resources_that_a_release_changes_are_not_written(stack: CloudFormation, change: str) -> None:
    for update in updates(stack, CHANGES[change](ORDERS)):
        stack.update(update)
    assert {"ProductionRule", "TestRule", "Service", "WorkerService"}.isdisjoint(stack.written)


def test_a_changed_rule_is_preceded_by_an_update_with_the_live_target_group(stack: CloudFormation) -> None:
    first, second = updates(stack, replace(ORDERS, path="/purchases"))
    assert (first.why, first.template) == ("synchronise", stack.template)
    assert {"ParameterKey": "LiveTargetGroup", "ParameterValue": "green"} in first.parameters
    assert second.why == "change"
    assert all(parameter["UsePreviousValue"] for parameter in second.parameters)


def test_the_account_would_be_reset_without_it(stack: CloudFormation) -> None:
    *_, change = updates(stack, replace(ORDERS, path="/purchases"))
    stack.update(change)
    assert stack.weights["ProductionRule"] == (100, 0)


def test_the_text_of_the_service_under_codedeploy_follows_from_nothing_that_a_team_can_change() -> None:
    for change in CHANGES.values():
        for name in ("Service", "Placeholder"):
            assert render(change(ORDERS))["Resources"][name] == render(ORDERS)["Resources"][name]


def test_an_update_of_the_service_under_codedeploy_is_refused_before_anything_is_sent(stack: CloudFormation) -> None:
    other = render(ORDERS)
    other["Resources"]["Service"]["Properties"]["PlatformVersion"] = "LATEST"
    with pytest.raises(FrozenService, match="Service"):
        next(stack_updates(stack.template, other, stack.live()))


def test_a_stack_without_worker_may_get_one(stack: CloudFormation) -> None:
    alone = CloudFormation()
    alone.create(render(CHANGES["no worker"](ORDERS)))
    alone.release("")
    for update in stack_updates(alone.template, render(ORDERS), alone.live()):
        alone.update(update)
    assert alone.worker_revision == {"Ref": "Placeholder"}
    assert alone.weights["ProductionRule"] == (0, 100)
