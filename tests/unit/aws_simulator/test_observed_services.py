"""What a plan or a preflight reads: load balancing, scaling, alarms, deployment groups."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_simulator import SteppedClock
from tests.unit.aws_simulator.conftest import ALARM, CLUSTER, NAME, NETWORK, START, Stage, error_metric

RESOURCE = f"service/{CLUSTER}/{NAME}"
TARGET: dict[str, Any] = {
    "ServiceNamespace": "ecs",
    "ResourceId": RESOURCE,
    "ScalableDimension": "ecs:service:DesiredCount",
}


@pytest.fixture
def scaled(stage: Stage) -> Stage:
    stage.client("application-autoscaling").register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=6)
    return stage


def scalable(stage: Stage) -> dict[str, Any]:
    answer = stage.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[RESOURCE]
    )
    found: dict[str, Any] = answer["ScalableTargets"][0]
    return found


def test_an_update_of_a_scalable_target_keeps_what_it_does_not_name(scaled: Stage) -> None:
    client = scaled.client("application-autoscaling")
    client.register_scalable_target(**TARGET, SuspendedState={"DynamicScalingInSuspended": True})
    client.register_scalable_target(**TARGET, MaxCapacity=9)
    found = scalable(scaled)
    assert (found["MinCapacity"], found["MaxCapacity"]) == (2, 9)
    assert found["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }


def test_scaling_obeys_bounds_and_suspension(scaled: Stage) -> None:
    assert scaled.simulator.autoscaling.scale(RESOURCE, 50)
    assert scaled.service()["desiredCount"] == 6
    suspended = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}
    scaled.client("application-autoscaling").register_scalable_target(**TARGET, SuspendedState=suspended)
    assert not scaled.simulator.autoscaling.scale(RESOURCE, 2)
    assert scaled.simulator.autoscaling.scale(RESOURCE, 2, scheduled=True)
    scaled.clock.sleep(120)
    assert scaled.service()["runningCount"] == 2


@pytest.mark.parametrize(
    ("request_of", "desired"),
    [
        ({"MinCapacity": 4, "MaxCapacity": 6}, 4),
        ({"MinCapacity": 0, "MaxCapacity": 1}, 1),
        ({"MinCapacity": 1, "MaxCapacity": 6}, 2),
    ],
)
def test_registering_a_target_moves_the_desired_count_into_its_bounds(
    stage: Stage, request_of: dict[str, int], desired: int
) -> None:
    stage.client("application-autoscaling").register_scalable_target(**TARGET, **request_of)
    assert stage.service()["desiredCount"] == desired


def test_a_count_outside_of_the_bounds_moves_into_them_even_when_only_scaling_is_suspended(scaled: Stage) -> None:
    scaled.client("ecs").update_service(cluster=CLUSTER, service=NAME, desiredCount=9)
    everything = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}
    scaled.client("application-autoscaling").register_scalable_target(**TARGET, SuspendedState=everything)
    assert scaled.service()["desiredCount"] == 6


def test_bounds_that_contradict_each_other_change_nothing(scaled: Stage) -> None:
    client = scaled.client("application-autoscaling")
    with pytest.raises(ClientError, match="Maximum capacity cannot be less than minimum capacity"):
        client.register_scalable_target(**TARGET, MinCapacity=7)
    assert (scalable(scaled)["MinCapacity"], scaled.service()["desiredCount"]) == (2, 2)


def test_policies_and_scheduled_actions_are_kept(scaled: Stage) -> None:
    client = scaled.client("application-autoscaling")
    metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    tracking = {"TargetValue": 60.0, "PredefinedMetricSpecification": metric}
    client.put_scaling_policy(
        **TARGET,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
    )
    action = {"MinCapacity": 1, "MaxCapacity": 2}
    client.put_scheduled_action(
        **TARGET, ScheduledActionName="night", Schedule="cron(0 22 * * ? *)", ScalableTargetAction=action
    )
    policies = client.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=RESOURCE)["ScalingPolicies"]
    assert policies[0]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60
    actions = client.describe_scheduled_actions(ServiceNamespace="ecs", ResourceId=RESOURCE)["ScheduledActions"]
    assert actions[0]["ScalableTargetAction"] == action
    client.delete_scaling_policy(**TARGET, PolicyName="cpu")
    with pytest.raises(client.exceptions.ObjectNotFoundException):
        client.delete_scaling_policy(**TARGET, PolicyName="cpu")


def test_a_target_of_no_service_is_refused(stage: Stage) -> None:
    with pytest.raises(ClientError, match="ECS service doesn't exist"):
        stage.client("application-autoscaling").register_scalable_target(
            **{**TARGET, "ResourceId": f"service/{CLUSTER}/none"}, MinCapacity=1, MaxCapacity=2
        )


def test_targets_become_healthy_and_drain_when_they_leave(stage: Stage) -> None:
    client = stage.client("elbv2")
    blue = client.describe_target_groups(Names=[f"{NAME}-blue"])["TargetGroups"][0]["TargetGroupArn"]
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}]
    client.modify_target_group_attributes(TargetGroupArn=blue, Attributes=delay)

    def states() -> list[str]:
        found = client.describe_target_health(TargetGroupArn=blue)["TargetHealthDescriptions"]
        return sorted(one["TargetHealth"]["State"] for one in found)

    assert states() == ["healthy", "healthy"]
    stage.client("ecs").update_service(cluster=CLUSTER, service=NAME, desiredCount=1)
    stage.clock.sleep(5)
    assert states() == ["draining", "healthy"]
    stage.clock.sleep(90)
    assert states() == ["healthy"]


def test_a_target_group_without_a_listener_cannot_have_a_service(stage: Stage) -> None:
    client = stage.client("elbv2")
    group = client.create_target_group(Name="alone", Protocol="HTTP", Port=80, VpcId="vpc-1", TargetType="ip")
    balancer = {"targetGroupArn": group["TargetGroups"][0]["TargetGroupArn"], "containerName": "app"}
    with pytest.raises(ClientError, match="does not have an associated load balancer"):
        stage.client("ecs").create_service(
            cluster=CLUSTER,
            serviceName="alone",
            taskDefinition=NAME,
            networkConfiguration=NETWORK,
            loadBalancers=[{**balancer, "containerPort": 8080}],
        )


def test_rules_are_unique_in_priority_and_the_default_comes_last(stage: Stage) -> None:
    client = stage.client("elbv2")
    rules = client.describe_rules(ListenerArn=stage.production_listener)["Rules"]
    assert [rule["Priority"] for rule in rules] == ["110", "default"]
    assert rules[0]["Conditions"][0]["Values"] == ["/orders", "/orders/*"]
    with pytest.raises(client.exceptions.PriorityInUseException):
        client.create_rule(
            ListenerArn=stage.production_listener,
            Priority=110,
            Conditions=[{"Field": "path-pattern", "Values": ["/x"]}],
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )


def test_an_alarm_is_ok_after_a_minute_and_stays_as_it_was_set_by_hand(stage: Stage) -> None:
    def state() -> str:
        answer = stage.client("cloudwatch").describe_alarms(AlarmNames=[ALARM])
        return str(answer["MetricAlarms"][0]["StateValue"])

    stage.clock.sleep(60)
    assert state() == "OK"
    stage.simulator.cloudwatch.set_alarm(ALARM, "ALARM")
    stage.clock.sleep(3600)
    assert state() == "ALARM"


@pytest.mark.parametrize(
    ("metric", "behaviour"),
    [
        ("TargetResponseTime", {"kind": "slow"}),
        ("UnHealthyHostCount", {"kind": "never_healthy"}),
    ],
)
def test_an_alarm_is_moved_by_what_its_metric_would_show(stage: Stage, metric: str, behaviour: dict[str, Any]) -> None:
    groups = stage.client("elbv2").describe_target_groups()["TargetGroups"]
    metrics = [error_metric(group["TargetGroupArn"], number) for number, group in enumerate(groups)]
    for one in metrics:
        one["MetricStat"]["Metric"]["MetricName"] = metric
    stage.client("cloudwatch").put_metric_alarm(
        AlarmName="watched",
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Metrics=metrics,
    )
    stage.client("codedeploy").update_deployment_group(
        applicationName=NAME,
        currentDeploymentGroupName=NAME,
        alarmConfiguration={"enabled": True, "alarms": [{"name": "watched"}]},
    )
    info = stage.ended(stage.deploy(stage.register("2", **behaviour)))
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")


def test_configurations_are_those_of_every_account_and_ones_own(stage: Stage) -> None:
    client = stage.client("codedeploy")
    client.create_deployment_config(
        deploymentConfigName="slow",
        computePlatform="ECS",
        trafficRoutingConfig={
            "type": "TimeBasedLinear",
            "timeBasedLinear": {"linearPercentage": 20, "linearInterval": 2},
        },
    )
    own = client.get_deployment_config(deploymentConfigName="slow")["deploymentConfigInfo"]
    assert own["trafficRoutingConfig"]["timeBasedLinear"] == {"linearPercentage": 20, "linearInterval": 2}
    canary = client.get_deployment_config(deploymentConfigName="CodeDeployDefault.ECSCanary10Percent5Minutes")
    assert canary["deploymentConfigInfo"]["trafficRoutingConfig"]["timeBasedCanary"]["canaryInterval"] == 5
    deployment = stage.deploy(stage.register("2"), deploymentConfigName="slow")
    shares = []

    def finished() -> bool:
        share = stage.weights()[f"{NAME}-green"]
        if share not in shares:
            shares.append(share)
        return share == 100

    stage.wait(finished, minutes=15)
    assert shares == [0, 20, 40, 60, 80, 100]
    assert stage.ended(deployment)["status"] == "Succeeded"


class Counted:
    def __init__(self) -> None:
        self.quiet_until = START
        self.steps: list[float] = []
        self.clock = SteppedClock(START)
        self.clock.listen(self)

    def step(self) -> None:
        self.steps.append((self.clock.now() - START).total_seconds())


def test_a_clock_steps_each_second_while_something_happens() -> None:
    counted = Counted()
    for _ in range(4):
        counted.clock.sleep(0.5)
    assert counted.steps == [1, 2]
    counted.clock.sleep(2.5)
    assert counted.steps == [1, 2, 3, 4]


def test_a_clock_skips_to_the_moment_at_which_something_happens() -> None:
    counted = Counted()
    counted.quiet_until = START + timedelta(seconds=90)
    counted.clock.sleep(92)
    assert counted.steps == [90, 91, 92]
    counted.quiet_until = START + timedelta(days=2)
    counted.clock.sleep(86_400)
    assert counted.steps[3:] == []
    assert (counted.clock.now() - START).total_seconds() == 86_492


def test_an_action_that_was_planned_interrupts_a_sleep() -> None:
    clock = SteppedClock(START)

    def killed() -> None:
        raise KeyboardInterrupt

    clock.after(30, killed)
    with pytest.raises(KeyboardInterrupt):
        clock.sleep(3600)
    assert (clock.now() - START).total_seconds() == 30
    clock.sleep(10)
