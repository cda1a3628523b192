"""What the gateway asks of CodeDeploy, and what it makes of the answers."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platform_sdk.deploy.aws import AwsCallFailed, DeploymentRunning, NotFound
from tests.support.recorded_aws import RecordedAws, Refusal

NAME = "production-orders"
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
BAKE = {"terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 15}}


def deployment(id: str = "d-ABCDEFGH1", *, minutes: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "deploymentId": id,
        "applicationName": NAME,
        "deploymentGroupName": NAME,
        "deploymentConfigName": "CodeDeployDefault.ECSCanary10Percent5Minutes",
        "status": "InProgress",
        "creator": "user",
        "createTime": AT + timedelta(minutes=minutes),
        "blueGreenDeploymentConfiguration": BAKE,
        **more,
    }


def test_a_group_has_its_one_service_and_pair() -> None:
    aws = RecordedAws()
    pair = {
        "targetGroups": [{"name": f"{NAME}-blue"}, {"name": f"{NAME}-green"}],
        "prodTrafficRoute": {"listenerArns": ["production"]},
        "testTrafficRoute": {"listenerArns": ["test"]},
    }
    group = {
        "applicationName": NAME,
        "deploymentGroupName": NAME,
        "serviceRoleArn": "arn:aws:iam::111122223333:role/deploy",
        "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce",
        "ecsServices": [{"serviceName": NAME, "clusterName": "platform-production"}],
        "loadBalancerInfo": {"targetGroupPairInfoList": [pair]},
        "alarmConfiguration": {"enabled": True, "alarms": [{"name": "errors"}]},
        "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
        "blueGreenDeploymentConfiguration": BAKE,
    }
    aws.answers("codedeploy.GetDeploymentGroup", {"deploymentGroupInfo": group})

    read = aws.gateways.codedeploy.group(NAME, NAME)

    assert read is not None
    assert (read.cluster, read.service) == ("platform-production", NAME)
    assert read.target_groups == (f"{NAME}-blue", f"{NAME}-green")
    assert (read.production_listener, read.test_listener) == ("production", "test")
    assert (read.alarms, read.alarms_enabled) == (("errors",), True)
    assert (read.rollback_events, read.rollback_enabled, read.bake_minutes) == (("DEPLOYMENT_FAILURE",), True, 15)


def test_a_bare_group_is_empty() -> None:
    aws = RecordedAws()
    bare = {"applicationName": NAME, "deploymentGroupName": NAME}
    aws.answers("codedeploy.GetDeploymentGroup", {"deploymentGroupInfo": bare})

    read = aws.gateways.codedeploy.group(NAME, NAME)

    assert read is not None
    assert (read.cluster, read.target_groups, read.production_listener, read.bake_minutes) == ("", (), "", 0)


@pytest.mark.parametrize("code", ["ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException"])
def test_no_group_is_none_and_has_no_deployments(code: str) -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.GetDeploymentGroup", Refusal(code=code))
    aws.answers("codedeploy.ListDeployments", Refusal(code=code))

    assert aws.gateways.codedeploy.group(NAME, NAME) is None
    assert aws.gateways.codedeploy.deployments(NAME, NAME) == ()


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        (
            {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5}},
            ("canary", 10, 5),
        ),
        (
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 20, "linearInterval": 3}},
            ("linear", 20, 3),
        ),
        ({"type": "AllAtOnce"}, ("all_at_once", 100, 0)),
    ],
)
def test_a_configuration_says_how_traffic_shifts(routing: dict[str, Any], expected: tuple[str, int, int]) -> None:
    aws = RecordedAws()
    found = {"deploymentConfigName": "c", "computePlatform": "ECS", "trafficRoutingConfig": routing}
    aws.answers("codedeploy.GetDeploymentConfig", {"deploymentConfigInfo": found})

    read = aws.gateways.codedeploy.configuration("c")

    assert (read.type, read.percent, read.interval_minutes) == expected


def test_an_unknown_configuration_is_an_error() -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.GetDeploymentConfig", Refusal(code="DeploymentConfigDoesNotExistException"))

    with pytest.raises(NotFound, match="could not read the deployment configuration c"):
        aws.gateways.codedeploy.configuration("c")


def request(content: str = "{}") -> dict[str, Any]:
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return {
        "applicationName": NAME,
        "deploymentGroupName": NAME,
        "description": "abc",
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": sha256}},
    }


def test_a_deployment_is_created_as_requested() -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.CreateDeployment", {"deploymentId": "d-ABCDEFGH1"})

    assert aws.gateways.codedeploy.create(request()) == "d-ABCDEFGH1"
    assert aws.requests == [("codedeploy.CreateDeployment", request())]


@pytest.mark.parametrize(
    ("message", "running"),
    [
        ("The Deployment Group already has an active Deployment 'd-1A2B3C4D5'", "d-1A2B3C4D5"),
        ("deployment limit exceeded", ""),
    ],
)
def test_a_group_that_deploys_already_names_the_deployment_if_aws_does(message: str, running: str) -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.CreateDeployment", Refusal(code="DeploymentLimitExceededException", message=message))

    with pytest.raises(DeploymentRunning) as raised:
        aws.gateways.codedeploy.create(request())

    assert raised.value.deployment_id == running
    assert raised.value.what == f"could not create a deployment of {NAME}"


def test_a_deployment_that_cannot_be_created_is_an_error() -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.CreateDeployment", Refusal(code="InvalidRevisionException", message="no YAML"))

    with pytest.raises(AwsCallFailed, match="no YAML") as raised:
        aws.gateways.codedeploy.create(request())

    assert not isinstance(raised.value, DeploymentRunning)


def test_a_deployment_has_its_error_and_its_rollback() -> None:
    aws = RecordedAws()
    found = deployment(
        status="Stopped",
        description="abc by me",
        startTime=AT,
        completeTime=AT + timedelta(minutes=9),
        errorInformation={"code": "ALARM_ACTIVE", "message": "One or more alarms have been activated"},
        rollbackInfo={"rollbackDeploymentId": "d-ROLLBACK1", "rollbackMessage": "rolled back"},
    )
    aws.answers("codedeploy.GetDeployment", {"deploymentInfo": found})

    read = aws.gateways.codedeploy.deployment("d-ABCDEFGH1")

    assert read is not None
    assert (read.status, read.has_ended, read.error_code) == ("Stopped", True, "ALARM_ACTIVE")
    assert (read.rolled_back_by, read.rolls_back, read.rollback_message) == ("d-ROLLBACK1", "", "rolled back")
    assert (read.bake_minutes, read.completed_at) == (15, AT + timedelta(minutes=9))


@pytest.mark.parametrize("code", ["DeploymentDoesNotExistException", "InvalidDeploymentIdException"])
def test_an_unknown_deployment_is_none(code: str) -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.GetDeployment", Refusal(code=code))

    assert aws.gateways.codedeploy.deployment("d-NONE") is None


def test_all_deployments_are_read_25_at_a_time_and_the_newest_come_first() -> None:
    """AWS lists them in no documented order, so the newest may be the last one."""
    aws = RecordedAws()
    first, second = [f"d-{index}" for index in range(20)], [f"d-{index}" for index in range(20, 40)]
    aws.answers("codedeploy.ListDeployments", {"deployments": first, "nextToken": "more"}, {"deployments": second})
    aws.answers(
        "codedeploy.BatchGetDeployments",
        {"deploymentsInfo": [deployment("d-1", minutes=1), deployment("d-3", minutes=3)]},
        {"deploymentsInfo": [deployment("d-2", minutes=2), deployment("d-4", minutes=4)]},
    )

    found = aws.gateways.codedeploy.deployments(NAME, NAME, most=3, statuses=("Succeeded", "Failed"))

    assert [each.id for each in found] == ["d-4", "d-3", "d-2"]
    assert [len(each["deploymentIds"]) for each in aws.sent("codedeploy.BatchGetDeployments")] == [25, 15]
    assert aws.sent("codedeploy.ListDeployments")[0]["includeOnlyStatuses"] == ["Failed", "Succeeded"]


def test_deployments_can_be_listed_since_a_time() -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.ListDeployments", {"deployments": []})

    aws.gateways.codedeploy.deployments(NAME, NAME, since=AT)

    assert aws.sent("codedeploy.ListDeployments")[0]["createTimeRange"] == {"start": AT}


def test_without_statuses_all_deployments_are_listed() -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.ListDeployments", {"deployments": []})

    assert aws.gateways.codedeploy.deployments(NAME, NAME) == ()
    assert aws.requests[0][1] == {"applicationName": NAME, "deploymentGroupName": NAME}


def test_progress_has_events_and_task_sets() -> None:
    aws = RecordedAws()
    failed = {
        "lifecycleEventName": "AfterAllowTestTraffic",
        "status": "Failed",
        "startTime": AT,
        "endTime": AT,
        "diagnostics": {"errorCode": "UnknownError", "message": "the hook said Failed"},
    }
    sets = [
        {
            "identifer": "ecs-svc/1",
            "taskSetLabel": "Blue",
            "status": "PRIMARY",
            "trafficWeight": 90.0,
            "targetGroup": {"name": f"{NAME}-blue"},
            "desiredCount": 4,
            "runningCount": 4,
            "pendingCount": 0,
        },
        {"identifer": "ecs-svc/2", "taskSetLabel": "Green", "status": "ACTIVE", "trafficWeight": 10.0},
    ]
    target = {
        "status": "InProgress",
        "lifecycleEvents": [{"lifecycleEventName": "Install", "status": "Succeeded"}, failed],
        "taskSetsInfo": sets,
    }
    aws.answers(
        "codedeploy.GetDeploymentTarget",
        {"deploymentTarget": {"deploymentTargetType": "ECSTarget", "ecsTarget": target}},
    )

    read = aws.gateways.codedeploy.target("d-1", "platform-production", NAME)

    assert read is not None
    blue, green, event = read.task_set("Blue"), read.task_set("Green"), read.event("AfterAllowTestTraffic")
    assert blue is not None
    assert (blue.id, blue.target_group, blue.traffic_percent, blue.running) == ("ecs-svc/1", f"{NAME}-blue", 90.0, 4)
    assert green is not None
    assert (green.traffic_percent, green.running) == (10.0, 0)
    assert event is not None
    assert (event.status, event.message, event.ended_at) == ("Failed", "the hook said Failed", AT)
    assert aws.requests[0][1] == {"deploymentId": "d-1", "targetId": f"platform-production:{NAME}"}


@pytest.mark.parametrize("code", ["DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"])
def test_a_deployment_that_has_not_started_has_no_progress(code: str) -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.GetDeploymentTarget", Refusal(code=code))

    assert aws.gateways.codedeploy.target("d-1", "platform-production", NAME) is None


def test_stopping_and_ending_the_bake_time_may_be_repeated() -> None:
    aws = RecordedAws()
    ended = Refusal(code="DeploymentAlreadyCompletedException")
    aws.answers("codedeploy.StopDeployment", {"status": "Pending"}, ended)
    aws.answers("codedeploy.ContinueDeployment", {}, ended)

    aws.gateways.codedeploy.stop("d-1", roll_back=True)
    aws.gateways.codedeploy.stop("d-1", roll_back=False)
    aws.gateways.codedeploy.end_bake("d-1")
    aws.gateways.codedeploy.end_bake("d-1")

    assert [each["autoRollbackEnabled"] for each in aws.sent("codedeploy.StopDeployment")] == [True, False]
    waits = [each["deploymentWaitType"] for each in aws.sent("codedeploy.ContinueDeployment")]
    assert waits == ["TERMINATION_WAIT", "TERMINATION_WAIT"]


def test_other_refusals_to_stop_or_end_the_bake_time_are_errors() -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.StopDeployment", Refusal(code="DeploymentDoesNotExistException"))
    aws.answers("codedeploy.ContinueDeployment", Refusal(code="DeploymentIsNotInReadyStateException"))

    with pytest.raises(NotFound):
        aws.gateways.codedeploy.stop("d-1", roll_back=True)
    with pytest.raises(AwsCallFailed):
        aws.gateways.codedeploy.end_bake("d-1")


APPSPEC = {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "abc"}}


@pytest.mark.parametrize(
    ("revision", "kept", "text"),
    [
        ({"revisionType": "AppSpecContent", "appSpecContent": {"content": "a"}}, {}, "a"),
        ({"revisionType": "String", "string": {"content": "b"}}, {}, "b"),
        (APPSPEC, {"revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": "c"}}}, "c"),
        (APPSPEC, {"revision": {"revisionType": "AppSpecContent"}}, None),
        (APPSPEC, Refusal(code="RevisionDoesNotExistException"), None),
        ({"revisionType": "S3"}, {}, None),
    ],
)
def test_the_appspec_is_found_where_aws_keeps_it(revision: dict[str, Any], kept: Any, text: str | None) -> None:
    aws = RecordedAws()
    aws.answers("codedeploy.GetDeployment", {"deploymentInfo": deployment(revision=revision)})
    aws.answers("codedeploy.GetApplicationRevision", kept)

    assert aws.gateways.codedeploy.appspec_of("d-ABCDEFGH1") == text
