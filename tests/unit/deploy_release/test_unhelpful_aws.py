"""The main stories of releases where AWS promises as little as its documents do.

Lists are in any order, reads miss the write before them, and what is to be stopped goes on for a while.
"""

import pytest

from aws_simulator import Behaviour, Conditions
from platform_sdk.deploy.release.outcome import ReleaseOptions
from tests.support.releases import World, world

SEEDS = (1, 2)


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed-{seed}")
def case(request: pytest.FixtureRequest) -> World:
    made = world()
    made.simulator.conditions = Conditions(
        seed=request.param, shuffles=True, consistency_delay_seconds=15, stop_seconds=90, rollback_request_seconds=30
    )
    return made


def started_migrations(case: World) -> int:
    return sum(call.operation == "RunTask" for call in case.simulator.calls)


def assert_serves(case: World, version: str) -> None:
    case.simulator.conditions = Conditions()
    assert (case.version_serving(), case.worker_version()) == (version, version)
    assert not case.scaling().suspended.any
    assert case.lock_is_free()


def test_a_good_release(case: World) -> None:
    outcome = case.deploy("v2")
    assert (outcome.kind, outcome.what) == ("released", "v2 serves all users")
    assert started_migrations(case) == 1
    assert_serves(case, "v2")


def test_a_release_of_the_same_version_again(case: World) -> None:
    case.deploy("v2")
    outcome = case.deploy("v2")
    assert outcome.kind == "nothing_to_do"
    assert_serves(case, "v2")


def test_a_worker_that_crashes(case: World) -> None:
    outcome = case.deploy("v2", Behaviour(kind="crashes"))
    assert outcome.kind == "failed_rolled_back", outcome.what
    assert_serves(case, "v1")


def test_an_api_that_never_becomes_healthy(case: World) -> None:
    outcome = case.deploy("v2", Behaviour(kind="never_healthy"))
    assert outcome.kind == "failed_rolled_back", outcome.what
    assert_serves(case, "v1")


def test_an_api_that_answers_errors_to_its_users(case: World) -> None:
    outcome = case.deploy("v2", Behaviour(kind="answers_500"))
    assert outcome.kind == "failed_rolled_back", outcome.what
    assert_serves(case, "v1")


def test_a_rollback_and_a_way_forward_again(case: World) -> None:
    case.deploy("v2")
    back = case.roll_back()
    assert back.kind == "released", back.what
    assert case.deploy("v3").kind == "released"
    assert_serves(case, "v3")


def test_a_migration_that_fails(case: World) -> None:
    outcome = case.deploy("v2", Behaviour(migration_exit_code=3))
    assert outcome.kind == "failed_rolled_back", outcome.what
    assert "exit 3" in outcome.what
    assert started_migrations(case) == 1
    assert_serves(case, "v1")


@pytest.mark.parametrize(("service", "operation"), [("ecs", "UpdateService"), ("codedeploy", "CreateDeployment")])
def test_a_write_whose_answer_is_lost_is_not_made_twice(case: World, service: str, operation: str) -> None:
    simulator = case.simulator
    before = len(simulator.codedeploy.deployments), len(simulator.ecs.service_deployments)
    simulator.fail(service, operation, how="answer_lost")
    outcome = case.deploy("v2")
    after = len(simulator.codedeploy.deployments), len(simulator.ecs.service_deployments)
    assert outcome.kind == "released", outcome.what
    assert after == (before[0] + 1, before[1] + 1)
    assert_serves(case, "v2")


def test_a_release_that_supersedes_another_one(case: World) -> None:
    case.deploy("v2", Behaviour(kind="never_healthy"), options=ReleaseOptions(detach=True))
    case.simulator.clock.sleep(60)
    outcome = case.deploy("v3", options=ReleaseOptions(if_busy="supersede"))
    assert outcome.kind == "released", outcome.what
    assert_serves(case, "v3")
