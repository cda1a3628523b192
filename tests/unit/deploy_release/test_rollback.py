"""Back to a version that served well: while a deployment runs, in its bake time, and days later."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws_simulator import Behaviour
from aws_simulator.ecr import Ecr
from platform_sdk.deploy.release.events import Checked, Registered, Shifting, TrafficShifted
from platform_sdk.deploy.release.outcome import Outcome, ReleaseOptions
from platform_sdk.deploy.release.rollback_target import NoRollbackTarget
from platform_sdk.deploy.state import RUNNING, Suspended
from tests.support.releases import ConcurrentReleases, Process, World, world


def served(case: World) -> tuple[str, str]:
    return case.version_serving(), case.worker_version()


def test_a_rollback_days_later_releases_the_last_version_that_served_well() -> None:
    case = world()
    case.deploy("v2")
    case.simulator.clock.sleep(timedelta(days=2).total_seconds())
    outcome = case.roll_back()
    assert (outcome.kind, outcome.release.kind, outcome.release.version) == ("released", "rollback", "v1")
    assert served(case) == ("v1", "v1")
    assert [stage.name for stage in outcome.stages if stage.status == "skipped"] == ["migrate"]


def test_a_rollback_shifts_all_traffic_in_one_step() -> None:
    """Users wait for it, and a version that served well needs no canary."""
    case = world()
    case.deploy("v2")
    case.emitted.clear()
    began = case.simulator.now()
    outcome = case.roll_back(options=ReleaseOptions(until="traffic"))
    assert (outcome.kind, served(case)) == ("traffic_shifted", ("v1", "v1"))
    assert case.simulator.now() - began < timedelta(minutes=3)
    shown = [event.target.task_set("Green") for event in case.events(Shifting) if event.target]
    assert {each.traffic_percent for each in shown if each} == {0, 100}


def test_a_rollback_registers_nothing() -> None:
    case = world()
    case.deploy("v2")
    case.emitted.clear()
    case.roll_back()
    assert not case.events(Registered)


def test_a_version_that_failed_is_no_rollback_target() -> None:
    """Not the revision before, but the last one that came to all users."""
    case = world()
    case.deploy("v2", Behaviour(kind="never_healthy"))
    case.deploy("v3")
    outcome = case.roll_back()
    assert (outcome.release.version, served(case)) == ("v1", ("v1", "v1"))


def test_a_second_rollback_does_not_undo_the_first() -> None:
    """Two people, or a pipeline that tries again, mean the same version."""
    case = world()
    case.deploy("v2")
    assert case.roll_back().release.version == "v1"
    assert (case.roll_back().release.version, served(case)) == ("v0", ("v0", "v0"))
    with pytest.raises(NoRollbackTarget) as refused:
        case.roll_back()
    assert "production-orders:2 (v1) and production-orders:3 (v2) was rolled back from" in str(refused.value)
    assert case.roll_back("v2").exit_code == 0, "who names it means it"


def test_a_rolled_back_version_that_was_released_again_is_a_target() -> None:
    case = world()
    case.deploy("v2")
    case.roll_back()
    case.deploy("v2")
    case.deploy("v3")
    assert case.roll_back().release.version == "v2"


@pytest.mark.parametrize("to", ["v0", "1", "production-orders:1"])
def test_a_rollback_leads_to_the_named_version_or_revision(to: str) -> None:
    case = world()
    outcome = case.roll_back(to)
    assert (outcome.exit_code, outcome.release.version) == (0, "v0")
    assert served(case) == ("v0", "v0")


def test_an_unknown_version_is_refused_with_candidates() -> None:
    case = world()
    calls = len(case.simulator.calls)
    with pytest.raises(NoRollbackTarget) as refused:
        case.roll_back("v7")
    assert "production-orders:1 (v0)" in str(refused.value)
    assert not [call for call in case.simulator.calls[calls:] if call.writes]


def test_a_version_whose_image_is_gone_is_no_target() -> None:
    case = world()
    images = case.simulator.service(Ecr).repositories["orders"].images
    images.pop(next(digest for digest, image in images.items() if "v0" in image.tags))
    with pytest.raises(NoRollbackTarget) as refused:
        case.roll_back("v0")
    assert "is not in ECR any more" in str(refused.value)


def test_a_revision_that_was_deregistered_is_no_target() -> None:
    case = world()
    case.simulator.client("ecs").deregister_task_definition(taskDefinition="production-orders:1")
    with pytest.raises(NoRollbackTarget) as refused:
        case.roll_back("1")
    assert "production-orders:1 was deregistered" in str(refused.value)


def test_a_rollback_while_traffic_shifts_returns_users_at_once() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    case.simulator.clock.sleep(120)
    began = case.simulator.now()
    outcome = case.roll_back()
    assert (outcome.kind, outcome.exit_code, outcome.release.version) == ("released", 0, "v1")
    assert served(case) == ("v1", "v1")
    assert case.simulator.now() - began < timedelta(minutes=5)


def test_a_rollback_in_the_bake_time_returns_users_at_once() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(until="traffic"))
    outcome = case.roll_back()
    assert (outcome.kind, outcome.release.version, served(case)) == ("released", "v1", ("v1", "v1"))


def test_a_release_reports_that_it_was_rolled_back_by_somebody_else() -> None:
    case = world()
    rolled_back: list[Outcome] = []

    def roll_back_when_shifted(event: object) -> None:
        if isinstance(event, TrafficShifted) and not rolled_back:
            rolled_back.append(case.roll_back())

    outcome = case.deploy("v2", on_event=roll_back_when_shifted)
    assert rolled_back[0].exit_code == 0
    assert (outcome.exit_code, served(case)) == (12, ("v1", "v1"))
    assert not case.scaling().suspended.any


def test_a_firing_alarm_does_not_block_a_rollback() -> None:
    case = world()
    case.deploy("v2")
    case.simulator.cloudwatch.set_alarm("production-orders-error-rate", "ALARM")
    outcome = case.roll_back()
    assert (outcome.exit_code, served(case)) == (0, ("v1", "v1")), outcome.what


def test_a_rollback_reports_progress_like_a_release() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(until="traffic"))
    case.emitted.clear()
    case.roll_back()
    assert case.events(Shifting)[-1].rolls_back


@pytest.mark.parametrize(("seconds", "to"), [(10, None), (40, "v1"), (100, None)])
def test_a_rollback_stops_a_release_that_has_made_no_deployment_yet(seconds: float, to: str | None) -> None:
    """Users are on v1 all the while: they must neither meet v2 nor be sent to v0."""
    case = world()
    ended = ConcurrentReleases(case.simulator.clock).run(
        {
            "release": (0, lambda clock: case.deploy("v2", clock=clock)),
            "rollback": (seconds, lambda clock: case.roll_back(to, clock=clock)),
        }
    )
    assert {name: outcome.exit_code for name, outcome in ended.items()} == {"release": 15, "rollback": 0}
    assert ended["rollback"].what == "v1 serves all users; the release of v2 was stopped"
    assert served(case) == ("v1", "v1")
    assert not case.events(Shifting)
    assert not case.scaling().suspended.any
    assert case.lock_is_free()


def test_a_rollback_further_back_does_not_wait_for_a_release_that_has_just_begun() -> None:
    case = world()
    ended = ConcurrentReleases(case.simulator.clock).run(
        {
            "release": (0, lambda clock: case.deploy("v2", clock=clock)),
            "rollback": (40, lambda clock: case.roll_back("v0", clock=clock)),
        }
    )
    assert {name: outcome.exit_code for name, outcome in ended.items()} == {"release": 15, "rollback": 0}
    assert served(case) == ("v0", "v0")
    deployments = case.aws.codedeploy.deployments("production-orders", "production-orders")
    assert not [each for each in deployments if "release v2" in each.description]


def test_a_rollback_returns_the_worker_of_a_killed_release() -> None:
    case = world()
    with Process(case.simulator, writes=8) as process:
        case.deploy("v2", client_of=process.client_of)
    assert served(case) == ("v1", "v2")
    case.simulator.clock.sleep(600)
    outcome = case.roll_back()
    assert (outcome.exit_code, served(case)) == (0, ("v1", "v1")), outcome.what


def test_a_rollback_while_another_one_bakes_means_the_same() -> None:
    case = world()
    case.deploy("v2")
    first = case.roll_back(options=ReleaseOptions(until="traffic"))
    second = case.roll_back()
    assert (first.kind, second.kind, second.deployment_id) == ("traffic_shifted", "released", first.deployment_id)
    assert served(case) == ("v1", "v1")


def test_two_rollbacks_at_once_mean_the_same() -> None:
    case = world()
    case.deploy("v2")
    ended = ConcurrentReleases(case.simulator.clock).run(
        {name: (seconds, lambda clock: case.roll_back(clock=clock)) for name, seconds in (("first", 0), ("second", 5))}
    )
    assert {name: outcome.exit_code for name, outcome in ended.items()} == {"first": 0, "second": 10}
    assert served(case) == ("v1", "v1")


def test_rolling_back_to_the_serving_version_stops_the_deployment() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    case.simulator.clock.sleep(120)
    began = case.simulator.now()
    assert case.roll_back("v1").exit_code == 0
    assert (served(case), case.simulator.now() - began < timedelta(minutes=5)) == (("v1", "v1"), True)


def test_unrelated_problems_do_not_block_a_rollback() -> None:
    """An edit of platform.toml that is not applied, scaling that somebody suspended, a secret of the next version."""
    case = world()
    case.deploy("v2")
    suspended = Suspended(scale_in=True, scale_out=False, scheduled=False)
    case.aws.scaling.suspend(case.scaling().resource, suspended)
    assert case.spec.scaling is not None
    case.spec = replace(case.spec, scaling=replace(case.spec.scaling, max_tasks=case.spec.scaling.max_tasks + 1))
    case.emitted.clear()
    outcome = case.roll_back()
    assert (outcome.exit_code, served(case)) == (0, ("v1", "v1")), outcome.what
    skipped = {event.check.name for event in case.events(Checked) if event.check.status == "SKIP"}
    assert {"stack", "secrets", "scaling"} <= skipped
    assert case.scaling().suspended == suspended


@pytest.mark.parametrize("order", [ReleaseOptions(until="traffic"), ReleaseOptions(detach=True)], ids=["bake", "shift"])
def test_rolling_back_the_first_release_says_that_nothing_serves(order: ReleaseOptions) -> None:
    case = world(before=())
    case.deploy("v1", options=order)
    case.simulator.clock.sleep(60)
    outcome = case.roll_back()
    assert (outcome.kind, outcome.exit_code) == ("failed_rolled_back", 12)
    assert outcome.what == "nothing served before: the placeholder answers 503 to all users"
    assert outcome.release.version == "the placeholder"
    assert served(case) == ("production-orders-placeholder", "production-orders-placeholder")


def test_an_old_version_is_a_target_when_it_is_named() -> None:
    case = world(before=tuple(f"v{number}" for number in range(28)))
    with pytest.raises(NoRollbackTarget) as refused:
        case.roll_back("v99")
    assert "production-orders:23 (v22) and 19 more" in str(refused.value)
    outcome = case.roll_back("v0", options=ReleaseOptions(until="traffic"))
    assert (outcome.exit_code, served(case)) == (0, ("v0", "v0")), outcome.what


def deploy_in_console(case: World) -> None:
    """Create a deployment of the first version, outside this tool."""
    first = next(iter(case.simulator.codedeploy.deployments.values()))
    name = f"{case.environment.name}-{case.spec.name}"
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": first.content}}
    case.simulator.client("codedeploy").create_deployment(
        applicationName=name, deploymentGroupName=name, revision=revision
    )


@pytest.mark.parametrize("minutes", [1, 10], ids=["shift", "bake time"])
def test_a_deployment_that_was_created_in_the_console_is_rolled_back(minutes: int) -> None:
    case = world("users", "production")
    deploy_in_console(case)
    case.simulator.clock.sleep(minutes * 60)
    outcome = case.roll_back()
    assert (outcome.kind, outcome.what) == ("released", "v1 serves all users again")
    assert outcome.revision == case.serving().revision
    assert case.version_serving() == "v1"


def test_a_rollback_during_an_automatic_rollback_follows_it() -> None:
    case = world()
    case.deploy("v2", options=ReleaseOptions(detach=True))
    case.simulator.clock.sleep(240)
    (running,) = case.aws.codedeploy.deployments("production-orders", "production-orders", statuses=RUNNING)
    case.simulator.codedeploy.stop_manually(running.id)
    case.simulator.clock.sleep(1)
    outcome = case.roll_back()
    assert (outcome.kind, outcome.what) == ("released", "v1 serves all users again")
    assert served(case) == ("v1", "v1")
