"""What was changed outside this tool is reported; what releases and scaling do by design is not."""

from dataclasses import replace
from typing import Any

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.scaling import ScheduledScaling
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.drift import drift_of
from platform_sdk.deploy.state import ServiceState, Suspended
from tests.support.deployed_services import NOTHING, created, released, running_deployment
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")
ORDERS, USERS = (
    next(spec for spec in load_services(FIXTURES, "production") if spec.name == name) for name in ("orders", "users")
)


def orders(**changed: Any) -> ServiceState:
    return replace(released(ORDERS, PRODUCTION), **changed)


def part(name: str) -> Any:
    return getattr(released(ORDERS, PRODUCTION), name)


def found(state: ServiceState) -> list[tuple[str, object, object]]:
    return [(drift.what, drift.expected, drift.live) for drift in drift_of(state)]


def test_bounds_of_scaling() -> None:
    state = orders(scaling=replace(part("scaling"), min_tasks=3, max_tasks=20))
    assert found(state) == [("scaling.min_tasks", 2, 3), ("scaling.max_tasks", 6, 20)]
    assert "--min-capacity 2 --max-capacity 6" in drift_of(state)[0].remedy


def test_bounds_of_the_worker() -> None:
    assert found(orders(worker_scaling=replace(part("worker_scaling"), max_tasks=9))) == [("worker.max_tasks", 4, 9)]


def test_bounds_of_a_scheduled_hour_are_none() -> None:
    hours = ScheduledScaling(name="morning", schedule="cron(0 6 * * ? *)", timezone="UTC", min_tasks=4, max_tasks=50)
    wanted = replace(ORDERS, scaling=replace(ORDERS.scaling, scheduled=(hours,)))
    state = released(wanted, PRODUCTION)
    assert state.scaling is not None
    at_six = replace(state, scaling=replace(state.scaling, min_tasks=4, max_tasks=50))
    assert drift_of(at_six) == ()
    assert drift_of(replace(state, scaling=replace(state.scaling, min_tasks=5))) != ()


def test_scaling_left_suspended_is_drift_unless_a_deployment_runs() -> None:
    left = orders(scaling=replace(part("scaling"), suspended=Suspended(scale_in=True, scheduled=True)))
    assert found(left) == [("suspended scaling", [], ["in", "scheduled"])]
    assert drift_of(replace(left, running_deployment=running_deployment())) == ()


def test_weights_between_both_groups_are_drift_unless_a_deployment_runs() -> None:
    blue, green = part("target_groups")
    split = orders(production_rule=replace(part("production_rule"), weights={green.arn: 90, blue.arn: 10}))
    assert [what for what, _, _ in found(split)] == ["weights of the production rule"]
    assert drift_of(replace(split, running_deployment=running_deployment())) == ()


@pytest.mark.parametrize("weights", [{"green": 1}, {"green": 1, "blue": 0}, {"green": 100, "blue": 0}])
def test_any_form_of_all_the_weight_is_none(weights: dict[str, int]) -> None:
    blue, green = part("target_groups")
    arns = {"blue": blue.arn, "green": green.arn}
    given = {arns[colour]: weight for colour, weight in weights.items()}
    rules = {name: replace(part(name), weights=given) for name in ("production_rule", "test_rule")}
    assert drift_of(orders(**rules)) == ()


def test_no_weight_at_all_or_a_group_of_somebody_else_is_drift() -> None:
    blue, green = part("target_groups")
    for weights in ({blue.arn: 0, green.arn: 0}, {green.arn: 100, f"{green.arn}-other": 0}):
        rule = replace(part("production_rule"), weights=weights)
        assert "weights of the production rule" in [what for what, _, _ in found(orders(production_rule=rule))]


def test_users_sent_to_where_the_primary_tasks_are_not() -> None:
    blue, green = part("target_groups")
    rule = replace(part("production_rule"), weights={blue.arn: 100, green.arn: 0})
    assert found(orders(production_rule=rule)) == [
        ("target group with the traffic", "production-orders-green", "production-orders-blue")
    ]
    moving = orders(production_rule=rule, running_deployment=running_deployment())
    assert drift_of(moving) == ()


def test_paths_and_health_checks() -> None:
    blue, green = part("target_groups")
    state = orders(
        production_rule=replace(part("production_rule"), paths=("/orders",)),
        target_groups=(replace(blue, health_path="/of-the-release-before"), replace(green, health_path="/")),
    )
    assert found(state) == [
        ("paths of the production rule", ["/orders", "/orders/*"], ["/orders"]),
        ("health check path of production-orders-green", "/orders/readyz", "/"),
    ]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"configuration": "CodeDeployDefault.ECSAllAtOnce"}, "configuration"),
        ({"alarms": ()}, "rollback alarms"),
        ({"alarms_enabled": False}, "rollback alarms are enabled"),
        ({"rollback_events": ("DEPLOYMENT_FAILURE",)}, "rollback events"),
        ({"rollback_enabled": False}, "rollback is enabled"),
        ({"bake_minutes": 0}, "bake minutes"),
    ],
)
def test_everything_that_takes_a_release_back(changed: dict[str, Any], what: str) -> None:
    state = orders(deployment_group=replace(part("deployment_group"), **changed))
    assert [drift.what for drift in drift_of(state)] == [f"deployment group: {what}"]


def test_a_configuration_of_ones_own_is_known_by_its_name() -> None:
    state = released(USERS, PRODUCTION)
    assert state.deployment_group is not None
    assert state.deployment_group.configuration == "production-users-linear-20-percent-3-minutes"
    assert drift_of(state) == ()


def test_alarms_that_are_missing() -> None:
    kept = [alarm for alarm in part("alarms") if alarm.name != "production-orders-latency-p99"]
    assert found(orders(alarms=tuple(kept))) == [("alarm production-orders-latency-p99 is missing", "present", None)]


def test_a_revision_that_no_release_registered() -> None:
    strange = replace(part("api_revision"), tags={"platform:version": "1.4.2"})
    assert found(orders(api_revision=strange)) == [
        ("revision of the api", "one that a release registered", "production-orders:7")
    ]


def test_a_worker_of_another_version_than_the_api() -> None:
    other = replace(part("worker_revision"), tags={**part("worker_revision").tags, "platform:version": "1.4.1"})
    (drift,) = drift_of(orders(worker_revision=other))
    assert (drift.what, drift.expected, drift.live) == ("version of the worker", "1.4.2", "1.4.1")
    assert "`platform deploy`" in drift.remedy
    assert drift_of(orders(worker_revision=other, running_deployment=running_deployment())) == ()


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"api": None, "api_revision": None}, "Service"),
        ({"worker": None, "worker_revision": None}, "WorkerService"),
        ({"deployment_group": None}, "DeploymentGroup"),
        ({"production_rule": None}, "ProductionRule"),
        ({"test_rule": None}, "TestRule"),
        ({"scaling": None}, "ScalableTarget"),
        ({"worker_scaling": None}, "WorkerScalableTarget"),
    ],
)
def test_deleted_resources_are_missing(changed: dict[str, Any], missing: str) -> None:
    assert found(orders(**changed)) == [(f"{missing} is missing", "present", None)]


def test_a_deleted_target_group_is_missed() -> None:
    whats = [what for what, _, _ in found(orders(target_groups=part("target_groups")[1:]))]
    assert "BlueTargetGroup is missing" in whats


def test_a_service_without_a_worker_misses_none() -> None:
    assert drift_of(released(USERS, PRODUCTION)) == ()


def test_neither_nothing_nor_a_placeholder_is_drift() -> None:
    assert drift_of(NOTHING) == ()
    assert drift_of(created(ORDERS, PRODUCTION)) == ()


def test_no_drift_is_reported_while_a_stack_is_being_changed() -> None:
    changing = replace(part("stack"), status="CREATE_IN_PROGRESS")
    assert drift_of(orders(stack=changing, api=None, api_revision=None, alarms=())) == ()


def test_drift_alone_is_something_to_do() -> None:
    plan = plan_service(ORDERS, PRODUCTION, orders(alarms=()))
    assert (plan.has_changes, plan.exit_code) == (False, 2)
