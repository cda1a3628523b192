"""Releases that ended before their deployment are in the history; deployments from the console can be followed."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aws_simulator import Behaviour
from platform_sdk.cli.operate import entries_of
from platform_sdk.deploy.aws.dynamodb_locks import Locks
from platform_sdk.deploy.release.history import Entry, as_table
from platform_sdk.deploy.release.lock import MAX_ENDED_EARLY, read_early_ends, record_early_end
from platform_sdk.deploy.release.outcome import EndedEarly, ReleaseOptions
from platform_sdk.deploy.release.resume import NotARelease, wait
from platform_sdk.deploy.render.codedeploy import appspec_of, deployment_request, render_appspec
from platform_sdk.deploy.render.names import arn
from tests.support.releases import World, world

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def history(case: World) -> list[Entry]:
    return entries_of(case.spec, case.environment, case.aws, 10, case.simulator.now())


def newest(case: World) -> Entry:
    return history(case)[0]


def test_a_release_that_preflight_refused_is_in_the_history() -> None:
    case = world("users")
    case.simulator.cloudwatch.set_alarm("production-users-error-rate", "ALARM")
    assert case.deploy("v2").exit_code == 11
    entry = newest(case)
    assert (entry.what, entry.version, entry.by, entry.deployment_id) == ("release", "v2", "ci", "")
    assert (entry.ended, entry.detail) == ("refused at checks", "refused before anything was changed: alarms")
    assert "refused at checks" in as_table(history(case))
    assert json.loads(json.dumps(entry.as_json()))["detail"] == entry.detail


def test_a_release_that_failed_at_its_migration_is_in_the_history() -> None:
    case = world("users")
    case.deploy("v2", Behaviour(migration_exit_code=3))
    assert newest(case).ended == "failed rolled back at migrate"
    assert newest(case).detail.startswith("the migration failed (exit 3)")


def test_a_release_that_failed_at_its_worker_is_there_once_and_names_who_released() -> None:
    case = world()
    case.deploy("v2", Behaviour(kind="crashes"))
    found = [entry for entry in history(case) if entry.version == "v2"]
    assert [(entry.by, entry.revision) for entry in found] == [("ci", "production-orders-worker:3")]


def test_a_release_that_waited_for_the_lock_in_vain_is_in_the_history() -> None:
    case = world("users")
    case.deploy("v2", options=ReleaseOptions(detach=True))
    case.simulator.clock.sleep(5)
    assert case.deploy("v3", options=ReleaseOptions(if_busy="fail")).exit_code in (11, 16)
    assert newest(case).version == "v3"


def test_a_release_with_a_deployment_and_one_with_nothing_to_do_are_not_recorded() -> None:
    case = world("users")
    case.deploy("v2")
    assert case.deploy("v2").exit_code == 10
    assert read_early_ends(case.aws.locks, case.environment, "users") == ()


def test_a_record_that_may_not_be_written_changes_no_outcome() -> None:
    case = world("users")
    case.simulator.cloudwatch.set_alarm("production-users-error-rate", "ALARM")
    case.simulator.fail("dynamodb", "GetItem", how="denied", times=9)
    assert case.deploy("v2").exit_code == 11


def early(number: int) -> EndedEarly:
    return EndedEarly(
        at=NOW,
        seconds=1,
        kind="release",
        version=f"v{number}",
        commit="",
        by="ci",
        ended="refused",
        at_stage="checks",
        what="no",
    )


def test_the_newest_are_kept() -> None:
    case = world("users")
    for number in range(MAX_ENDED_EARLY + 3):
        record_early_end(case.aws.locks, case.environment, "users", early(number))
    kept = read_early_ends(case.aws.locks, case.environment, "users")
    assert [each.version for each in kept] == [f"v{number}" for number in range(MAX_ENDED_EARLY + 2, 2, -1)]


class Interleaved(Locks):
    """Another release writes between our reading and our writing, once."""

    def __init__(self, case: World) -> None:
        super().__init__(case.aws.locks.client)
        self.case = case
        self.done = False

    def replace_text(self, table: str, name: str, text: str, *, before: str) -> bool:
        if not self.done:
            self.done = True
            record_early_end(self.case.aws.locks, self.case.environment, "users", early(1))
        return super().replace_text(table, name, text, before=before)


def test_two_that_end_at_the_same_time_are_both_recorded() -> None:
    case = world("users")
    record_early_end(Interleaved(case), case.environment, "users", early(2))
    assert [each.version for each in read_early_ends(case.aws.locks, case.environment, "users")] == ["v2", "v1"]


# Deployments that somebody made in the console.


def from_the_console(case: World, tag: str, behaviour: Behaviour) -> str:
    """Deploy a revision that a release registered, as a person does: without our description."""
    case.deploy(tag, Behaviour(kind="never_healthy"))
    case.simulator.images[case.images[tag].rpartition("@")[2]] = behaviour
    case.simulator.clock.sleep(600)
    revision = arn(case.environment, "ecs", f"task-definition/production-{case.spec.name}:3")
    template = case.context().appspec_template
    appspec = render_appspec(template, appspec_of(case.spec, case.environment), revision)
    request = deployment_request(appspec, case.spec, case.environment, "")
    return str(case.simulator.client("codedeploy").create_deployment(**request)["deploymentId"])


def test_wait_follows_a_deployment_from_the_console() -> None:
    case = world("users")
    id = from_the_console(case, "v2", Behaviour())
    outcome = case.wait(id)
    assert (outcome.kind, outcome.exit_code, outcome.what) == ("released", 0, "v2 serves all users")
    assert case.version_serving() == "v2"


def test_wait_reports_that_a_deployment_from_the_console_failed_and_does_not_stop_it() -> None:
    case = world("users")
    id = from_the_console(case, "v2", Behaviour(kind="crashes", log_lines=("KeyError: 'X'",)))
    stops = [call.operation for call in case.simulator.calls].count("StopDeployment")
    outcome = case.wait(id)
    assert (outcome.exit_code, case.version_serving()) == (12, "v1")
    assert outcome.explanation is not None
    assert "KeyError" in outcome.explanation.cause
    assert [call.operation for call in case.simulator.calls].count("StopDeployment") == stops


def rollback_of(case: World, id: str) -> str:
    """Wait until CodeDeploy rolls a deployment back, and return the deployment that does it."""
    while True:
        deployment = case.aws.codedeploy.deployment(id)
        assert deployment is not None
        if deployment.has_ended and deployment.rolled_back_by:
            return deployment.rolled_back_by
        case.simulator.clock.sleep(10)


def test_waiting_for_codedeploys_own_rollback_follows_the_release_that_it_rolls_back() -> None:
    case = world()
    began = case.deploy("v2", Behaviour(kind="answers_500"), options=ReleaseOptions(detach=True))
    assert began.resume is not None
    id = began.resume.split()[2]
    outcome = case.wait(rollback_of(case, id))
    assert (outcome.exit_code, outcome.deployment_id) == (12, id)
    assert (case.version_serving(), case.worker_version()) == ("v1", "v1")


@pytest.mark.parametrize("creator", ["", "user"])
def test_a_deployment_whose_appspec_aws_does_not_keep_is_refused_with_the_next_command(creator: str) -> None:
    case = world("users")
    id = from_the_console(case, "v2", Behaviour())
    deployment = case.aws.codedeploy.deployment(id)
    assert deployment is not None
    gone = replace(deployment, id="d-UNKNOWN00", creator=creator)
    with pytest.raises(NotARelease) as refused:
        wait(gone, case.context())
    assert "platform status users --env production" in str(refused.value)
