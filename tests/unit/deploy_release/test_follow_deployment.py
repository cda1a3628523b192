"""Following a deployment through an AWS that is busy, away, or slower than its own limits."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.deployment import follow, traffic_baseline
from platform_sdk.deploy.release.events import Shifting, Warned
from platform_sdk.deploy.release.outcome import ReleaseOptions
from platform_sdk.deploy.release.traffic_shift import following_of
from tests.support.releases import World, world


def test_a_deployment_does_not_end_because_aws_is_busy_and_neither_does_following_it() -> None:
    case = world()
    case.simulator.fail("codedeploy", "GetDeployment", how="throttled", times=10, after=5)
    case.simulator.fail("codedeploy", "GetDeployment", how="server_error", times=10, after=40)
    outcome = case.deploy("v2")
    assert (outcome.exit_code, case.version_serving()) == (0, "v2")
    assert len(case.events(Warned)) == 20


def test_after_minutes_without_an_answer_the_release_ends_with_the_command_to_resume() -> None:
    case = world()
    case.simulator.fail("codedeploy", "GetDeployment", how="timeout", times=1_000, after=5)
    outcome = case.deploy("v2")
    assert (outcome.kind, outcome.exit_code) == ("timed_out", 14)
    assert outcome.resume == f"platform wait {outcome.deployment_id} --env production"
    assert not case.scaling().suspended.any
    case.simulator.heal()
    later = case.wait(outcome.deployment_id)
    assert (later.exit_code, case.version_serving(), case.worker_version()) == (0, "v2", "v2")


def looking_at(case: World) -> ReleaseContext:
    context = case.context()
    context.start(case.release_of("v2", case.push("v2")))
    return context


def test_a_deployment_that_exceeds_its_limits_is_left_running() -> None:
    case = world()
    outcome = case.deploy("v2", options=ReleaseOptions(detach=True))
    releasing = looking_at(case)
    following = following_of(releasing, outcome.deployment_id, outcome.revision, traffic_baseline(releasing.observe()))
    late = replace(following, deadline=case.simulator.now() + timedelta(seconds=20))
    with pytest.raises(ReleaseEnded) as ended:
        follow(releasing, late, "done")
    assert ended.value.kind == "timed_out"
    assert "longer than its own limits" in ended.value.what


def test_best_effort_reads_may_fail() -> None:
    case = world()
    for service, operation in (
        ("codedeploy", "GetDeploymentTarget"),
        ("elbv2", "DescribeTargetHealth"),
        ("ecs", "ListTasks"),
    ):
        case.simulator.fail(service, operation, how="denied", times=10_000)
    outcome = case.deploy("v2")
    assert (outcome.exit_code, case.version_serving()) == (0, "v2")
    assert {event.target for event in case.events(Shifting)} == {None}


def test_polls_are_frequent_at_first_and_rare_while_it_bakes() -> None:
    case = world()
    case.deploy("v2")
    moments = [event.at for event in case.events(Shifting)]
    gaps = [round((after - before).total_seconds()) for before, after in pairwise(moments)]
    assert list(dict.fromkeys(gap for gap in gaps if gap)) == [5, 10, 15]
