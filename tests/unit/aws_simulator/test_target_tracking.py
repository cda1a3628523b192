"""Policies of target tracking: their alarms, and how they move the desired count."""

from typing import Any

import pytest

from tests.unit.aws_simulator.conftest import CLUSTER, NAME, Stage
from tests.unit.aws_simulator.test_observed_services import RESOURCE, TARGET

CPU: dict[str, Any] = {
    "TargetValue": 50.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}
REQUESTS: dict[str, Any] = {
    "TargetValue": 1000.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"},
}


@pytest.fixture
def tracked(stage: Stage) -> Stage:
    """Two tasks, of which each should use half of its CPU."""
    client = stage.client("application-autoscaling")
    client.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=8)
    track(stage, "cpu", CPU)
    stage.clock.sleep(60)
    return stage


def track(stage: Stage, name: str, configuration: dict[str, Any], **changed: Any) -> dict[str, Any]:
    answer: dict[str, Any] = stage.client("application-autoscaling").put_scaling_policy(
        **TARGET,
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={**configuration, **changed},
    )
    return answer


def carry(stage: Stage, minutes: int, **loads: float) -> int:
    """Let the service carry the loads for so many minutes, and return its desired count then."""
    stage.simulator.conditions.loads[RESOURCE] = loads
    stage.clock.sleep(60 * minutes)
    return int(stage.service()["desiredCount"])


def states(stage: Stage) -> list[str]:
    found = stage.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"TargetTracking-{RESOURCE}")["MetricAlarms"]
    return [alarm["StateValue"] for alarm in sorted(found, key=lambda alarm: str(alarm["AlarmName"]))]


def test_a_policy_has_two_alarms_until_it_is_deleted(stage: Stage) -> None:
    client = stage.client("application-autoscaling")
    client.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=8)
    made = track(stage, "cpu", CPU)["Alarms"]
    assert track(stage, "cpu", CPU, TargetValue=60.0)["Alarms"] == made
    assert [alarm["AlarmName"].split("-Alarm")[1].split("-")[0] for alarm in made] == ["High", "Low"]
    assert states(stage) == ["INSUFFICIENT_DATA"] * 2
    client.delete_scaling_policy(**TARGET, PolicyName="cpu")
    assert states(stage) == []
    track(stage, "cpu", CPU)
    client.deregister_scalable_target(**TARGET)
    assert states(stage) == []


def test_nothing_scales_without_data(tracked: Stage) -> None:
    tracked.clock.sleep(3600)
    assert (tracked.service()["desiredCount"], states(tracked)) == (2, ["INSUFFICIENT_DATA"] * 2)


def test_three_minutes_above_the_target_scale_out_in_proportion(tracked: Stage) -> None:
    assert carry(tracked, 2, cpu=190) == 2
    assert carry(tracked, 1, cpu=190) == 4
    assert states(tracked)[0] == "ALARM"
    assert carry(tracked, 5, cpu=190) == 4
    assert states(tracked) == ["OK", "OK"]


def test_the_bounds_hold(tracked: Stage) -> None:
    assert carry(tracked, 10, cpu=5000) == 8


def test_during_the_cooldown_only_a_larger_scale_out_passes(tracked: Stage) -> None:
    assert carry(tracked, 4, cpu=190) == 4
    tracked.client("ecs").update_service(cluster=CLUSTER, service=NAME, desiredCount=3)
    assert carry(tracked, 3, cpu=190) == 3
    assert carry(tracked, 4, cpu=290) == 6


def test_data_that_come_late_scale_late(tracked: Stage) -> None:
    tracked.simulator.conditions.metric_delay_seconds = 120
    assert carry(tracked, 4, cpu=190) == 2
    assert carry(tracked, 1, cpu=190) == 4


def test_fifteen_minutes_below_the_target_scale_in_by_one_task_per_cooldown(tracked: Stage) -> None:
    assert carry(tracked, 4, cpu=390) == 8
    assert carry(tracked, 14, cpu=10) == 8
    assert carry(tracked, 4, cpu=10) == 7
    assert carry(tracked, 4, cpu=10) == 6
    assert carry(tracked, 60, cpu=10) == 2


def test_scaling_in_never_pushes_the_metric_above_its_target(tracked: Stage) -> None:
    assert carry(tracked, 4, cpu=390) == 8
    assert carry(tracked, 90, cpu=240) == 5


def test_a_policy_need_not_scale_in(tracked: Stage) -> None:
    track(tracked, "cpu", CPU, DisableScaleIn=True)
    assert carry(tracked, 4, cpu=390) == 8
    assert carry(tracked, 60, cpu=10) == 8


def test_any_policy_scales_out_and_all_must_agree_to_scale_in(tracked: Stage) -> None:
    track(tracked, "requests", REQUESTS)
    assert carry(tracked, 4, cpu=10, requests=5900) == 6
    assert carry(tracked, 40, cpu=10, requests=5900) == 6
    assert carry(tracked, 60, cpu=10, requests=100) == 2


def test_a_suspended_target_has_its_alarm_and_does_not_scale(tracked: Stage) -> None:
    client = tracked.client("application-autoscaling")
    client.register_scalable_target(**TARGET, SuspendedState={"DynamicScalingOutSuspended": True})
    assert carry(tracked, 30, cpu=390) == 2
    assert states(tracked)[0] == "ALARM"
    client.register_scalable_target(**TARGET, SuspendedState={"DynamicScalingOutSuspended": False})
    assert carry(tracked, 1, cpu=390) == 8


def test_nothing_scales_in_during_a_deployment_and_it_may_scale_out(tracked: Stage) -> None:
    assert carry(tracked, 4, cpu=390) == 8
    tracked.simulator.conditions.loads[RESOURCE] = {"cpu": 10}
    tracked.clock.sleep(14 * 60)
    tracked.deploy(tracked.register("v2", kind="never_healthy"))
    tracked.clock.sleep(10 * 60)
    assert tracked.service()["desiredCount"] == 8


def test_a_deleted_alarm_scales_nothing(tracked: Stage) -> None:
    names = [alarm["AlarmName"] for alarm in track(tracked, "cpu", CPU)["Alarms"]]
    tracked.client("cloudwatch").delete_alarms(AlarmNames=names)
    assert carry(tracked, 30, cpu=390) == 2
