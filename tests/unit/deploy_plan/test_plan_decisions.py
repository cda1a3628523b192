"""Decisions of a plan about revisions, scaling and the rest, from values alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.manifest.scaling import ScheduledScaling
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.decisions import ExistingRevision, NewRevision, Plan
from platform_sdk.deploy.render.task_definition import render_task_definition
from platform_sdk.deploy.state import ServiceState
from tests.support.deployed_services import NOTHING, created, image_of, registered, released, running_deployment
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")
SERVICES = load_services(FIXTURES, "production")
ORDERS = next(spec for spec in SERVICES if spec.name == "orders")
NEW = image_of(ORDERS, PRODUCTION, "1.5.0")


def planned(spec: ServiceSpec, state: ServiceState, image: str | None = None) -> Plan:
    return plan_service(spec, PRODUCTION, state, image=image)


@pytest.fixture
def every_key(tmp_path: Path) -> ServiceSpec:
    (tmp_path / "platform.toml").write_text(reference(), encoding="utf-8")
    return load_spec(tmp_path / "platform.toml", "production")


@pytest.mark.parametrize("spec", SERVICES, ids=lambda spec: spec.name)
def test_a_service_without_changes_needs_nothing(spec: ServiceSpec) -> None:
    plan = planned(spec, released(spec, PRODUCTION))
    assert (plan.has_changes, plan.drift, plan.exit_code, plan.traffic) == (False, (), 0, None)
    assert (plan.stack.action, plan.stack.updates) == ("unchanged", ())


def test_a_service_with_every_key_needs_nothing_either(every_key: ServiceSpec) -> None:
    plan = planned(every_key, released(every_key, PRODUCTION))
    assert (plan.has_changes, plan.drift) == (False, ())


def test_either_target_group_may_be_live() -> None:
    state = released(ORDERS, PRODUCTION)
    assert state.production_rule is not None
    assert state.test_rule is not None
    assert state.api is not None
    assert state.api.primary is not None
    blue, green = state.target_groups
    weights = {blue.arn: 100, green.arn: 0}
    swapped = replace(
        state,
        production_rule=replace(state.production_rule, weights=weights),
        test_rule=replace(state.test_rule, weights=weights),
        api=replace(state.api, task_sets=(replace(state.api.primary, target_group=blue.arn),)),
    )
    assert planned(ORDERS, swapped).exit_code == 0


def test_a_new_image_makes_a_new_revision_of_every_role_and_shifts_traffic(every_key: ServiceSpec) -> None:
    plan = planned(every_key, released(every_key, PRODUCTION), NEW)
    assert {revision.role for revision in plan.releases} == {"api", "worker", *(task.name for task in every_key.tasks)}
    assert all(isinstance(revision.target, NewRevision) for revision in plan.releases)
    assert plan.stack.action == "unchanged"
    assert plan.traffic is not None
    assert plan.traffic.shift == every_key.traffic_shift


def test_without_an_image_each_role_keeps_its_own() -> None:
    wanted = replace(ORDERS, environment={"GREETING": "hello"})
    state = released(ORDERS, PRODUCTION)
    older = released(ORDERS, PRODUCTION, tag="1.4.1")
    plan = planned(wanted, replace(state, worker_revision=older.worker_revision))
    assert plan.api.image == image_of(ORDERS, PRODUCTION, "1.4.2")
    assert plan.worker is not None
    assert plan.worker.image == image_of(ORDERS, PRODUCTION, "1.4.1")
    assert [change.path for change in plan.api.changes] == ["api · app · environment.GREETING"]


def test_a_worker_that_was_never_released_gets_the_image_of_the_api() -> None:
    state, before = released(ORDERS, PRODUCTION), created(ORDERS, PRODUCTION)
    plan = planned(ORDERS, replace(state, worker=before.worker, worker_revision=before.worker_revision))
    assert plan.worker is not None
    assert (plan.worker.live, plan.worker.image) == (None, image_of(ORDERS, PRODUCTION, "1.4.2"))
    assert [revision.role for revision in plan.releases] == ["worker"]
    assert plan.traffic is None


def test_a_new_worker_is_created_by_the_stack_and_released_after_it() -> None:
    without = replace(ORDERS, worker=None, queues=(), alarms=tuple(a for a in ORDERS.alarms if a.queue is None))
    plan = planned(ORDERS, released(without, PRODUCTION))
    assert plan.worker is not None
    assert (plan.worker.live, plan.worker.image) == (None, image_of(ORDERS, PRODUCTION, "1.4.2"))
    assert "WorkerService" in {resource.logical_id for resource in plan.stack.with_action("add")}
    assert plan.scaling == ()
    assert not plan.is_scaling_alone


def test_a_document_that_a_failed_release_registered_is_not_registered_again() -> None:
    failed = registered(render_task_definition(ORDERS, PRODUCTION, image=NEW), PRODUCTION, 8, "1.5.0")
    state = replace(released(ORDERS, PRODUCTION), newer_revisions={"api": failed})
    plan = planned(ORDERS, state, NEW)
    assert plan.api.target == ExistingRevision(arn=failed.arn)
    assert {change.path for change in plan.api.changes} == {
        "api · app · image", "api · app · environment.SERVICE_VERSION"
    }  # fmt: skip
    assert not planned(ORDERS, state).has_changes


def test_before_the_first_release_the_plan_waits_for_an_image() -> None:
    for state in (NOTHING, created(ORDERS, PRODUCTION)):
        plan = planned(ORDERS, state)
        assert plan.api.awaits_image
        assert plan.exit_code == 2
        assert plan.releases == ()


def test_the_first_release_replaces_the_placeholder_without_calling_it_a_change() -> None:
    plan = planned(ORDERS, created(ORDERS, PRODUCTION), NEW)
    assert (plan.api.live, plan.api.changes, plan.drift) == (None, (), ())
    assert isinstance(plan.api.target, NewRevision)


def test_first_creation_adds_every_resource_and_makes_one_update() -> None:
    plan = planned(ORDERS, NOTHING)
    assert plan.stack.action == "create"
    assert {resource.action for resource in plan.stack.resources} == {"add"}
    (update,) = plan.stack.updates
    assert len(plan.stack.resources) == len(update.template["Resources"])  # type: ignore[arg-type]
    assert plan.drift == ()


def scaled(**bounds: Any) -> ServiceSpec:
    return replace(ORDERS, scaling=replace(ORDERS.scaling, **bounds))


@pytest.mark.parametrize(
    ("bounds", "paths", "started", "stopped"),
    [
        ({"max_tasks": 12}, ["scaling.max_tasks"], 0, 0),
        ({"min_tasks": 5}, ["scaling.min_tasks"], 3, 0),
        ({"min_tasks": 1, "max_tasks": 1}, ["scaling.max_tasks", "scaling.min_tasks"], 0, 1),
        ({"target_cpu_percent": None}, ["scaling.target_cpu_percent"], 0, 0),
        ({"scale_in_cooldown_seconds": 600}, ["scaling.scale_in_cooldown_seconds"], 0, 0),
    ],
)
def test_an_edit_of_the_scaling_table_is_scaling_alone(
    bounds: dict[str, Any], paths: list[str], started: int, stopped: int
) -> None:
    plan = planned(scaled(**bounds), released(ORDERS, PRODUCTION))
    (change,) = plan.scaling
    assert [each.path for each in change.changes] == paths
    assert (change.desired, change.started, change.stopped) == (2, started, stopped)
    assert plan.is_scaling_alone
    assert plan.needs_apply
    assert (plan.releases, plan.traffic) == ((), None)


def test_scaling_of_the_worker_is_in_its_own_table() -> None:
    assert ORDERS.worker is not None
    wanted = replace(ORDERS, worker=replace(ORDERS.worker, min_tasks=2, backlog_per_task=50))
    plan = planned(wanted, released(ORDERS, PRODUCTION))
    (change,) = plan.scaling
    assert change.role == "worker"
    assert [each.path for each in change.changes] == ["worker.backlog_per_task", "worker.min_tasks"]
    assert (change.started, plan.is_scaling_alone) == (1, True)


def test_with_scheduled_bounds_the_number_of_started_tasks_is_unknown() -> None:
    hours = ScheduledScaling(name="morning", schedule="cron(0 6 * * ? *)", timezone="UTC", min_tasks=4, max_tasks=50)
    plan = planned(scaled(min_tasks=3, scheduled=(hours,)), released(ORDERS, PRODUCTION))
    (change,) = plan.scaling
    assert [each.path for each in change.changes] == ["scaling.min_tasks", "scaling.scheduled"]
    assert change.started == 0


def test_scaling_beside_another_change_is_not_alone() -> None:
    wanted = replace(scaled(max_tasks=12), environment={"GREETING": "hello"})
    assert not planned(wanted, released(ORDERS, PRODUCTION)).is_scaling_alone
    alarms = tuple(replace(alarm, minutes=alarm.minutes + 1) for alarm in ORDERS.alarms)
    assert not planned(replace(scaled(max_tasks=12), alarms=alarms), released(ORDERS, PRODUCTION)).is_scaling_alone


def test_a_grace_period_is_set_without_a_release() -> None:
    wanted = replace(ORDERS, health_check=replace(ORDERS.health_check, grace_period_seconds=90))
    plan = planned(wanted, released(ORDERS, PRODUCTION))
    assert plan.grace_period is not None
    assert (plan.grace_period.before, plan.grace_period.after) == (60, 90)
    assert (plan.stack.action, plan.needs_apply, plan.releases) == ("unchanged", True, ())


def test_a_running_deployment_is_named() -> None:
    state = replace(released(ORDERS, PRODUCTION), running_deployment=running_deployment())
    assert planned(ORDERS, state).running_deployment == "d-ABCDEF123"


def test_the_same_values_make_the_same_plan() -> None:
    one, other = (planned(ORDERS, released(ORDERS, PRODUCTION), NEW) for _ in range(2))
    assert one == other
