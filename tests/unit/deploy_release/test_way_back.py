"""A revision to return to is gone: what is refused, what is said, and that the command it names works."""

import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest

from aws_simulator import Behaviour
from aws_simulator.world import NO_CAPACITY
from platform_sdk.deploy.plan.drift import drift_of
from platform_sdk.deploy.release.events import Checked, ReleaseEvent, RollingBack, Shifting, TrafficShifted, Warned
from platform_sdk.deploy.release.outcome import Outcome, ReleaseOptions
from platform_sdk.deploy.release.rollback_target import NoRollbackTarget
from platform_sdk.deploy.state import RUNNING
from tests.support.releases import OLD_COMMIT, Process, World, with_some_traffic, world
from tests.unit.deploy_release.test_second_use import behave

AGAIN = "platform deploy orders --env production --image v1 --allow-older --ignore-alarms"


def deregister(case: World, *names: str) -> None:
    """As cleaners of old revisions do."""
    for name in names:
        case.simulator.client("ecs").deregister_task_definition(taskDefinition=name)


def served(case: World) -> tuple[str, str]:
    return case.version_serving(), case.worker_version()


def run(case: World, command: str) -> Outcome:
    """Run a `platform deploy` that a text named."""
    words = shlex.split(command)
    assert words[:2] == ["platform", "deploy"]
    tag = words[words.index("--image") + 1]
    options = ReleaseOptions(allow_older="--allow-older" in words, ignore_alarms="--ignore-alarms" in words)
    return case.deploy(tag, options=options, commit=OLD_COMMIT)


@pytest.mark.parametrize("gone", ["production-orders:2", "production-orders-worker:2"])
def test_a_version_whose_revision_was_deregistered_is_refused_with_the_command_that_restores_it(gone: str) -> None:
    case = world()
    case.know("v1")
    case.deploy("v2")
    deregister(case, gone)
    with pytest.raises(NoRollbackTarget) as refused:
        case.roll_back("v1")
    assert f"{gone} was deregistered" in str(refused.value)
    assert f"`{AGAIN}`" in str(refused.value)
    assert (run(case, AGAIN).exit_code, served(case)) == (0, ("v1", "v1"))


@pytest.mark.parametrize("gone", ["production-orders:2", "production-orders-worker:2"])
def test_a_rollback_without_a_target_skips_what_is_gone_and_says_so(gone: str) -> None:
    case = world()
    case.deploy("v2")
    deregister(case, gone)
    assert (case.roll_back().exit_code, served(case)) == (0, ("v0", "v0"))
    warned = [event for event in case.events(Warned) if "left out" in event.what]
    assert [gone in event.what and AGAIN in event.hint for event in warned] == [True]


@pytest.mark.parametrize("still_starts_seconds", [0, 600])
def test_preflight_refuses_a_rollback_to_a_revision_that_has_just_been_deregistered(still_starts_seconds: int) -> None:
    case = world()
    case.simulator.conditions.deregistered_starts_seconds = still_starts_seconds
    case.deploy("v2")
    outcome = case.roll_back("v1", on_event=lambda event: gone_at_first_check(case, event))
    assert (outcome.exit_code, served(case)) == (11, ("v2", "v2"))
    failed = [event.check for event in case.events(Checked) if event.check.status == "FAIL"]
    assert [check.name for check in failed] == ["task definition"]
    assert AGAIN in failed[0].remedy


def gone_at_first_check(case: World, event: object) -> None:
    if isinstance(event, Checked) and event.check.name == "image":
        deregister(case, "production-orders-worker:2")


@pytest.mark.parametrize("gone", ["production-orders:2", "production-orders-worker:2"])
def test_plan_and_preflight_show_that_nothing_can_return_to_what_runs(gone: str) -> None:
    case = world()
    deregister(case, gone)
    drift = drift_of(case.context().observe())
    assert [each.live for each in drift] == [f"{gone}, which was deregistered"]
    assert "--image v1 --allow-older" in drift[0].remedy
    case.deploy("v2")
    [check] = [event.check for event in case.events(Checked) if event.check.name == "task definition"]
    assert (check.status, gone in check.reason, AGAIN in check.reason) == ("SKIP", True, True)


def test_a_release_of_what_runs_registers_its_document_again() -> None:
    case = world()
    case.know("v1")
    deregister(case, "production-orders:2", "production-orders-worker:2")
    assert (run(case, AGAIN).exit_code, served(case)) == (0, ("v1", "v1"))
    assert not drift_of(case.context().observe())


def test_a_worker_that_cannot_return_is_reported_with_who_serves_and_what_to_run() -> None:
    case = world()
    case.know("v1")

    def clean(event: object) -> None:
        if isinstance(event, Shifting) and case.worker_version() == "v2":
            deregister_once(case)

    outcome = case.deploy("v2", Behaviour(kind="answers_500"), on_event=clean)
    assert (outcome.kind, outcome.exit_code, served(case)) == ("rollback_failed", 13, ("v1", "v2"))
    assert outcome.what.startswith("v1 serves all users, but the worker runs v2; the worker could not be returned to ")
    assert "inactive" in outcome.what
    assert outcome.explanation is not None, "why the release failed is not lost"
    assert outcome.resume == AGAIN
    assert (run(case, AGAIN).exit_code, served(case)) == (0, ("v1", "v1"))


def deregister_once(case: World) -> None:
    found = case.aws.ecs.revision("production-orders-worker:2")
    if found is not None and found.active:
        deregister(case, "production-orders-worker:2")


@pytest.mark.parametrize("operation", ["UpdateService", "DescribeServices"])
def test_a_denial_on_the_way_back_never_says_that_something_continues(operation: str) -> None:
    case = world()

    def deny(event: object) -> None:
        if isinstance(event, RollingBack) and not event.deployment_id:
            case.simulator.fail("ecs", operation, how="denied", times=1)

    outcome = case.deploy("v2", Behaviour(kind="answers_500"), on_event=deny)
    assert outcome.exit_code in (12, 13)
    assert "unobserved" not in outcome.what
    assert outcome.what.startswith(("v1 serves all users", "production-orders:2 serves all users"))
    assert served(case)[0] == "v1"
    assert outcome.resume is not None
    assert case.roll_back().exit_code == 0
    assert served(case) == ("v1", "v1")


def test_a_worker_that_was_removed_from_the_files_only_is_part_of_a_rollback() -> None:
    case = world()
    case.deploy("v2")
    case.spec = replace(case.spec, worker=None)
    assert (case.roll_back().exit_code, served(case)) == (0, ("v1", "v1"))


def test_tasks_that_a_failed_rollback_leaves_behind_are_named_and_the_next_release_removes_them() -> None:
    case = world("users")
    detached = case.deploy("v2", options=ReleaseOptions(detach=True))
    case.simulator.conditions.placement_failure = NO_CAPACITY
    case.simulator.clock.sleep(30)
    service = case.simulator.ecs.ecs_service("platform-production", "production-users")
    case.simulator.ecs.scale(service, 5)
    rolled_back = case.roll_back()
    assert (detached.exit_code, rolled_back.exit_code, served(case)[0]) == (0, 0, "v1")
    assert "5 more tasks that serve nobody stay until the next release or restart" in rolled_back.what
    case.simulator.conditions.placement_failure = ""
    assert case.restart().exit_code == 0
    assert [one.status for one in service.sets if one.status != "DRAINING"] == ["PRIMARY"]


@pytest.mark.parametrize(
    ("behaviour", "how"),
    [
        (Behaviour(migration_exit_code=1), "the migration failed (exit 1)"),
        (Behaviour(kind="crashes"), "the update of the worker failed"),
    ],
)
def test_a_release_that_fails_while_users_are_divided_says_so(behaviour: Behaviour, how: str) -> None:
    case = divided()
    failed = case.deploy("v3", behaviour)
    assert (failed.exit_code, case.serving().percent) == (12, 90)
    assert how in failed.what
    assert "users stay divided as they were, v1 with 90 % of the traffic" in failed.what
    assert "(`platform rollback orders --env production` ends that)" in failed.what
    assert (case.roll_back().exit_code, served(case)) == (0, ("v1", "v1"))


def divided() -> World:
    """Users of two versions, because somebody stopped the deployment in the console and did not roll it back."""
    case = world()
    stop = with_some_traffic(case, lambda id: case.simulator.codedeploy.stop_manually(id, roll_back=False))
    assert case.deploy("v2", on_event=stop).exit_code == 13
    return case


def test_a_good_version_is_released_to_users_who_are_divided_into_halves() -> None:
    case = divided()
    for rule in case.simulator.elbv2.rules.values():
        for action in rule.actions:
            for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
                group["Weight"] = 50
    case.simulator.elbv2.routes_changed()
    assert case.serving().percent == 50
    assert (case.deploy("v3").exit_code, served(case)) == (0, ("v3", "v3"))


def test_a_rollback_leaves_a_version_whose_release_was_killed_when_all_users_were_on_it() -> None:
    case = world()
    with Process(case.simulator, writes=100) as process:
        case.deploy("v2", on_event=killed_when_all_traffic_has_shifted(process), client_of=process.client_of)
    (running,) = case.aws.codedeploy.deployments("production-orders", "production-orders", statuses=RUNNING)
    case.simulator.codedeploy.stop_manually(running.id, roll_back=False)
    assert served(case) == ("v2", "v2")
    assert (case.roll_back().exit_code, served(case)) == (0, ("v1", "v1"))


def killed_when_all_traffic_has_shifted(process: Process) -> Callable[[ReleaseEvent], None]:
    def listen(event: ReleaseEvent) -> None:
        if isinstance(event, TrafficShifted):
            process.writes = 0

    return listen


def test_a_failed_restart_says_what_the_worker_runs_where_it_was_of_another_version() -> None:
    case = world()
    case.simulator.client("ecs").update_service(
        cluster="platform-production", service="production-orders-worker", taskDefinition="production-orders-worker:1"
    )
    case.simulator.clock.sleep(300)
    behave(case, "v1", Behaviour(kind="crashes"))
    failed = case.restart()
    assert (failed.exit_code, served(case)) == (13, ("v1", "v0"))
    assert "v1 serves all users, but the worker runs v0" in failed.what


def test_a_first_release_that_fails_says_that_nothing_served_before() -> None:
    case = world(before=())
    failed = case.deploy("v1", Behaviour(migration_exit_code=1))
    assert failed.exit_code == 12
    assert "nothing served before: the placeholder answers 503 to all users" in failed.what
