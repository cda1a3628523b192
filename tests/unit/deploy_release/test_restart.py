"""A restart: new tasks of the revision that serves, by the same safe shift as a release."""

from dataclasses import replace
from typing import Any

import pytest

from aws_simulator import Behaviour
from aws_simulator.ecr import Ecr
from aws_simulator.secrets_and_parameters import SecretsManager
from platform_sdk.deploy.release.events import Checked, Registered, ReleaseEvent, TrafficShifted
from platform_sdk.deploy.release.history import history, parse_description
from platform_sdk.deploy.release.outcome import ReleaseOptions
from platform_sdk.deploy.release.rollback_target import NothingToRestart
from platform_sdk.deploy.render.names import cluster_name, service_name, worker_service_name
from tests.support.releases import World, world

CRASHES = Behaviour(kind="crashes", log_lines=("password authentication failed",))


def behave(case: World, tag: str, behaviour: Behaviour) -> None:
    """Let the tasks that start from now on behave so."""
    image = case.simulator.service(Ecr).repositories[case.spec.name].find({"imageTag": tag})
    assert image is not None
    case.simulator.images[image.digest] = behaviour


def settled(service: str) -> World:
    """Return a world in which the tasks of the version before have stopped."""
    case = world(service)
    case.simulator.clock.sleep(300)
    return case


def running_tasks(case: World) -> set[str]:
    cluster = cluster_name(case.environment)
    names = (service_name(case.spec, case.environment), worker_service_name(case.spec, case.environment))
    return {task.arn for name in names for task in case.aws.ecs.tasks(cluster, service=name, stopped=False)}


@pytest.mark.parametrize("service", ["orders", "users"])
def test_a_restart_replaces_every_task_and_keeps_the_revision(service: str) -> None:
    case = world(service)
    before, revision = running_tasks(case), case.serving().revision
    outcome = case.restart()
    assert (outcome.exit_code, outcome.what) == (0, "v1 serves all users with new tasks")
    assert case.serving().is_all(revision)
    assert case.worker_version() in ("v1", "")
    after = running_tasks(case)
    assert after
    assert not after & before
    assert not case.events(Registered)
    assert [stage.status for stage in outcome.stages if stage.name == "migrate"] == ["skipped"]
    assert not case.scaling().suspended.any
    assert case.lock_is_free()


def test_a_restart_is_shown_in_the_history() -> None:
    case = world()
    case.restart()
    name = service_name(case.spec, case.environment)
    newest = next(history(case.aws.codedeploy.deployments(name, name), ""))
    assert (newest.what, newest.version, newest.by, newest.ended) == ("restart", "v1", "oncall", "Succeeded")


@pytest.mark.parametrize("service", ["orders", "users"])
def test_a_second_restart_replaces_the_tasks_again(service: str) -> None:
    case = world(service)
    case.restart()
    between = running_tasks(case)
    assert case.restart().exit_code == 0
    assert not running_tasks(case) & between


def test_a_worker_that_fails_to_restart_leaves_the_version_serving() -> None:
    case = world()
    behave(case, "v1", CRASHES)
    before = running_tasks(case)
    outcome = case.restart()
    assert outcome.kind == "failed_rolled_back"
    assert outcome.what.startswith("v1 serves all users, and the worker runs it too; the worker's new tasks failed")
    assert outcome.explanation is not None
    assert "password authentication failed" in "\n".join(outcome.explanation.evidence)
    assert outcome.deployment_id == ""
    assert (case.version_serving(), case.worker_version()) == ("v1", "v1")
    name = service_name(case.spec, case.environment)
    tasks = case.aws.ecs.tasks(cluster_name(case.environment), service=name, stopped=False)
    assert {task.arn for task in tasks} <= before


def test_a_restart_whose_new_tasks_fail_leaves_the_original_tasks_serving() -> None:
    case = settled("users")
    behave(case, "v1", CRASHES)
    before = running_tasks(case)
    outcome = case.restart()
    assert outcome.kind == "failed_rolled_back"
    assert outcome.what.startswith("the original tasks serve all users, with v1 as ")
    assert outcome.duration_seconds < 10 * 60
    assert outcome.explanation is not None
    assert running_tasks(case) == before
    assert case.version_serving() == "v1"


def test_a_restart_that_fails_in_the_shift_returns_users_to_the_original_tasks() -> None:
    case = settled("users")
    behave(case, "v1", Behaviour(kind="answers_500"))
    before = running_tasks(case)
    outcome = case.restart()
    assert (outcome.exit_code, running_tasks(case)) == (12, before)
    assert outcome.what.startswith("the original tasks serve all users, with v1 as ")


@pytest.mark.parametrize("service", ["orders", "users"])
def test_a_restart_after_a_failed_one_succeeds(service: str) -> None:
    case = world(service)
    behave(case, "v1", CRASHES)
    before = running_tasks(case)
    assert case.restart().exit_code == 12
    behave(case, "v1", Behaviour())
    case.simulator.clock.sleep(120)
    assert case.restart().exit_code == 0
    assert not running_tasks(case) & before


def test_a_deployment_that_was_not_rolled_back_is_not_called_the_original_tasks() -> None:
    """One revision runs on both sides: only the task sets tell who serves."""
    case = world("users")
    stopped: list[str] = []

    def stop_in_the_bake_time(event: ReleaseEvent) -> None:
        if isinstance(event, TrafficShifted) and not stopped:
            stopped.append(event.deployment_id)
            case.simulator.codedeploy.stop_manually(event.deployment_id, roll_back=False)

    outcome = case.restart(on_event=stop_in_the_bake_time)
    assert stopped
    assert "original tasks serve" not in outcome.what


def test_an_answer_from_before_the_update_is_not_taken_for_its_end() -> None:
    """ECS's answers are eventually consistent: the first one after the update still shows the tasks before."""
    case = settled("orders")
    worker, answers, updated = worker_service_name(case.spec, case.environment), list[Any](), list[bool]()

    def answer_as_before(parsed: dict[str, Any], **_: Any) -> None:
        if [each["serviceName"] for each in parsed["services"]] != [worker]:
            return
        if updated:
            updated.clear()
            parsed["services"] = answers[-1]
        answers.append(parsed["services"])

    def client_of(service: str) -> Any:
        client = case.simulator.client(service)
        if service == "ecs":
            client.meta.events.register("after-call.ecs.DescribeServices", answer_as_before)
            client.meta.events.register("after-call.ecs.UpdateService", lambda **_: updated.append(True))
        return client

    outcome = case.restart(client_of=client_of)
    assert (outcome.exit_code, bool(answers), updated) == (0, True, []), outcome.what


def test_a_restart_uses_what_the_revision_was_released_with() -> None:
    case = world()
    case.spec = replace(
        case.spec, port=8080, hooks={"AfterAllowTraffic": "not-there-yet"}, environment={"NEW": "variable"}
    )
    assert case.restart().exit_code == 0
    assert "not-there-yet" not in appspec_of_last_deployment(case)
    assert case.version_serving() == "v1"


def test_a_service_without_a_release_has_nothing_to_restart() -> None:
    case = world(before=())
    with pytest.raises(NothingToRestart, match="no tasks to restart") as caught:
        case.restart()
    assert "platform deploy orders --env production" in (caught.value.hint or "")


def test_a_restart_is_refused_if_a_secret_of_the_revision_is_gone() -> None:
    case = world("users")
    secrets = case.simulator.service(SecretsManager)
    secrets.delete_secret({"SecretId": "platform/production/users/token_signing_key"})
    before = running_tasks(case)
    outcome = case.restart()
    assert (outcome.exit_code, running_tasks(case)) == (11, before)
    failed = [event.check for event in case.events(Checked) if event.check.status == "FAIL"]
    assert [check.name for check in failed] == ["secrets"]
    assert "token_signing_key" in failed[0].reason


def test_deploy_and_rollback_name_the_restart_where_there_is_nothing_to_do() -> None:
    case = world()
    case.deploy("v2")
    for outcome in (case.deploy("v2"), case.roll_back("v2")):
        assert outcome.exit_code == 10
        assert "`platform restart orders --env production` starts its tasks anew" in outcome.what


@pytest.mark.parametrize("service", ["orders", "users"])
def test_deploy_with_force_releases_what_serves_already(service: str) -> None:
    case = world(service)
    case.deploy("v2")
    before = running_tasks(case)
    outcome = case.deploy("v2", options=ReleaseOptions(force=True))
    assert (outcome.exit_code, case.version_serving()) == (0, "v2")
    assert not running_tasks(case) & before


def test_a_detached_restart_is_followed_by_wait() -> None:
    case = world()
    began = case.restart(options=ReleaseOptions(detach=True))
    assert began.kind == "detached"
    outcome = case.wait(began.deployment_id)
    assert (outcome.exit_code, outcome.release.kind) == (0, "restart")
    assert outcome.what == "v1 serves all users with new tasks"


def test_a_restart_that_fails_unseen_is_reported_by_wait() -> None:
    case = world("users")
    behave(case, "v1", CRASHES)
    began = case.restart(options=ReleaseOptions(detach=True))
    outcome = case.wait(began.deployment_id)
    assert outcome.kind == "failed_rolled_back"
    assert outcome.what.startswith("the original tasks serve all users, with v1 as ")


def test_a_rollback_stops_a_running_restart() -> None:
    case = settled("users")
    before = running_tasks(case)
    case.restart(options=ReleaseOptions(detach=True))
    outcome = case.roll_back()
    assert (outcome.exit_code, outcome.what) == (0, "v1 serves all users again")
    assert running_tasks(case) == before


def test_a_restart_waits_for_a_release_and_restarts_what_then_serves() -> None:
    case = world("users")
    case.deploy("v2", options=ReleaseOptions(detach=True))
    outcome = case.restart()
    assert (outcome.exit_code, outcome.what) == (0, "v2 serves all users with new tasks")


def appspec_of_last_deployment(case: World) -> str:
    name = service_name(case.spec, case.environment)
    newest = case.aws.codedeploy.deployments(name, name, most=1)[0]
    described = parse_description(newest.description)
    assert described is not None
    assert described.kind == "restart"
    return case.aws.codedeploy.appspec_of(newest.id) or ""
