"""How long CodeDeploy may take, who serves, when enough is known to stop: small decisions, by themselves."""

import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from platform_sdk.deploy.release.context import Interrupted, Interrupts, catching_signals
from platform_sdk.deploy.release.deployment import Seen, fails_alike
from platform_sdk.deploy.release.serving import serving_of
from platform_sdk.deploy.release.traffic_shift import minutes_of
from platform_sdk.deploy.state import (
    Deployment,
    DeploymentConfiguration,
    DeploymentGroup,
    DeploymentTarget,
    EcsService,
    LifecycleEvent,
    LifecycleStatus,
    ListenerRule,
    TargetGroup,
    TaskSet,
    TaskSetProgress,
)

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
GROUP = DeploymentGroup(
    name="g",
    application="g",
    role_arn="",
    configuration="c",
    cluster="c",
    service="s",
    target_groups=("blue", "green"),
    production_listener="l",
    test_listener="t",
    alarms=(),
    alarms_enabled=False,
    rollback_events=("DEPLOYMENT_FAILURE",),
    rollback_enabled=True,
    bake_minutes=15,
)
CANARY = DeploymentConfiguration(name="c", type="canary", percent=10, interval_minutes=5)
LINEAR = DeploymentConfiguration(name="c", type="linear", percent=10, interval_minutes=3)
AT_ONCE = DeploymentConfiguration(name="c", type="all_at_once", percent=100, interval_minutes=0)


@pytest.mark.parametrize(
    ("configuration", "hooks", "minutes"),
    [(CANARY, 0, 5 + 60 + 5 + 15 + 10), (LINEAR, 0, 5 + 60 + 9 * 3 + 15 + 10), (AT_ONCE, 2, 5 + 60 + 120 + 15 + 10)],
)
def test_a_deadline_is_the_sum_of_what_codedeploy_waits_for(
    configuration: DeploymentConfiguration, hooks: int, minutes: int
) -> None:
    assert minutes_of(GROUP, configuration, hooks) == minutes


def test_three_failures_of_one_kind_are_enough() -> None:
    assert not fails_alike(["a", "b", "a", "b"])
    assert fails_alike(["a", "b", "a", "a"])


def seen(percent: float, allow: LifecycleStatus, after: LifecycleStatus) -> Seen:
    green = TaskSetProgress(
        label="Green", id="t", status="PRIMARY", target_group="green", traffic_percent=percent, desired=1, running=1,
        pending=0,
    )  # fmt: skip
    events = [("AllowTraffic", allow), ("AfterAllowTraffic", after)]
    lifecycle = tuple(
        LifecycleEvent(name=name, status=status, started_at=None, ended_at=None, message="") for name, status in events
    )
    deployment = Deployment(
        id="d-1", status="InProgress", creator="user", description="", application="g", group="g", configuration="c",
        created_at=NOW, started_at=None, completed_at=None, error_code="", error_message="", rolled_back_by="",
        rolls_back="", rollback_message="", bake_minutes=15,
    )  # fmt: skip
    return Seen(
        deployment=deployment, target=DeploymentTarget(status="InProgress", lifecycle=lifecycle, task_sets=(green,))
    )


def test_all_traffic_has_shifted_when_what_is_done_after_it_has_succeeded_too() -> None:
    assert seen(100, "Succeeded", "Succeeded").has_all_traffic
    assert seen(100, "Succeeded", "Skipped").has_all_traffic
    assert not seen(100, "Succeeded", "InProgress").has_all_traffic
    assert not seen(100, "InProgress", "Pending").has_all_traffic
    assert not seen(10, "InProgress", "Pending").has_all_traffic
    assert not replace(seen(100, "Succeeded", "Succeeded"), target=None).has_all_traffic


def task_set(revision: str, group: str) -> TaskSet:
    return TaskSet(
        id=revision, status="PRIMARY", task_definition=revision, target_group=group, desired=1, running=1, pending=0,
        steady=True,
    )  # fmt: skip


def service(*sets: TaskSet) -> EcsService:
    return EcsService(
        name="s", arn="s", status="ACTIVE", controller="CODE_DEPLOY", task_definition="r", desired=1, running=1,
        pending=0, platform_version="1.4.0", subnets=(), security_groups=(), grace_period_seconds=0, task_sets=sets,
        deployments=(), events=(),
    )  # fmt: skip


GROUPS = tuple(
    TargetGroup(name=name, arn=name, port=80, health_path="/", load_balancers=()) for name in ("blue", "green")
)


@pytest.mark.parametrize(
    ("weights", "percent"),
    [({"blue": 100, "green": 0}, 100), ({"blue": 1}, 100), ({"blue": 90, "green": 10}, 90), ({"green": 1}, 0), ({}, 0)],
)
def test_who_serves_is_the_primary_task_set_by_the_weight_of_its_target_group(
    weights: dict[str, int], percent: int
) -> None:
    rule = ListenerRule(arn="r", listener="l", priority="1", paths=("/s",), weights=weights)
    serving = serving_of(service(task_set("s:7", "blue")), (rule,), GROUPS)
    assert (serving.revision, serving.percent) == ("s:7", percent)
    assert serving.is_all("s:7") is (percent == 100)


def test_a_service_without_a_primary_task_set_serves_nobody() -> None:
    assert not serving_of(service(), (), GROUPS).is_all("")


def test_a_signal_interrupts_at_the_next_step_and_the_second_exits_at_once() -> None:
    left: list[int] = []
    interrupts = Interrupts(leave=left.append)
    interrupts.check()
    interrupts.arrive(signal.SIGTERM)
    with pytest.raises(Interrupted):
        interrupts.check()
    interrupts.check()
    interrupts.arrive(signal.SIGINT)
    assert left == [130]


def test_signals_are_caught_while_a_release_runs_and_handlers_are_restored() -> None:
    interrupts, before = Interrupts(), signal.getsignal(signal.SIGTERM)
    with catching_signals(interrupts):
        signal.raise_signal(signal.SIGTERM)
    assert interrupts.signal_number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
