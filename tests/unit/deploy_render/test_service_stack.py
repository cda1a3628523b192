"""What a service's stack guarantees: permissions, alarms, and the order of creation."""

import json
from dataclasses import replace
from typing import Any

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.releases import TrafficShift, TrafficShiftType
from platform_sdk.deploy.manifest.resources import Permission, SecretReference, SecretStore
from platform_sdk.deploy.manifest.scaling import ScheduledScaling
from platform_sdk.deploy.manifest.tasks import StandaloneTask
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.roles import METRICS_NAMESPACE
from platform_sdk.deploy.render.service_stack import StackTooLarge, render_service_stack
from platform_sdk.deploy.shared import AGENT_CONFIGURATION
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")
SPECS = {spec.name: spec for spec in load_services(FIXTURES, "production")}
ORDERS, USERS = SPECS["orders"], SPECS["users"]


def resources(spec: ServiceSpec = ORDERS) -> dict[str, Any]:
    found: Any = render_service_stack(spec, PRODUCTION)["Resources"]
    return dict(found)


def properties(name: str, spec: ServiceSpec = ORDERS) -> dict[str, Any]:
    return dict(resources(spec)[name]["Properties"])


def granted(name: str, spec: ServiceSpec = ORDERS) -> dict[str, list[Any]]:
    """By action: the resources."""
    statements = properties(name, spec)["PolicyDocument"]["Statement"]
    return {action: statement["Resource"] for statement in statements for action in statement["Action"]}


def test_every_resource_that_is_named_exists() -> None:
    def names(value: Any) -> set[str]:
        match value:
            case {"Ref": str(name)}:
                return {name}
            case {"Fn::GetAtt": [str(name), _]}:
                return {name}
            case dict():
                return {name for inner in value.values() for name in names(inner)}
            case list():
                return {name for inner in value for name in names(inner)}
        return set()

    for spec in SPECS.values():
        template: Any = render_service_stack(spec, PRODUCTION)
        known = set(template["Resources"]) | set(template["Parameters"])
        assert names(template["Resources"]) <= known
        for body in template["Resources"].values():
            assert set(body.get("DependsOn", [])) <= known


def test_a_stack_is_created_without_a_value_from_outside() -> None:
    template: Any = render_service_stack(ORDERS, PRODUCTION)
    assert [name for name, body in template["Parameters"].items() if "Default" not in body] == []


def test_the_service_depends_on_its_rules_and_the_placeholder_on_its_role() -> None:
    assert set(resources()["Service"]["DependsOn"]) == {"ProductionRule", "TestRule"}
    assert {"ExecutionPolicy", "SidecarLogs"} <= set(resources()["Placeholder"]["DependsOn"])


def test_both_listeners_forward_the_path_and_everything_below_it() -> None:
    for name, listener in (("ProductionRule", "ProductionListenerArn"), ("TestRule", "TestListenerArn")):
        rule = properties(name)
        assert rule["ListenerArn"] == {"Ref": listener}
        assert rule["Priority"] == ORDERS.priority
        (condition,) = rule["Conditions"]
        assert condition["PathPatternConfig"]["Values"] == ["/orders", "/orders/*"]


def test_tasks_may_use_the_queues_that_their_platform_toml_names_and_no_others() -> None:
    task = granted("TaskPolicy")
    queue = "arn:aws:sqs:us-east-1:111122223333:platform-production-"
    assert task["sqs:ReceiveMessage"] == [f"{queue}orders"]
    assert task["sqs:SendMessage"] == [f"{queue}inventory", f"{queue}orders-dead-letter"]
    assert "sqs:ReceiveMessage" not in granted("TaskPolicy", USERS)


def test_ecs_may_read_the_secrets_that_are_injected_and_tasks_none() -> None:
    secret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:platform/production/users"
    execution = granted("ExecutionPolicy", USERS)
    assert execution["secretsmanager:GetSecretValue"] == [
        f"{secret}/{name}-??????" for name in ("cache", "database", "token_signing_key")
    ]
    assert not [action for action in granted("TaskPolicy", USERS) if action.startswith(("secretsmanager", "ssm"))]


def test_a_parameter_as_secret_is_granted_by_its_name() -> None:
    secret = SecretReference(store=SecretStore.PARAMETER_STORE, name="stripe_key")
    execution = granted("ExecutionPolicy", replace(ORDERS, secrets={"STRIPE_KEY": secret}))
    parameter = "arn:aws:ssm:us-east-1:111122223333:parameter/platform/production"
    assert execution["ssm:GetParameters"] == [f"{parameter}/cloudwatch-agent", f"{parameter}/orders/stripe_key"]


def test_a_teams_own_permissions_are_the_tasks() -> None:
    own = Permission(actions=("s3:GetObject",), resources=("arn:aws:s3:::invoices-{environment}/*",))
    task = granted("TaskPolicy", replace(ORDERS, permissions=(own,)))
    assert task["s3:GetObject"] == ["arn:aws:s3:::invoices-production/*"]


def test_the_agent_may_write_metrics_of_the_namespace_in_its_configuration() -> None:
    configuration = json.loads((FIXTURES / AGENT_CONFIGURATION).read_text(encoding="utf-8"))
    assert configuration["metrics"]["namespace"] == METRICS_NAMESPACE


def test_codedeploy_calls_the_hooks_and_no_other_function() -> None:
    function = "arn:aws:lambda:us-east-1:111122223333:function:"
    spec = replace(ORDERS, hooks={"AfterAllowTestTraffic": "smoke_test", "AfterInstall": "warm-orders"})
    assert granted("DeployPolicy", spec)["lambda:InvokeFunction"] == [
        f"{function}platform-production-smoke-test",
        f"{function}warm-orders",
    ]
    assert "lambda:InvokeFunction" not in granted("DeployPolicy", replace(ORDERS, hooks={}))


@pytest.mark.parametrize(
    ("kind", "percent", "interval", "name"),
    [
        ("all_at_once", 100, 0, "CodeDeployDefault.ECSAllAtOnce"),
        ("canary", 10, 5, "CodeDeployDefault.ECSCanary10Percent5Minutes"),
        ("canary", 20, 5, None),
        ("linear", 10, 3, "CodeDeployDefault.ECSLinear10PercentEvery3Minutes"),
        ("linear", 25, 10, None),
    ],
)
def test_a_shift_that_no_account_has_gets_a_configuration_with_its_values_in_its_name(
    kind: TrafficShiftType, percent: int, interval: int, name: str | None
) -> None:
    shift = TrafficShift(type=kind, percent=percent, interval_minutes=interval, bake_minutes=30)
    found = resources(replace(ORDERS, traffic_shift=shift))
    used = found["DeploymentGroup"]["Properties"]["DeploymentConfigName"]
    if name is not None:
        assert (used, "DeploymentConfiguration" in found) == (name, False)
        return
    assert used == {"Ref": "DeploymentConfiguration"}
    own = found["DeploymentConfiguration"]["Properties"]
    assert own["DeploymentConfigName"] == f"production-orders-{kind}-{percent}-percent-{interval}-minutes"
    (steps,) = (value for key, value in own["TrafficRoutingConfig"].items() if key != "Type")
    assert sorted(steps.values()) == sorted([percent, interval])


def test_alarms_of_requests_take_the_apis_release_back_and_alarms_of_queues_the_workers() -> None:
    every = replace(ORDERS, alarms=tuple(replace(alarm, roll_back=True) for alarm in ORDERS.alarms))
    group = properties("DeploymentGroup", every)
    assert [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]] == [
        "ErrorRateAlarm",
        "LatencyP99Alarm",
        "UnhealthyTasksAlarm",
    ]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    deployment = properties("WorkerService", every)["DeploymentConfiguration"]
    assert [name["Ref"] for name in deployment["Alarms"]["AlarmNames"]] == [
        "DeadLettersOrdersAlarm",
        "QueueAgeOrdersAlarm",
    ]
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_request_metrics_cover_both_target_groups() -> None:
    scaling = replace(ORDERS.scaling, target_requests_per_task=600)
    found = resources(replace(ORDERS, scaling=scaling))
    policy = found["ScalingByRequests"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    for metrics in (
        policy["CustomizedMetricSpecification"]["Metrics"],
        *(
            found[name]["Properties"]["Metrics"]
            for name in ("ErrorRateAlarm", "LatencyP99Alarm", "UnhealthyTasksAlarm")
        ),
    ):
        groups = [
            dimension["Value"]["Fn::GetAtt"][0]
            for metric in metrics
            for dimension in metric.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
            if dimension["Name"] == "TargetGroup"
        ]
        assert groups.count("BlueTargetGroup") == groups.count("GreenTargetGroup") > 0
        assert len(metrics) <= 10
        assert [metric["ReturnData"] for metric in metrics].count(True) == 1


def test_a_worker_follows_the_messages_that_wait_for_each_of_its_tasks() -> None:
    policy = properties("WorkerScalingByBacklog")["TargetTrackingScalingPolicyConfiguration"]
    assert ORDERS.worker is not None
    assert policy["TargetValue"] == ORDERS.worker.backlog_per_task
    *_, result = policy["CustomizedMetricSpecification"]["Metrics"]
    assert result["Expression"] == "(FILL(queue0, 0)) / IF(FILL(tasks, 0) > 0, FILL(tasks, 1), 1)"


def test_no_update_sets_the_number_of_tasks_or_resumes_scaling() -> None:
    for name in ("Service", "WorkerService"):
        assert "DesiredCount" not in properties(name)
    for name in ("ScalableTarget", "WorkerScalableTarget"):
        assert "SuspendedState" not in properties(name)


def test_bounds_change_by_the_clock_and_few_tasks_are_those_below_the_smallest_bound() -> None:
    rush = ScheduledScaling(
        name="night", schedule="cron(0 22 * * ? *)", timezone="Europe/Berlin", min_tasks=1, max_tasks=50
    )
    spec = replace(ORDERS, scaling=replace(ORDERS.scaling, scheduled=(rush,)))
    (action,) = properties("ScalableTarget", spec)["ScheduledActions"]
    assert action["ScalableTargetAction"] == {"MinCapacity": 1, "MaxCapacity": 50}
    assert properties("FewTasksAlarm", spec)["Threshold"] == 1


def test_a_task_with_a_schedule_is_started_by_it_and_one_without_is_not() -> None:
    task = StandaloneTask(
        name="close-books", command=("x",), schedule="rate(1 day)", timezone="UTC", cpu=256, memory_mib=512
    )
    spec = replace(ORDERS, tasks=(task, replace(task, name="repair", schedule=None)))
    assert properties("CloseBooksSchedule", spec)["ScheduleExpression"] == "rate(1 day)"
    assert "RepairSchedule" not in resources(spec)
    family = "arn:aws:ecs:us-east-1:111122223333:task-definition/production-orders-close-books"
    assert granted("SchedulerPolicy", spec)["ecs:RunTask"] == [family, f"{family}:*"]
    assert "SchedulerRole" not in resources()


def test_a_queue_and_its_dead_letter_queue_are_kept_when_the_stack_is_deleted() -> None:
    queue, dead = resources()["OrdersQueue"], resources()["OrdersDeadLetterQueue"]
    assert queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"] == {
        "Fn::GetAtt": ["OrdersDeadLetterQueue", "Arn"]
    }
    assert dead["Properties"]["RedriveAllowPolicy"]["sourceQueueArns"] == [
        "arn:aws:sqs:us-east-1:111122223333:platform-production-orders"
    ]
    assert {queue["DeletionPolicy"], dead["DeletionPolicy"]} == {"RetainExceptOnCreate"}


def test_a_stack_that_cloudformation_would_refuse_is_refused_here() -> None:
    queues = tuple(replace(ORDERS.queues[0], name=f"orders-{number}") for number in range(130))
    with pytest.raises(StackTooLarge, match="500"):
        render_service_stack(replace(ORDERS, queues=queues, alarms=()), PRODUCTION)
