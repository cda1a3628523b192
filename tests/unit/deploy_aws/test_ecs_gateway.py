"""What the gateway asks of ECS, and what it makes of the answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platform_sdk.deploy.aws import AwsCallFailed
from tests.support.recorded_aws import RecordedAws, Refusal

CLUSTER = "platform-production"
ARN = "arn:aws:ecs:us-east-1:111122223333"
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def task_set(id: str, status: str, revision: int, target_group: str) -> dict[str, Any]:
    return {
        "id": id,
        "status": status,
        "taskDefinition": f"{ARN}:task-definition/production-orders:{revision}",
        "computedDesiredCount": 4,
        "runningCount": 3,
        "pendingCount": 1,
        "platformVersion": "1.4.0",
        "stabilityStatus": "STEADY_STATE" if status == "PRIMARY" else "STABILIZING",
        "loadBalancers": [{"targetGroupArn": target_group, "containerName": "app", "containerPort": 8080}],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}},
    }


def service(name: str = "production-orders", **more: Any) -> dict[str, Any]:
    return {
        "serviceName": name,
        "serviceArn": f"{ARN}:service/{CLUSTER}/{name}",
        "status": "ACTIVE",
        "desiredCount": 4,
        "runningCount": 7,
        "pendingCount": 1,
        "deploymentController": {"type": "CODE_DEPLOY"},
        "healthCheckGracePeriodSeconds": 60,
        "events": [{"id": "1", "createdAt": AT, "message": "has reached a steady state"}],
        **more,
    }


def rolling(name: str, **more: Any) -> dict[str, Any]:
    deployment = {
        "id": "ecs-svc/1",
        "status": "PRIMARY",
        "taskDefinition": f"{ARN}:task-definition/{name}:2",
        "desiredCount": 2,
        "runningCount": 1,
        "pendingCount": 1,
        "failedTasks": 3,
        "createdAt": AT,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": "ECS deployment ecs-svc/1 in progress.",
    }
    return service(
        name,
        deploymentController={"type": "ECS"},
        taskDefinition=f"{ARN}:task-definition/{name}:2",
        deployments=[deployment],
        **more,
    )


def test_a_service_under_codedeploy_has_the_revision_of_its_primary_task_set() -> None:
    aws = RecordedAws()
    sets = [task_set("ecs-svc/2", "ACTIVE", 8, "green"), task_set("ecs-svc/1", "PRIMARY", 7, "blue")]
    created = {"subnets": ["subnet-9"]}
    found = service(taskSets=sets, networkConfiguration={"awsvpcConfiguration": created})
    aws.answers("ecs.DescribeServices", {"services": [found], "failures": []})

    read = aws.gateways.ecs.service(CLUSTER, "production-orders")

    assert read is not None
    assert read.task_definition == f"{ARN}:task-definition/production-orders:7"
    assert (read.platform_version, read.subnets, read.security_groups) == ("1.4.0", ("subnet-1",), ("sg-1",))
    assert read.primary is not None
    assert (read.primary.target_group, read.primary.steady) == ("blue", True)
    assert [each.id for each in read.task_sets] == ["ecs-svc/2", "ecs-svc/1"]
    assert not read.task_sets[0].steady
    assert (read.task_sets[0].desired, read.task_sets[0].running, read.task_sets[0].pending) == (4, 3, 1)
    assert [(event.at, event.message) for event in read.events] == [(AT, "has reached a steady state")]


def test_a_service_that_ecs_deploys_has_its_deployments() -> None:
    aws = RecordedAws()
    aws.answers("ecs.DescribeServices", {"services": [rolling("production-orders-worker")]})

    read = aws.gateways.ecs.service(CLUSTER, "production-orders-worker")

    assert read is not None
    assert read.controller == "ECS"
    assert read.task_definition.endswith("production-orders-worker:2")
    assert (read.deployments[0].rollout_state, read.deployments[0].failed) == ("IN_PROGRESS", 3)
    assert read.primary is None


def test_services_are_read_ten_at_a_time_without_those_that_are_gone() -> None:
    aws = RecordedAws()
    names = [f"production-{index}" for index in range(12)]
    gone = service("production-1", status="INACTIVE")
    missing = [{"arn": f"{ARN}:service/{CLUSTER}/production-2", "reason": "MISSING"}]
    aws.answers("ecs.DescribeServices", {"services": [service("production-0"), gone], "failures": missing})
    aws.answers("ecs.DescribeServices", {"services": [service("production-11")]})

    assert set(aws.gateways.ecs.services(CLUSTER, names)) == {"production-0", "production-11"}
    assert [len(request["services"]) for request in aws.sent("ecs.DescribeServices")] == [10, 2]


def test_no_cluster_has_no_services() -> None:
    aws = RecordedAws()
    aws.answers("ecs.DescribeServices", Refusal(code="ClusterNotFoundException"))

    assert aws.gateways.ecs.service(CLUSTER, "production-orders") is None


def test_another_failure_than_missing_is_an_error() -> None:
    aws = RecordedAws()
    failures = [{"arn": "production-orders", "reason": "ACCESS_DENIED"}]
    aws.answers("ecs.DescribeServices", {"services": [], "failures": failures})

    with pytest.raises(AwsCallFailed, match="could not read the service production-orders") as raised:
        aws.gateways.ecs.service(CLUSTER, "production-orders")

    assert raised.value.code == "ACCESS_DENIED"


def test_a_revision_is_what_was_registered_without_what_ecs_adds() -> None:
    aws = RecordedAws()
    document = {"family": "production-orders", "containerDefinitions": [{"name": "app", "image": "orders:1"}]}
    added = {
        "taskDefinitionArn": f"{ARN}:task-definition/production-orders:7",
        "revision": 7,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
        "compatibilities": ["EC2", "FARGATE"],
        "registeredAt": AT,
        "registeredBy": "me",
        "deregisteredAt": AT,
        "deleteRequestedAt": AT,
    }
    aws.answers(
        "ecs.DescribeTaskDefinition",
        {"taskDefinition": {**document, **added}, "tags": [{"key": "platform:version", "value": "abc"}]},
    )

    read = aws.gateways.ecs.revision("production-orders")

    assert read is not None
    assert (read.family, read.revision, read.document) == ("production-orders", 7, document)
    assert read.tags == {"platform:version": "abc"}
    assert aws.sent("ecs.DescribeTaskDefinition") == [{"taskDefinition": "production-orders", "include": ["TAGS"]}]


def test_an_unknown_revision_is_none_and_another_refusal_an_error() -> None:
    aws = RecordedAws()
    aws.answers(
        "ecs.DescribeTaskDefinition",
        Refusal(code="ClientException", message="Unable to describe task definition."),
        Refusal(code="ClientException", message="Something else."),
    )

    assert aws.gateways.ecs.revision("production-orders:99") is None
    with pytest.raises(AwsCallFailed):
        aws.gateways.ecs.revision("production-orders:99")


@pytest.mark.parametrize("tags", [{}, {"platform:version": "abc"}])
def test_a_revision_is_registered_with_its_tags(tags: dict[str, str]) -> None:
    aws = RecordedAws()
    document = {"family": "production-orders", "containerDefinitions": [{"name": "app", "image": "orders:1"}]}
    arn = f"{ARN}:task-definition/production-orders:8"
    given = [{"key": key, "value": value} for key, value in tags.items()]
    aws.answers(
        "ecs.RegisterTaskDefinition",
        {"taskDefinition": {**document, "taskDefinitionArn": arn, "revision": 8}, "tags": given},
    )

    registered = aws.gateways.ecs.register({**document}, tags)

    assert (registered.arn, registered.tags) == (arn, tags)
    assert aws.sent("ecs.RegisterTaskDefinition") == [document | ({"tags": given} if tags else {})]


def test_a_rolling_update_answers_its_own_deployment() -> None:
    aws = RecordedAws()
    aws.answers("ecs.UpdateService", {"service": rolling("w")})

    assert aws.gateways.ecs.roll(CLUSTER, "w", task_definition="w:2").id == "ecs-svc/1"
    assert aws.requests[0][1] == {"cluster": CLUSTER, "service": "w", "taskDefinition": "w:2"}


def test_the_grace_period_is_changed_alone() -> None:
    aws = RecordedAws()
    aws.answers("ecs.UpdateService", {"service": service()})

    aws.gateways.ecs.set_grace_period(CLUSTER, "s", 90)

    assert aws.sent("ecs.UpdateService") == [{"cluster": CLUSTER, "service": "s", "healthCheckGracePeriodSeconds": 90}]


def task(arn: str = "arn:aws:ecs:us-east-1:111122223333:task/platform-production/1", **more: Any) -> dict[str, Any]:
    return {"taskArn": arn, "taskDefinitionArn": f"{ARN}:task-definition/o:8", "lastStatus": "RUNNING", **more}


def test_a_task_runs_once_in_the_network_of_the_service() -> None:
    aws = RecordedAws()
    aws.answers("ecs.DescribeServices", {"services": [service(taskSets=[task_set("1", "PRIMARY", 7, "blue")])]})
    aws.answers("ecs.RunTask", {"tasks": [task()]})
    like = aws.gateways.ecs.service(CLUSTER, "production-orders")
    assert like is not None

    started = aws.gateways.ecs.run(
        CLUSTER,
        task_definition="o:8",
        container="app",
        command=["python", "-m", "orders.migrate"],
        like=like,
        started_by="release",
        client_token="0123",
    )

    assert started is not None
    assert started.id == "1"
    assert aws.sent("ecs.RunTask") == [
        {
            "cluster": CLUSTER,
            "taskDefinition": "o:8",
            "count": 1,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1"],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "DISABLED",
                }
            },
            "overrides": {"containerOverrides": [{"name": "app", "command": ["python", "-m", "orders.migrate"]}]},
            "enableECSManagedTags": True,
            "propagateTags": "TASK_DEFINITION",
            "startedBy": "release",
            "clientToken": "0123",
        }
    ]


def test_a_task_that_could_not_be_placed_is_an_error() -> None:
    aws = RecordedAws()
    aws.answers("ecs.DescribeServices", {"services": [service()]})
    aws.answers("ecs.RunTask", {"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]})
    like = aws.gateways.ecs.service(CLUSTER, "production-orders")
    assert like is not None

    with pytest.raises(AwsCallFailed, match="RESOURCE:ENI"):
        aws.gateways.ecs.run(
            CLUSTER,
            task_definition="o:8",
            container="app",
            command=["true"],
            like=like,
            started_by="release",
            client_token="1",
        )


def test_stopped_tasks_say_why() -> None:
    aws = RecordedAws()
    container = {
        "name": "app",
        "lastStatus": "STOPPED",
        "exitCode": 137,
        "reason": "OutOfMemoryError: Container killed due to memory usage",
        "imageDigest": "sha256:1",
        "networkInterfaces": [{"privateIpv4Address": "10.0.0.9"}],
    }
    dead = task(
        desiredStatus="STOPPED",
        startedBy="ecs-svc/2",
        stopCode="EssentialContainerExited",
        stoppedReason="Essential container in task exited",
        createdAt=AT,
        stoppedAt=AT,
        containers=[container, {"name": "agent"}],
    )
    aws.answers("ecs.ListTasks", {"taskArns": ["a"], "nextToken": "more"}, {"taskArns": ["b"]})
    aws.answers("ecs.DescribeTasks", {"tasks": [dead], "failures": [{"arn": "b", "reason": "MISSING"}]})

    (read,) = aws.gateways.ecs.tasks(CLUSTER, service="production-orders", stopped=True)

    assert (read.stop_code, read.stopped_reason) == ("EssentialContainerExited", "Essential container in task exited")
    assert (read.created_at, read.stopped_at, read.started_by) == (AT, AT, "ecs-svc/2")
    app, agent = read.container("app"), read.container("agent")
    assert app is not None
    assert (app.exit_code, app.reason[:11], app.image_digest) == (137, "OutOfMemory", "sha256:1")
    assert agent is not None
    assert (agent.exit_code, agent.health) == (None, "UNKNOWN")
    assert read.private_address == "10.0.0.9"
    assert aws.sent("ecs.ListTasks")[0]["desiredStatus"] == "STOPPED"
    assert aws.sent("ecs.DescribeTasks") == [{"cluster": CLUSTER, "tasks": ["a", "b"]}]


def test_tasks_are_read_a_hundred_at_a_time() -> None:
    aws = RecordedAws()
    aws.answers("ecs.ListTasks", {"taskArns": [str(index) for index in range(130)]})
    aws.answers("ecs.DescribeTasks", {"tasks": [task()]})

    assert len(aws.gateways.ecs.tasks(CLUSTER, service="s", stopped=False)) == 2
    assert [len(request["tasks"]) for request in aws.sent("ecs.DescribeTasks")] == [100, 30]


def test_no_service_has_no_tasks_and_no_deployments() -> None:
    aws = RecordedAws()
    aws.answers("ecs.ListTasks", Refusal(code="ServiceNotFoundException"))
    aws.answers("ecs.ListServiceDeployments", Refusal(code="ServiceNotFoundException"))

    assert aws.gateways.ecs.tasks(CLUSTER, service="s", stopped=False) == ()
    assert aws.gateways.ecs.service_deployments(CLUSTER, "s", most=5) == ()


def test_a_running_task_has_the_address_of_its_interface_and_a_forgotten_one_is_none() -> None:
    aws = RecordedAws()
    interface = {"type": "eni", "details": [{"name": "privateIPv4Address", "value": "10.0.0.8"}]}
    aws.answers(
        "ecs.DescribeTasks",
        {"tasks": [task(attachments=[interface])]},
        {"tasks": [], "failures": [{"arn": "x", "reason": "MISSING"}]},
    )

    found = aws.gateways.ecs.task(CLUSTER, "x")

    assert found is not None
    assert found.private_address == "10.0.0.8"
    assert aws.gateways.ecs.task(CLUSTER, "x") is None


def test_rolling_deployments_come_newest_first_in_whatever_order_and_pages_ecs_lists_them() -> None:
    aws = RecordedAws()
    older, newer = ({"createdAt": at, "status": "SUCCESSFUL"} for at in (AT, AT + timedelta(hours=1)))
    aws.answers(
        "ecs.ListServiceDeployments",
        {"serviceDeployments": [{**older, "serviceDeploymentArn": "old"}], "nextToken": "more"},
        {"serviceDeployments": [{**newer, "serviceDeploymentArn": "new"}]},
    )
    old = {"serviceDeploymentArn": "old", "status": "SUCCESSFUL", "finishedAt": AT, "startedAt": AT}
    new = {"serviceDeploymentArn": "new", "status": "ROLLBACK_SUCCESSFUL", "statusReason": "circuit breaker"}
    aws.answers(
        "ecs.DescribeServiceDeployments",
        {
            "serviceDeployments": [
                {**old, "targetServiceRevision": {"arn": "r1"}},
                {**new, "targetServiceRevision": {"arn": "r2"}},
            ]
        },
    )
    revisions = [{"serviceRevisionArn": f"r{number}", "taskDefinition": f"w:{number}"} for number in (1, 2)]
    aws.answers("ecs.DescribeServiceRevisions", {"serviceRevisions": revisions})

    found = aws.gateways.ecs.service_deployments(CLUSTER, "w", most=5)

    assert [(each.arn, each.target_revision, each.reason) for each in found] == [
        ("new", "w:2", "circuit breaker"),
        ("old", "w:1", ""),
    ]
    assert (found[0].started_at, found[1].finished_at) == (None, AT)


def test_a_rolling_deployment_is_rolled_back() -> None:
    aws = RecordedAws()
    aws.answers("ecs.StopServiceDeployment", {"serviceDeploymentArn": "arn"})

    aws.gateways.ecs.stop_service_deployment("arn")

    assert aws.requests[0][1] == {"serviceDeploymentArn": "arn", "stopType": "ROLLBACK"}
