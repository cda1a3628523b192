"""A release that meets somebody else's deployment, and what happens to two at a time."""

import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from aws_simulator import Behaviour
from platform_sdk.deploy.manifest.tasks import StandaloneTask
from platform_sdk.deploy.release.context import Interrupts
from platform_sdk.deploy.release.events import (
    Checked,
    DeploymentCreated,
    Migrating,
    Registered,
    ReleaseEvent,
    ScalingSuspended,
    Shifting,
    Waiting,
    WorkerProgress,
)
from platform_sdk.deploy.release.outcome import Outcome, ReleaseOptions
from platform_sdk.deploy.state import RUNNING
from tests.support.releases import ConcurrentReleases, Process, World, world


def with_task(case: World) -> World:
    task = StandaloneTask(
        name="close-the-books", command=("python", "-m", "orders.books"), schedule=None, timezone="UTC", cpu=256,
        memory_mib=512,
    )  # fmt: skip
    case.spec = replace(case.spec, tasks=(task,))
    return case


def task_version(case: World) -> str:
    return case.version_of("production-orders-close-the-books")


def test_a_deployment_that_nobody_follows_is_waited_for() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    outcome = case.deploy("v3")
    assert outcome.exit_code == 0, outcome.what
    assert "v2 by ci" in case.events(Waiting)[0].subject
    assert (case.version_serving(), case.worker_version()) == ("v3", "v3")


def test_waiting_ends_after_the_time_of_the_option() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    outcome = case.deploy("v3", options=ReleaseOptions(lock_wait_minutes=2))
    assert outcome.exit_code == 16
    assert outcome.resume is not None
    assert outcome.resume.startswith("platform wait d-")


def test_waiting_for_another_release_may_be_interrupted() -> None:
    case, interrupts = world(), Interrupts()
    began: list[Outcome] = []

    def release_another(event: object) -> None:
        if isinstance(event, Shifting) and not began:
            signalled = at_the_first_wait(interrupts)
            began.append(case.deploy("v3", interrupts=interrupts, on_event=signalled))

    assert case.deploy("v2", on_event=release_another).exit_code == 0
    assert (began[0].exit_code, began[0].what) == (130, "nothing was changed")
    assert began[0].resume == "platform deploy orders --env production --image v3"


def at_the_first_wait(interrupts: Interrupts) -> Callable[[object], None]:
    def listen(event: object) -> None:
        if isinstance(event, Waiting) and interrupts.signal_number is None:
            interrupts.arrive(signal.SIGINT)

    return listen


def test_superseding_a_shift_rolls_it_back_first() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    case.simulator.clock.sleep(120)
    outcome = case.deploy("v3", options=ReleaseOptions(if_busy="supersede"))
    assert (outcome.exit_code, case.version_serving()) == (0, "v3"), outcome.what
    assert outcome.previous_revision.endswith("production-orders:2"), "v1 served again before v3 came"


def test_superseding_a_bake_ends_it_early() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(until="traffic"))
    began = case.simulator.now()
    outcome = case.deploy("v3", options=ReleaseOptions(if_busy="supersede", until="traffic"))
    assert (outcome.exit_code, case.version_serving()) == (0, "v3")
    assert outcome.previous_revision.endswith("production-orders:3"), "v2 has ended"
    assert case.simulator.now() - began < timedelta(minutes=13), "without 15 minutes of bake time"


def test_a_deployment_that_begins_between_check_and_creation_supersedes_the_release() -> None:
    case = world()
    case.deploy("v2")

    def begin_another(event: object) -> None:
        if isinstance(event, ScalingSuspended) and not case.aws.codedeploy.deployments(name, name, statuses=RUNNING):
            case.simulator.client("codedeploy").create_deployment(**request)

    name = "production-orders"
    request = {key: manual_deployment(case)[key] for key in ("applicationName", "deploymentGroupName", "revision")}
    outcome = case.deploy("v3", on_event=begin_another)
    assert outcome.exit_code == 15, outcome.what
    assert case.worker_version() == "v2"
    assert not case.scaling().suspended.any


def manual_deployment(case: World) -> dict[str, object]:
    """What the last release asked CodeDeploy for."""
    created = [call for call in case.simulator.calls if call.operation == "CreateDeployment"]
    return dict(created[-1].parameters)


def test_a_migration_that_failed_is_run_again_by_the_next_release() -> None:
    case = world()
    behaviour = Behaviour(migration_exit_code=1)
    assert case.deploy("v2", behaviour).exit_code == 12
    case.simulator.images[case.images["v2"]] = Behaviour()
    assert case.deploy("v2").exit_code == 0
    assert len({event.task for event in case.events(Migrating)}) == 2


def test_a_scheduled_task_is_registered_only_when_the_version_serves() -> None:
    """A schedule starts the newest revision of its family, so a version that fails must not be it."""
    case = with_task(world())
    case.deploy("v2", Behaviour(kind="never_healthy"))
    assert task_version(case) == ""
    case.deploy("v3")
    assert task_version(case) == "v3"
    roles = [event.role for event in case.events(Registered)]
    assert roles[-1] == "close-the-books"


def test_waiting_for_a_detached_release_registers_its_scheduled_tasks() -> None:
    case = with_task(world())
    detached = case.deploy("v2", options=ReleaseOptions(detach=True))
    assert task_version(case) == ""
    assert case.wait(detached.deployment_id).exit_code == 0
    assert task_version(case) == "v2"


def test_a_release_whose_scheduled_tasks_cannot_be_registered_says_so_and_may_be_repeated() -> None:
    case = with_task(world())
    case.simulator.fail("ecs", "RegisterTaskDefinition", how="denied", times=1, after=2)
    outcome = case.deploy("v2")
    assert (outcome.exit_code, case.version_serving()) == (14, "v2")
    assert "not all of its [[tasks]] are registered" in outcome.what
    assert case.deploy("v2").exit_code == 10
    assert task_version(case) == "v2"


def test_a_scheduled_task_is_rolled_back_with_its_service() -> None:
    case = with_task(world())
    case.deploy("v2")
    case.deploy("v3")
    case.roll_back()
    assert (case.version_serving(), task_version(case)) == ("v2", "v2")


def test_a_deployment_of_the_same_version_is_followed_and_not_made_again() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    outcome = case.deploy("v2")
    assert outcome.exit_code == 0
    created = case.events(DeploymentCreated)
    assert [event.adopted for event in created] == [False, True]
    assert len({event.deployment_id for event in created}) == 1
    checked = [event.check.reason for event in case.events(Checked) if event.check.name == "no other deployment"]
    assert checked[-1].endswith("is of this version: it will be followed")


def test_the_grace_period_of_platform_toml_is_set_by_a_release() -> None:
    case = world()
    health = replace(case.spec.health_check, grace_period_seconds=77)
    case.spec = replace(case.spec, health_check=health)
    assert case.deploy("v2").exit_code == 0
    service = case.aws.ecs.service("platform-production", "production-orders")
    assert service is not None
    assert service.grace_period_seconds == 77


@pytest.mark.parametrize("seconds", [5, 15, 30])
def test_after_the_lock_is_lost_nothing_is_written(seconds: float) -> None:
    case = world()
    ended = ConcurrentReleases(case.simulator.clock).run(
        {
            "v2": (0, lambda clock: case.deploy("v2", clock=clock)),
            "v3": (seconds, lambda clock: case.deploy("v3", options=ReleaseOptions(if_busy="supersede"), clock=clock)),
        }
    )
    assert [ended[name].exit_code for name in ("v2", "v3")] == [15, 0], ended["v3"].what
    assert "was taken over: ci holds it for its release of v3 since" in ended["v2"].what
    assert ended["v2"].resume == "platform status orders --env production"
    assert (case.version_serving(), case.worker_version()) == ("v3", "v3")
    updates = [call for call in case.simulator.calls if call.operation == "UpdateService"]
    brought = [str(call.parameters["taskDefinition"]).rsplit("-", 1)[-1] for call in updates if call.error is None]
    assert len(brought) == len(set(brought)), "each worker's revision once"


def test_a_worker_that_another_release_updates_is_superseded_and_no_failure() -> None:
    case = world()
    done: list[object] = []

    def bring_v0(event: object) -> None:
        if isinstance(event, WorkerProgress) and not done:
            done.append(event)
            ecs = case.simulator.client("ecs")
            ecs.update_service(
                cluster="platform-production", service="production-orders-worker",
                taskDefinition="production-orders-worker:1",
            )  # fmt: skip

    outcome = case.deploy("v2", on_event=bring_v0)
    assert (outcome.kind, case.version_serving()) == ("superseded", "v1")
    assert outcome.what == "somebody else updated the worker to production-orders-worker:1"
    assert outcome.resume == "platform status orders --env production"


@pytest.mark.parametrize(
    "order", [ReleaseOptions(until="traffic"), ReleaseOptions(detach=True)], ids=["until traffic", "detached"]
)
def test_a_worker_returns_after_an_unobserved_rollback_of_the_api(order: ReleaseOptions) -> None:
    case = world()
    left = case.deploy("v2", options=order)
    case.simulator.clock.sleep(60)
    case.simulator.codedeploy.stop_manually(left.deployment_id, roll_back=True)
    case.simulator.clock.sleep(300)
    assert (case.version_serving(), case.worker_version()) == ("v1", "v2")
    outcome = case.deploy("v3", Behaviour(kind="never_healthy"))
    assert (outcome.exit_code, case.version_serving(), case.worker_version()) == (12, "v1", "v1"), outcome.what


def test_a_worker_returns_even_if_the_release_that_waited_is_refused() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    case.simulator.cloudwatch.set_alarm("production-orders-error-rate", "ALARM")
    outcome = case.deploy("v3")
    assert outcome.what == "refused before anything was changed: alarms"
    assert (case.version_serving(), case.worker_version()) == ("v1", "v1")


def test_a_worker_is_paired_with_the_version_of_the_api() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(until="traffic"))
    deployment = case.aws.codedeploy.deployments("production-orders", "production-orders", most=1)[0]
    case.simulator.codedeploy.stop_manually(deployment.id, roll_back=True)
    case.simulator.clock.sleep(300)
    case.simulator.client("dynamodb").delete_item(
        TableName="platform-production-locks", Key={"name": {"S": "release/orders"}}
    )
    outcome = case.deploy("v3", Behaviour(kind="crashes"))
    assert (outcome.exit_code, case.version_serving(), case.worker_version()) == (12, "v1", "v1"), outcome.what


def test_a_migration_that_may_not_start_reports_the_registered_revisions() -> None:
    case = world()
    case.simulator.fail("ecs", "RunTask", how="denied", times=100)
    outcome = case.deploy("v2")
    assert (outcome.kind, outcome.exit_code) == ("failed_unchanged", 1)
    assert outcome.what.startswith("no task was replaced; its task definitions are registered: ")


@pytest.mark.parametrize(
    ("follow", "later_seconds"),
    [("wait", 0), ("rollback", 0), ("rollback", 240)],
    ids=["wait at once", "rollback at once", "rollback later"],
)
def test_who_follows_a_release_that_was_killed_restores_its_scaling(follow: str, later_seconds: int) -> None:
    """At once, the lock of the killed one has not expired yet when the other command starts."""
    case = world("users")
    with Process(case.simulator, writes=1000) as process:

        def die(event: ReleaseEvent) -> None:
            process.writes = 0 if isinstance(event, Shifting) else process.writes

        case.deploy("v2", client_of=process.client_of, on_event=die)
    assert case.scaling().suspended.any
    case.simulator.clock.sleep(later_seconds)
    (running,) = case.aws.codedeploy.deployments("production-users", "production-users", statuses=RUNNING)
    outcome = case.wait(running.id) if follow == "wait" else case.roll_back()
    assert (outcome.kind, case.version_serving()) == ("released", "v2" if follow == "wait" else "v1")
    assert not case.scaling().suspended.any
    assert case.lock_is_free()
