"""A release from preflight to its end, of every service, and what it leaves behind."""

import pytest

from aws_simulator import Behaviour
from platform_sdk.deploy.release.events import (
    Checked,
    DeploymentCreated,
    Ended,
    Migrating,
    Registered,
    ScalingRestored,
    ScalingSuspended,
    Shifting,
    Started,
    TrafficShifted,
    Warned,
)
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.outcome import ReleaseOptions
from tests.support.releases import world


@pytest.mark.parametrize("service", ["orders", "users", "inventory"])
def test_a_good_version_serves_all_users(service: str) -> None:
    case = world(service)
    outcome = case.deploy("v2")
    assert (outcome.kind, outcome.exit_code) == ("released", 0), outcome.what
    assert case.version_serving() == "v2"
    assert case.worker_version() == ("" if case.spec.worker is None else "v2")
    assert not case.scaling().suspended.any
    assert case.lock_is_free()
    assert outcome.revision.endswith(f"production-{service}:3")
    assert outcome.previous_revision.endswith(f"production-{service}:2")


def test_a_release_emits_its_events_in_order() -> None:
    case = world()
    case.deploy("v2")
    firsts = list(dict.fromkeys(type(event) for event in case.emitted))
    noted = [kind for kind in firsts if kind not in (Shifting,)]
    wanted = [
        Started,
        Checked,
        Registered,
        Migrating,
        ScalingSuspended,
        DeploymentCreated,
        ScalingRestored,
        TrafficShifted,
    ]
    assert [kind for kind in noted if kind in wanted] == wanted
    assert isinstance(case.emitted[-1], Ended)


def test_the_same_version_again_is_nothing_to_do() -> None:
    case = world()
    case.deploy("v2")
    calls = len(case.simulator.calls)
    again = case.deploy("v2")
    assert (again.kind, again.exit_code) == ("nothing_to_do", 10)
    written = [call.operation for call in case.simulator.calls[calls:] if call.writes]
    assert written == ["UpdateItem", "DeleteItem"], "only the lock"


def test_a_release_never_sets_a_desired_count() -> None:
    case = world()
    case.deploy("v2")
    assert not [call for call in case.simulator.calls if "desiredCount" in call.parameters]


def test_all_checks_run_before_the_first_write() -> None:
    case = world()
    case.deploy("v2")
    first_write = next(call for call in case.simulator.calls if call.writes and call.service == "ecs")
    assert case.simulator.calls.index(first_write) > max(
        index for index, call in enumerate(case.simulator.calls) if call.operation == "SimulatePrincipalPolicy"
    )


def test_the_worker_is_released_before_the_api() -> None:
    case = world()
    case.deploy("v2")
    writes = [call.operation for call in case.simulator.calls if call.writes]
    assert writes.index("RunTask") < writes.index("UpdateService") < writes.index("CreateDeployment")


def test_scaling_is_suspended_from_before_the_deployment_until_all_traffic_has_shifted() -> None:
    case = world()
    case.deploy("v2")
    kinds = [type(event) for event in case.emitted]
    assert kinds.index(ScalingSuspended) < kinds.index(DeploymentCreated)
    assert kinds.index(ScalingRestored) < kinds.index(TrafficShifted)


def test_a_release_warns_that_aws_moves_a_service_scaled_by_hand_into_its_bounds() -> None:
    case = world()
    cluster, name = "platform-production", "production-orders"
    high = case.scaling().max_tasks
    case.simulator.client("ecs").update_service(cluster=cluster, service=name, desiredCount=high + 2)
    outcome = case.deploy("v2")
    service = case.aws.ecs.service(cluster, name)
    assert outcome.kind == "released"
    assert service is not None
    assert service.desired == high
    warnings = [event.what for event in case.events(Warned)]
    assert warnings == [f"{name} runs {high + 2} tasks, outside of its bounds of 2 to {high}: AWS moves it to {high}"]


def test_the_deployment_says_which_revisions_worker_and_api_go_between() -> None:
    case = world()
    outcome = case.deploy("v2")
    deployment = case.aws.codedeploy.deployment(outcome.deployment_id)
    assert deployment is not None
    noted = parse_description(deployment.description)
    assert noted is not None
    assert (noted.version, noted.revision, noted.worker, noted.worker_before) == ("v2", "production-orders:3", 3, 2)


def test_a_release_may_return_as_soon_as_all_users_are_on_the_version() -> None:
    case = world()
    outcome = case.deploy("v2", options=ReleaseOptions(until="traffic"))
    assert (outcome.kind, outcome.exit_code) == ("traffic_shifted", 0)
    assert case.version_serving() == "v2"
    assert outcome.resume == f"platform wait {outcome.deployment_id} --env production"
    later = case.wait(outcome.deployment_id)
    assert (later.kind, later.exit_code) == ("released", 0)


def test_a_detached_release_is_followed_from_elsewhere() -> None:
    case = world()
    outcome = case.deploy("v2", options=ReleaseOptions(detach=True))
    assert (outcome.kind, outcome.exit_code, case.version_serving()) == ("detached", 0, "v1")
    assert case.lock_is_free()
    later = case.wait(outcome.deployment_id, options=ReleaseOptions(until="traffic"))
    assert (later.kind, case.version_serving()) == ("traffic_shifted", "v2")


def test_waiting_for_a_release_that_fails_returns_the_worker() -> None:
    case = world()
    outcome = case.deploy("v2", Behaviour(kind="answers_500"), options=ReleaseOptions(detach=True))
    assert case.worker_version() == "v2"
    later = case.wait(outcome.deployment_id)
    assert (later.exit_code, case.version_serving(), case.worker_version()) == (12, "v1", "v1")


def test_the_first_release_replaces_the_placeholder() -> None:
    case = world(before=())
    assert case.version_serving() == "production-orders-placeholder"
    outcome = case.deploy("v2")
    assert outcome.exit_code == 0, outcome.what
    assert (case.version_serving(), case.worker_version()) == ("v2", "v2")


def test_a_first_release_that_fails_returns_to_the_placeholder() -> None:
    case = world(before=())
    outcome = case.deploy("v2", Behaviour(kind="never_healthy"))
    assert outcome.exit_code == 12, outcome.what
    assert case.version_serving() == "production-orders-placeholder"
    assert case.worker_version() == "production-orders-placeholder"
