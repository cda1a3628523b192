"""Calls that fail on demand, and what the simulator says of requests and answers that AWS would not take or give."""

import copy
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from aws_simulator import UnsupportedOperation
from aws_simulator.client import FailureMode
from aws_simulator.shapes import check_answer, operation_model
from tests.unit.aws_simulator.conftest import CLUSTER, NAME, Stage, document


@pytest.mark.parametrize(
    ("service", "how", "code", "status"),
    [
        ("ecs", "throttled", "ThrottlingException", 400),
        ("elbv2", "throttled", "Throttling", 400),
        ("ecs", "denied", "AccessDeniedException", 400),
        ("elbv2", "denied", "AccessDenied", 403),
        ("ecs", "server_error", "ServerException", 500),
        ("codedeploy", "server_error", "InternalFailure", 500),
    ],
)
def test_a_refusal_has_the_services_own_code(
    stage: Stage, service: str, how: FailureMode, code: str, status: int
) -> None:
    calls = {
        "ecs": lambda client: client.list_services(),
        "elbv2": lambda client: client.describe_target_groups(),
        "codedeploy": lambda client: client.list_applications(),
    }
    stage.simulator.fail(service, "*", how=how)
    with pytest.raises(ClientError) as caught:
        calls[service](stage.client(service))
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert stage.simulator.calls[-1].error == code


def test_a_denial_names_who_what_and_on_which_resource(stage: Stage) -> None:
    stage.simulator.fail("ecs", "DescribeServices", how="denied")
    with pytest.raises(stage.client("ecs").exceptions.AccessDeniedException) as caught:
        stage.service()
    assert caught.value.response["Error"]["Message"].startswith(
        "User: arn:aws:sts::111122223333:assumed-role/release/session is not authorized to perform: "
        f"ecs:DescribeServices on resource: arn:aws:ecs:us-east-1:111122223333:service/{CLUSTER}/{NAME}"
    )


@pytest.mark.parametrize(("how", "made"), [("timeout", 0), ("answer_lost", 1)])
def test_a_call_without_an_answer_has_taken_effect_or_not(stage: Stage, how: FailureMode, made: int) -> None:
    before = len(stage.simulator.ecs.definitions)
    stage.simulator.fail("ecs", "RegisterTaskDefinition", how=how)
    with pytest.raises(ReadTimeoutError):
        stage.register("2")
    assert len(stage.simulator.ecs.definitions) - before == made


def test_a_repeated_call_takes_effect_twice(stage: Stage) -> None:
    before = len(stage.simulator.ecs.definitions)
    stage.simulator.fail("ecs", "RegisterTaskDefinition", how="repeated")
    stage.register("2")
    assert len(stage.simulator.ecs.definitions) - before == 2


def test_only_the_named_calls_fail_and_only_so_often(stage: Stage) -> None:
    stage.simulator.fail("ecs", "DescribeServices", how="throttled", times=2, after=1)
    outcomes = []
    for _ in range(4):
        try:
            stage.service()
            outcomes.append("answered")
        except ClientError:
            outcomes.append("throttled")
        stage.client("ecs").list_services(cluster=CLUSTER)
    assert outcomes == ["answered", "throttled", "throttled", "answered"]


def test_calls_are_recorded_with_iams_names(stage: Stage) -> None:
    stage.simulator.calls.clear()
    stage.register("2")
    stage.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    stage.client("elbv2").describe_rules(ListenerArn=stage.test_listener)
    stage.client("logs").filter_log_events(logGroupName="/platform/production/orders")
    stage.client("cloudwatch").describe_alarms(AlarmNames=["one"])
    stage.client("codedeploy").list_deployments(applicationName=NAME, deploymentGroupName=NAME)
    account = "us-east-1:111122223333"
    assert [(call.action, call.writes, call.resources) for call in stage.simulator.calls] == [
        ("ecs:RegisterTaskDefinition", True, (f"arn:aws:ecs:{account}:task-definition/{NAME}:*",)),
        ("application-autoscaling:DescribeScalableTargets", False, ("*",)),
        ("elasticloadbalancing:DescribeRules", False, ("*",)),
        ("logs:FilterLogEvents", False, (f"arn:aws:logs:{account}:log-group:/platform/production/orders:*",)),
        ("cloudwatch:DescribeAlarms", False, (f"arn:aws:cloudwatch:{account}:alarm:one",)),
        ("codedeploy:ListDeployments", False, (f"arn:aws:codedeploy:{account}:deploymentgroup:{NAME}/{NAME}",)),
    ]


def test_botocore_itself_refuses_a_wrong_name_before_the_simulator_is_called(stage: Stage) -> None:
    before = len(stage.simulator.calls)
    with pytest.raises(ParamValidationError, match="clusterName"):
        stage.client("ecs").describe_services(clusterName="x", services=["y"])
    assert len(stage.simulator.calls) == before


@pytest.mark.parametrize(
    ("service", "operation", "request_of", "constraint"),
    [
        ("ecs", "list_tasks", {"desiredStatus": "GONE"}, "enum value set"),
        ("elbv2", "describe_target_groups", {"PageSize": 401}, "less than or equal to 400"),
        ("logs", "filter_log_events", {"logGroupName": "white space"}, "regular expression"),
        ("cloudwatch", "describe_alarms", {"AlarmNames": ["x"] * 101}, "length less than or equal to 100"),
    ],
)
def test_values_that_botocore_lets_through_are_refused_as_aws_does(
    stage: Stage, service: str, operation: str, request_of: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(ClientError, match=constraint):
        getattr(stage.client(service), operation)(**request_of)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ({"clusters": [{"clusterNam": "x"}]}, "clusterNam"),
        ({"clusters": "x"}, "clusters"),
        ({"clusters": [{"statistics": [{"name": 3}]}]}, "statistics"),
    ],
)
def test_an_answer_that_aws_would_not_give_is_an_error_of_the_simulator(answer: dict[str, Any], wrong: str) -> None:
    with pytest.raises(AssertionError, match=wrong):
        check_answer(operation_model("ecs", "DescribeClusters"), answer)


def test_an_enumeration_in_an_answer_is_checked_too() -> None:
    answer = {"deploymentInfo": {"status": "Finished"}}
    with pytest.raises(AssertionError, match=r"deploymentInfo\.status"):
        check_answer(operation_model("codedeploy", "GetDeployment"), answer)


def test_an_operation_that_is_not_simulated_is_no_error_of_aws(stage: Stage) -> None:
    with pytest.raises(UnsupportedOperation, match="ecs:CreateCapacityProvider"):
        stage.client("ecs").create_capacity_provider(name="x")


def test_what_a_caller_does_with_an_answer_does_not_reach_the_simulator(stage: Stage) -> None:
    answer = stage.client("ecs").describe_task_definition(taskDefinition=f"{NAME}:1")
    answer["taskDefinition"]["containerDefinitions"].clear()
    again = stage.client("ecs").describe_task_definition(taskDefinition=f"{NAME}:1")
    assert len(again["taskDefinition"]["containerDefinitions"]) == 1


def test_a_copy_of_a_simulator_is_independent(stage: Stage) -> None:
    other = copy.deepcopy(stage.simulator)
    other.client("ecs").update_service(cluster=CLUSTER, service=NAME, desiredCount=5)
    other.clock.sleep(60)
    assert stage.service()["desiredCount"] == 2
    assert stage.clock.now() < other.now()
    assert other.client("ecs").describe_services(cluster=CLUSTER, services=[NAME])["services"][0]["runningCount"] == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory": "4096"}, "No Fargate configuration exists"),
        ({"networkMode": "bridge"}, "Fargate only supports network mode"),
        ({"containerDefinitions": []}, "between 1 and 10"),
        ({"containerDefinitions": [{"name": "app", "image": "x", "essential": False}]}, "at least one essential"),
        ({"containerDefinitions": [{"name": "app"}]}, "Container.image should not be null"),
        (
            {
                "containerDefinitions": [
                    {
                        "name": "app",
                        "image": "x",
                        "dependsOn": [{"containerName": "log-router", "condition": "START"}],
                    }
                ]
            },
            "unknown container 'log-router'",
        ),
        (
            {
                "containerDefinitions": [
                    {"name": "app", "image": "x", "dependsOn": [{"containerName": "b", "condition": "HEALTHY"}]},
                    {"name": "b", "image": "x"},
                ]
            },
            "no health check",
        ),
        (
            {
                "containerDefinitions": [
                    {
                        "name": "app",
                        "image": "x",
                        "environment": [{"name": "A", "value": "b"}],
                        "secrets": [{"name": "A", "valueFrom": "/a"}],
                    }
                ]
            },
            "must be unique",
        ),
        (
            {
                "containerDefinitions": [
                    {"name": "app", "image": "x", "environment": [{"name": "A", "value": "b" * 70_000}]}
                ]
            },
            "65536",
        ),
    ],
)
def test_a_task_definition_that_ecs_refuses(stage: Stage, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        stage.client("ecs").register_task_definition(**{**document(stage.image("2")), **change})
    assert caught.value.response["Error"]["Code"] == "ClientException"
