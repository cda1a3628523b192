"""ECS has no place for a task: nothing stops, so only the service's events, and RunTask's answer, say so."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from aws_simulator.world import NO_CAPACITY, NO_VCPUS
from platform_sdk.deploy.release.events import ReleaseEvent, RollingBack, Shifting, StageEnded, Warned, WorkerProgress
from platform_sdk.deploy.release.outcome import Outcome
from tests.support.releases import ConcurrentReleases, World, world


def when(kind: type[ReleaseEvent], act: Callable[[], object]) -> Callable[[ReleaseEvent], None]:
    """Return a listener that acts at the first event of a kind."""
    done: list[object] = []

    def listen(event: ReleaseEvent) -> None:
        if isinstance(event, kind) and not done:
            done.append(event)
            act()

    return listen


def when_migrated(act: Callable[[], object]) -> Callable[[ReleaseEvent], None]:
    def listen(event: ReleaseEvent) -> None:
        if isinstance(event, StageEnded) and event.stage.name == "migrate":
            act()

    return listen


def take_capacity(case: World, reason: str = NO_CAPACITY) -> Callable[[], None]:
    def take() -> None:
        case.simulator.conditions.placement_failure = reason

    return take


def served(case: World) -> tuple[str, str]:
    return case.version_serving(), case.worker_version()


def why(outcome: Outcome) -> str:
    assert outcome.explanation is not None
    return outcome.explanation.cause


@pytest.mark.parametrize(
    ("reason", "cause"),
    [(NO_CAPACITY, "Fargate had no capacity for the task"), (NO_VCPUS, "the account's quota of Fargate is used up")],
)
def test_a_worker_without_capacity_returns_after_a_quarter_of_an_hour_and_says_why(reason: str, cause: str) -> None:
    case = world()
    began = case.simulator.now()
    outcome = case.deploy("v2", on_event=when_migrated(take_capacity(case, reason)))
    assert (outcome.exit_code, served(case)) == (12, ("v1", "v1"))
    assert outcome.what.startswith("the original version serves all users: the update of the worker failed")
    assert why(outcome) == cause
    assert timedelta(minutes=15) < case.simulator.now() - began < timedelta(minutes=20)
    assert case.lock_is_free()


@pytest.mark.parametrize("service", ["orders", "users"])
def test_an_api_without_capacity_is_rolled_back_and_says_why(service: str) -> None:
    """The worker, which was updated first, returns when there is capacity again."""
    case = world(service)

    def listen(event: ReleaseEvent) -> None:
        if isinstance(event, Shifting):
            case.simulator.conditions.placement_failure = NO_CAPACITY
        if isinstance(event, RollingBack) and not event.deployment_id:
            case.simulator.conditions.placement_failure = ""

    outcome = case.deploy("v2", on_event=listen)
    assert (outcome.exit_code, case.version_serving()) == (12, "v1")
    assert case.worker_version() in ("v1", "")
    assert why(outcome) == "Fargate had no capacity for the task"
    assert outcome.explanation is not None
    assert any("was unable to place a task" in line for line in outcome.explanation.evidence)


def test_a_worker_that_cannot_return_for_want_of_capacity_is_not_left_without_a_word() -> None:
    case = world()
    outcome = case.deploy("v2", on_event=when(Shifting, take_capacity(case)))
    assert (outcome.exit_code, case.version_serving()) == (14, "v1")
    assert outcome.what.startswith("v1 serves all users; the worker is being updated to v1")
    assert why(outcome) == "Fargate had no capacity for the task"
    case.simulator.conditions.placement_failure = ""
    back = case.roll_back()
    assert (back.exit_code, back.what) == (0, "v1 serves all users; the worker returned to it")
    assert served(case) == ("v1", "v1")


def test_the_reason_is_shown_once_while_it_lasts() -> None:
    case = world("users")
    case.deploy("v2", on_event=when(Shifting, take_capacity(case)))
    shown = [event for event in case.events(Warned) if "starts no task" in event.what]
    assert [event.what for event in shown] == [
        "ECS starts no task: Capacity is unavailable at this time. Please try again later or in a different "
        "availability zone"
    ]
    assert "15 minutes" in shown[0].hint


@pytest.mark.parametrize("minutes", [2, 12])
def test_capacity_that_returns_in_time_lets_the_release_succeed(minutes: int) -> None:
    case = world("users")
    since: list[datetime] = []

    def listen(event: ReleaseEvent) -> None:
        if isinstance(event, Shifting):
            since.append(event.at)
            gone = case.simulator.now() - since[0] < timedelta(minutes=minutes)
            case.simulator.conditions.placement_failure = NO_CAPACITY if gone else ""

    assert (case.deploy("v2", on_event=listen).exit_code, case.version_serving()) == (0, "v2")


def test_a_retry_is_not_judged_by_the_event_of_the_release_before() -> None:
    """ECS does not repeat an event whose cause stays, so the old one may still count: but only after a wait."""
    case = world("users")
    case.deploy("v2", on_event=when(Shifting, take_capacity(case)))
    case.emitted.clear()
    case.simulator.conditions.placement_failure = ""
    assert case.deploy("v2").exit_code == 0
    assert not case.events(Warned)


def test_a_retry_without_capacity_is_explained_though_ecs_does_not_repeat_the_event() -> None:
    case = world("users")
    case.deploy("v2", on_event=when(Shifting, take_capacity(case)))
    outcome = case.deploy("v2", on_event=when(Shifting, take_capacity(case)))
    assert (outcome.exit_code, why(outcome)) == (12, "Fargate had no capacity for the task")


def test_a_migration_without_capacity_replaces_nothing_and_says_why() -> None:
    case = world("users")
    case.simulator.conditions.placement_failure = NO_CAPACITY
    outcome = case.deploy("v2")
    assert (outcome.exit_code, case.version_serving()) == (12, "v1")
    assert outcome.what.startswith("the original version serves all users: the migration could not be started")
    assert why(outcome) == "the migration did not start: Fargate had no capacity for the task"
    assert outcome.resume is not None


def test_a_migration_starts_when_capacity_returns() -> None:
    case = world("users")
    case.simulator.conditions.placement_failure = NO_CAPACITY

    def give_back() -> None:
        case.simulator.conditions.placement_failure = ""

    assert case.deploy("v2", on_event=when(Warned, give_back)).exit_code == 0


def test_full_subnets_are_named() -> None:
    case = world()

    def fill() -> None:
        case.simulator.conditions.subnets_are_full = True

    outcome = case.deploy("v2", on_event=when_migrated(fill))
    assert (outcome.exit_code, served(case)) == (12, ("v1", "v1"))
    assert why(outcome) == "the private subnets have no free address for the task"


def test_a_rollback_after_a_release_that_stuck_at_its_worker_leaves_healthy_users_where_they_are() -> None:
    """The worker's update is left running, and nobody holds the lock any more. v1 serves well: v0 is not wanted."""
    case = world()
    case.simulator.fail("ecs", "StopServiceDeployment", how="denied")
    outcome = case.deploy("v2", on_event=when_migrated(take_capacity(case)))
    assert outcome.exit_code == 14
    assert outcome.what.startswith("v1 serves all users; the worker is being updated to v2")
    assert why(outcome) == "Fargate had no capacity for the task"
    assert outcome.resume == "platform rollback orders --env production"
    back = case.roll_back()
    assert (back.exit_code, served(case)) == (0, ("v1", "v1"))
    assert back.what == "v1 serves all users; the worker returned to it"


def test_a_worker_that_nobody_returned_goes_back_to_the_users_version_without_any_lock() -> None:
    case = world()
    case.deploy("v2")
    case.roll_back()
    ecs = case.simulator.client("ecs")
    ecs.update_service(
        cluster="platform-production", service="production-orders-worker", taskDefinition="production-orders-worker:3"
    )
    case.simulator.clock.sleep(600)
    assert served(case) == ("v1", "v2")
    assert (case.roll_back().exit_code, served(case)) == (0, ("v1", "v1"))


def test_a_rollback_during_an_update_that_cannot_be_placed_needs_no_new_task() -> None:
    case = world()
    releases = ConcurrentReleases(case.simulator.clock)
    ended = releases.run(
        {
            "release": (
                0,
                lambda clock: case.deploy("v2", on_event=when(WorkerProgress, take_capacity(case)), clock=clock),
            ),
            "rollback": (200, lambda clock: case.roll_back(clock=clock)),
        }
    )
    assert (ended["rollback"].exit_code, served(case)) == (0, ("v1", "v1"))
    assert ended["release"].exit_code == 15
