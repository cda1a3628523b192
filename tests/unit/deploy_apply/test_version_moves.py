"""Changes of the stack that must move with the version (decision 0024), made in steps while users send requests."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from aws_simulator import AwsSimulator, Behaviour
from aws_simulator.clock import NEVER
from aws_simulator.cloudformation import CloudFormation
from platform_sdk.deploy.apply import Applied, LockOptions, apply_service, current_plan, desired
from platform_sdk.deploy.apply.events import StackFailed, WouldBeOutage
from platform_sdk.deploy.apply.stack import apply_stack
from platform_sdk.deploy.manifest.resources import Permission
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.output.plan import as_markdown, as_text
from platform_sdk.deploy.plan.decisions import Plan
from platform_sdk.deploy.release.outcome import Check, Outcome, ReleaseOptions
from platform_sdk.deploy.render.service_stack import StackUpdate
from tests.support.applying import Applying
from tests.support.releases import World, world

LOCK = LockOptions(owner="me", wait_minutes=1)
S3 = Permission(actions=("s3:GetObject",), resources=("arn:aws:s3:::invoices/*",))


@dataclass
class Users:
    """They send requests to some paths every second in which anything happens; `got` holds each status by path."""

    simulator: AwsSimulator
    listener: str
    paths: list[str]
    got: dict[str, set[int]] = field(default_factory=dict)

    @property
    def quiet_until(self) -> datetime:
        return NEVER

    def step(self) -> None:
        for path in self.paths:
            self.got.setdefault(path, set()).update(self.simulator.elbv2.answers(self.listener, path))


def users_of(case: World, *paths: str) -> Users:
    rule = case.aws.codedeploy.group("production-orders", "production-orders")
    assert rule is not None
    users = Users(simulator=case.simulator, listener=rule.production_listener, paths=list(paths))
    case.simulator.clock.listen(users)
    return users


def apply(case: World, **tools: Any) -> Applied:
    context = Applying(simulator=case.simulator).context()
    return apply_service(case.spec, case.environment, replace(context, **tools), LOCK)


def planned(case: World) -> Plan:
    return current_plan(case.spec, case.environment, Applying(simulator=case.simulator).context())


def wait(case: World, minutes: int = 5) -> None:
    case.simulator.clock.sleep(minutes * 60)


def live_colour(case: World) -> str:
    """Return the target group that has the traffic."""
    group = case.aws.codedeploy.group("production-orders", "production-orders")
    assert group is not None
    arns = {name: found.arn for name, found in case.aws.load_balancing.target_groups(group.target_groups).items()}
    rules = case.aws.load_balancing.rules(group.production_listener)
    return next(
        name.rpartition("-")[2] for rule in rules for name, arn in arns.items() if rule.live_target_group == arn
    )


def checks(case: World) -> dict[str, str]:
    """By colour: the path of the target group's health check."""
    names = [f"production-orders-{colour}" for colour in ("blue", "green")]
    groups = case.aws.load_balancing.target_groups(names)
    return {name.rpartition("-")[2]: group.health_path for name, group in groups.items()}


def found(outcome: Outcome, name: str) -> Check:
    return next(each for each in outcome.checks if each.name == name)


def with_health_check(spec: ServiceSpec, path: str) -> ServiceSpec:
    return replace(spec, health_check=replace(spec.health_check, path=path))


# The health check.


def test_another_health_check_moves_with_the_release_and_back_with_a_rollback() -> None:
    case = world()
    users = users_of(case, "/orders/1")
    case.spec = with_health_check(case.spec, "/healthy")
    plan = planned(case)
    (move,) = plan.moves
    assert (move.before, move.after, move.refused) == ("/orders/readyz", "/orders/healthy", "")
    assert (plan.stack.action, plan.exit_code) == ("unchanged", 2), "a release makes the change, not the stack"

    assert not apply(case).changed
    wait(case)
    assert set(checks(case).values()) == {"/orders/readyz"}
    assert case.deploy("v2", Behaviour(health_paths=("/healthy",))).exit_code == 0
    assert (case.version_serving(), sorted(checks(case).values())) == ("v2", ["/orders/healthy", "/orders/readyz"])
    assert (planned(case).moves, planned(case).drift, planned(case).exit_code) == ((), (), 0)
    assert not apply(case).changed
    wait(case)

    assert case.roll_back().exit_code == 0
    wait(case)
    assert (case.version_serving(), checks(case)[live_colour(case)]) == ("v1", "/orders/readyz")
    assert users.got == {"/orders/1": {200}}


def test_a_version_that_does_not_answer_its_new_health_check_gets_no_user() -> None:
    case = world()
    users = users_of(case, "/orders/1")
    case.spec = with_health_check(case.spec, "/healthy")
    outcome = case.deploy("v2")
    assert (outcome.exit_code, case.version_serving()) == (12, "v1")
    wait(case)
    assert users.got == {"/orders/1": {200}}
    assert case.roll_back("v0").exit_code == 0, "the idle target group asks for what v0 answers"


def test_an_apply_after_releases_keeps_the_check_of_each_target_group() -> None:
    case = world()
    users = users_of(case, "/orders/1")
    case.spec = with_health_check(case.spec, "/healthy")
    assert case.deploy("v2", Behaviour(health_paths=("/healthy",))).exit_code == 0
    before = checks(case)
    case.spec = replace(case.spec, health_check=replace(case.spec.health_check, interval_seconds=20))
    assert [outcome.action for outcome in apply(case).stacks] == ["updated", "updated"]
    wait(case)
    assert checks(case) == before
    assert users.got == {"/orders/1": {200}}


def deployed_with(case: World, change: Callable[[Any], None]) -> None:
    """The stack as another version of this tool has rendered it."""
    context = Applying(simulator=case.simulator).context()
    template: Any = context.aws.stacks.template("platform-production-orders")
    change(template)
    parameters = tuple({"ParameterKey": name, "UsePreviousValue": True} for name in template["Parameters"])
    update = StackUpdate(why="change", template=json.loads(json.dumps(template)), parameters=parameters)
    apply_stack(desired(update, case.spec, case.environment), context)


def without_parameters(template: Any) -> None:
    for colour in ("Blue", "Green"):
        del template["Parameters"][f"{colour}HealthCheckPath"]
        properties = template["Resources"][f"{colour}TargetGroup"]["Properties"]
        properties |= {"HealthCheckPath": "/orders/readyz", "HealthCheckIntervalSeconds": 9}


def test_a_stack_from_before_the_parameters_keeps_its_checks_whatever_platform_toml_says() -> None:
    case = world()
    deployed_with(case, without_parameters)
    users = users_of(case, "/orders/1")
    case.spec = with_health_check(case.spec, "/healthy")
    assert apply(case).changed
    wait(case)
    assert set(checks(case).values()) == {"/orders/readyz"}
    assert (planned(case).stack.action, users.got) == ("unchanged", {"/orders/1": {200}})


def test_such_a_stack_keeps_what_a_release_has_set_even_if_its_update_fails() -> None:
    case = world()
    deployed_with(case, without_parameters)
    nine_seconds = replace(case.spec.health_check, interval_seconds=9)
    case.spec = with_health_check(replace(case.spec, health_check=nine_seconds), "/healthy")
    assert case.deploy("v2", Behaviour(health_paths=("/healthy",))).exit_code == 0
    before, users = checks(case), users_of(case, "/orders/1")
    case.spec = with_health_check(world().spec, "/healthy")
    stack = "platform-production-orders"
    case.simulator.service(CloudFormation).fail_resource(stack, "GreenTargetGroup", "no", times=2)
    for _ in range(2):
        with pytest.raises(StackFailed):
            apply(case)
        wait(case)
        assert checks(case) == before
    assert apply(case).changed
    wait(case)
    assert (checks(case), users.got) == (before, {"/orders/1": {200}})


@pytest.mark.parametrize(
    ("name", "deployed", "rendered"),
    [
        ("Matcher", {"HttpCode": "200-299"}, "200-299 → 200"),
        ("HealthCheckPort", "3000", "3000 → traffic-port"),
    ],
)
def test_a_check_that_no_release_can_move_is_refused_with_a_way_that_works(
    name: str, deployed: object, rendered: str
) -> None:
    case = world()

    def as_before(template: Any) -> None:
        for colour in ("Blue", "Green"):
            template["Resources"][f"{colour}TargetGroup"]["Properties"][name] = deployed

    deployed_with(case, as_before)
    users = users_of(case, "/orders/1")
    plan = planned(case)
    assert [move.refused for move in plan.moves] == ["BlueTargetGroup", "GreenTargetGroup"]
    text = as_text([plan])
    assert f"! REFUSED: BlueTargetGroup · {name}" in text
    assert rendered in text
    assert "[!CAUTION]" in as_markdown([plan])
    calls = len(case.simulator.calls)
    with pytest.raises(WouldBeOutage, match="nothing was changed") as raised:
        apply(case)
    assert {call.service for call in case.simulator.calls[calls:] if call.writes} <= {"dynamodb"}
    assert "--allow-outage BlueTargetGroup --allow-outage GreenTargetGroup" in (raised.value.hint or "")

    assert apply(case, outages_allowed=frozenset({"BlueTargetGroup", "GreenTargetGroup"})).changed
    assert case.deploy("v2").exit_code == 0
    wait(case)
    assert users.got == {"/orders/1": {200}}


# The path of the service.


def test_another_path_is_routed_beside_the_one_of_the_running_version() -> None:
    case = world()
    users = users_of(case, "/orders/1")
    case.spec = replace(case.spec, path="/purchases")
    plan = planned(case)
    assert [move.what for move in plan.moves] == ["service.path", "path of the load balancer's health check"]
    assert "next: platform apply" in as_text([plan])
    assert as_text([plan]).count("then: platform apply") == 1

    assert apply(case).changed
    wait(case)
    assert planned(case).stack.action == "unchanged"
    both = Behaviour(also_answers=("/orders",))
    assert case.deploy("v2", both).exit_code == 0
    users.paths.append("/purchases/1")
    assert case.version_serving() == "v2"
    assert users.got == {"/orders/1": {200}}, "requests of both paths reach both versions"

    assert case.deploy("v3", both).exit_code == 0, "the path of v1 in the rules refuses no release"
    plan = planned(case)
    assert (plan.moves, plan.stack.action) == ((), "update")
    assert apply(case).changed
    wait(case)
    assert planned(case).exit_code == 0
    assert users.got["/purchases/1"] == {200}
    assert users.got["/orders/1"] == {200, 404}, "nobody serves it any more, as platform.toml says"


def test_a_rollback_to_a_path_that_is_no_longer_routed_is_refused_with_a_way_that_works() -> None:
    case = world()
    case.spec = replace(case.spec, path="/purchases")
    apply(case)
    assert case.deploy("v2", Behaviour(also_answers=("/orders",))).exit_code == 0
    apply(case)

    refused = case.roll_back()
    assert (refused.exit_code, found(refused, "traffic").status) == (11, "FAIL")
    assert "serves /orders" in found(refused, "traffic").reason
    assert 'service.path = "/orders"' in found(refused, "traffic").remedy

    case.spec = replace(case.spec, path="/orders")
    assert apply(case).changed
    users = users_of(case, "/orders/1")
    assert case.roll_back().exit_code == 0
    wait(case)
    assert (case.version_serving(), users.got["/orders/1"]) == ("v1", {200})


def test_a_rollback_while_both_paths_are_routed_needs_nothing_else() -> None:
    case = world()
    users = users_of(case, "/orders/1")
    case.spec = replace(case.spec, path="/purchases")
    apply(case)
    assert case.deploy("v2", Behaviour(also_answers=("/orders",))).exit_code == 0
    assert case.roll_back().exit_code == 0
    wait(case)
    assert (case.version_serving(), users.got) == ("v1", {"/orders/1": {200}})


# Permissions.


def statements(case: World, policy: str = "TaskPolicy") -> list[Any]:
    template: Any = case.aws.stacks.template("platform-production-orders")
    found: list[Any] = template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]
    return found


def test_a_permission_is_taken_away_after_the_version_that_had_it() -> None:
    case = world()
    without = case.spec
    case.spec = replace(without, permissions=(S3,))
    apply(case)
    case.spec = without
    plan = planned(case)
    (move,) = plan.moves
    assert "s3:GetObject" in as_text([plan])
    assert move.how.startswith("they are kept")
    apply(case)
    assert [each["Sid"] for each in statements(case) if each["Action"] == ["s3:GetObject"]] == [
        "KeptForRevision2Statement0"
    ]
    assert planned(case).exit_code == 0

    assert case.deploy("v2").exit_code == 0
    assert planned(case).stack.action == "update"
    assert case.deploy("v3").exit_code == 0, "a permission that only v1 needed refuses no release"
    apply(case)
    assert [each for each in statements(case) if each["Action"] == ["s3:GetObject"]] == []
    assert (planned(case).moves, planned(case).exit_code) == ((), 0)


def test_a_permission_that_grows_is_not_kept_beside_itself() -> None:
    case = world()
    case.spec = replace(case.spec, permissions=(S3,))
    apply(case)
    case.spec = replace(case.spec, permissions=(replace(S3, actions=("s3:GetObject", "s3:PutObject")),))
    assert planned(case).moves == ()


# Preflight looks at what users get.


def ask_for(case: World, path: str) -> None:
    """Somebody changes the check of the live target group in the console."""
    name = f"production-orders-{live_colour(case)}"
    group = case.aws.load_balancing.target_groups([name])[name]
    case.simulator.client("ecs").update_service(
        cluster="platform-production", service="production-orders", healthCheckGracePeriodSeconds=7200
    )
    case.simulator.client("elbv2").modify_target_group(TargetGroupArn=group.arn, HealthCheckPath=path)
    wait(case, 1)


def test_preflight_says_that_no_running_task_is_healthy() -> None:
    case = world()
    ask_for(case, "/orders/elsewhere")
    refused = case.deploy("v2")
    assert refused.exit_code == 11
    assert "Health checks failed with these codes: [404]" in found(refused, "traffic").reason
    assert "no task is healthy" in found(refused, "traffic").reason
    live = f"production-orders-{live_colour(case)}"
    assert [drift.what for drift in planned(case).drift] == [f"health check path of {live}"]


def test_a_fix_and_a_rollback_are_not_refused_while_no_task_is_healthy() -> None:
    case = world()
    ask_for(case, "/orders/elsewhere")
    outcome = case.deploy("v2", options=ReleaseOptions(ignore_alarms=True))
    assert (outcome.exit_code, found(outcome, "traffic").status) == (0, "SKIP")
    case = world()
    ask_for(case, "/orders/elsewhere")
    assert (case.roll_back().exit_code, case.version_serving()) == (0, "v0")
