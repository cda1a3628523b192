"""A revision is used again: a retry after a failure, and a rollback, when platform.toml or the world has changed."""

from dataclasses import replace

import pytest

from aws_simulator import Behaviour
from aws_simulator.ecr import Ecr
from platform_sdk.deploy.apply import LockOptions, apply_service
from platform_sdk.deploy.release.events import Checked, Warned
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.outcome import ReleaseOptions
from platform_sdk.deploy.render.names import cluster_name, service_name
from tests.support.applying import Applying
from tests.support.releases import World, world

CRASHES = Behaviour(kind="crashes", log_lines=("could not connect to the database",))


def behave(case: World, tag: str, behaviour: Behaviour) -> None:
    """Let the tasks that start from now on behave so, whatever the image did before."""
    image = case.simulator.service(Ecr).repositories[case.spec.name].find({"imageTag": tag})
    assert image is not None
    case.simulator.images[image.digest] = behaviour


def stop_tasks(case: World, tag: str) -> None:
    """Let the tasks of a version end, as in an incident; ECS starts others."""
    ecs, cluster = case.aws.ecs, cluster_name(case.environment)
    name = service_name(case.spec, case.environment)
    for task in ecs.tasks(cluster, service=name, stopped=False):
        if case.version_of(task.task_definition) == tag:
            case.simulator.client("ecs").stop_task(cluster=cluster, task=task.arn, reason="an incident")


@pytest.mark.parametrize("service", ["orders", "users"])
def test_a_retry_after_a_failure_counts_only_its_own_tasks(service: str) -> None:
    case = world(service)
    assert case.deploy("v2", CRASHES).kind == "failed_rolled_back"
    behave(case, "v2", Behaviour())
    case.simulator.clock.sleep(120)
    outcome = case.deploy("v2")
    assert (outcome.exit_code, case.version_serving()) == (0, "v2")
    assert case.worker_version() in ("v2", "")


@pytest.mark.parametrize("service", ["orders", "users"])
def test_a_retry_that_fails_again_is_explained_by_its_own_tasks(service: str) -> None:
    case = world(service)
    case.deploy("v2", CRASHES)
    behave(case, "v2", replace(CRASHES, log_lines=("no such table",)))
    case.simulator.clock.sleep(120)
    outcome = case.deploy("v2")
    assert (outcome.kind, case.version_serving()) == ("failed_rolled_back", "v1")
    assert outcome.explanation is not None
    shown = "\n".join(outcome.explanation.evidence)
    assert "no such table" in shown
    assert "could not connect" not in shown


def test_a_version_that_crashed_in_an_incident_is_rolled_back_to() -> None:
    case = world()
    behave(case, "v1", CRASHES)
    stop_tasks(case, "v1")
    case.simulator.clock.sleep(240)
    behave(case, "v1", Behaviour())
    case.simulator.clock.sleep(600)
    assert case.deploy("v2").exit_code == 0
    outcome = case.roll_back()
    assert (outcome.exit_code, case.version_serving(), case.worker_version()) == (0, "v1", "v1")


def test_a_release_that_is_followed_by_another_process_is_judged_by_all_of_its_tasks() -> None:
    """Its tasks have failed before anybody looks."""
    case = world("users")
    began = case.deploy("v2", CRASHES, options=ReleaseOptions(detach=True))
    assert began.resume is not None
    case.simulator.clock.sleep(150)
    outcome = case.wait(began.resume.split()[2])
    assert (outcome.kind, case.version_serving()) == ("failed_rolled_back", "v1")
    assert outcome.explanation is not None
    assert "could not connect to the database" in "\n".join(outcome.explanation.evidence)


def test_a_rollback_uses_the_port_that_the_revision_was_released_with() -> None:
    case = world()
    case.spec = replace(case.spec, port=8080)
    apply_stack(case)
    assert case.deploy("v2").exit_code == 0
    outcome = case.roll_back()
    assert (outcome.exit_code, case.version_serving()) == (0, "v1")


def test_a_rollback_ignores_hooks_that_were_added_since() -> None:
    case = world()
    case.deploy("v2")
    case.spec = replace(case.spec, hooks={**case.spec.hooks, "AfterAllowTraffic": "not-there-yet"})
    outcome = case.roll_back()
    assert (outcome.exit_code, case.version_serving()) == (0, "v1")
    assert "not-there-yet" not in appspec_of_last_deployment(case)


def world_whose_hook_was_removed() -> World:
    """Return a world in which v1 was released with a hook, and v2, which serves, without one."""
    case = world(before=("v0",))
    case.simulator.set_hook("own-check")
    case.spec = replace(case.spec, hooks={"AfterAllowTestTraffic": "own-check"})
    apply_stack(case)
    assert case.deploy("v1").exit_code == 0
    case.spec = replace(case.spec, hooks={})
    apply_stack(case)
    case.deploy("v2")
    return case


def test_a_rollback_calls_the_hooks_that_the_revision_was_released_with() -> None:
    case = world_whose_hook_was_removed()
    assert case.roll_back().exit_code == 0
    assert "own-check" in appspec_of_last_deployment(case)


def test_a_rollback_leaves_out_a_hook_whose_function_is_gone_and_says_so() -> None:
    case = world_whose_hook_was_removed()
    case.simulator.hooks.clear()
    assert (case.roll_back().exit_code, case.version_serving()) == (0, "v1")
    assert "own-check" not in appspec_of_last_deployment(case)
    assert any("own-check" in event.what for event in case.events(Warned))


def test_a_rollback_to_an_image_of_another_architecture_is_not_refused() -> None:
    case = world()
    case.deploy("v2")
    case.spec = replace(case.spec, task=replace(case.spec.task, architecture="arm64"))
    outcome = case.roll_back()
    assert (outcome.exit_code, case.version_serving()) == (0, "v1")
    assert [event.check.status for event in case.events(Checked) if event.check.name == "image"] == ["OK", "OK"]


def apply_stack(case: World) -> None:
    """Apply platform.toml as it is now."""
    context = Applying(simulator=case.simulator).context()
    apply_service(case.spec, case.environment, context, LockOptions(owner="me", wait_minutes=1))


def appspec_of_last_deployment(case: World) -> str:
    name = service_name(case.spec, case.environment)
    newest = case.aws.codedeploy.deployments(name, name, most=1)[0]
    assert parse_description(newest.description) is not None
    return case.aws.codedeploy.appspec_of(newest.id) or ""
