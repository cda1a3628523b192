"""ECS's own rolling deployments of a worker, good and bad, as its caller sees them through boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.unit.aws_simulator.conftest import CLUSTER, NETWORK, Stage, document

WORKER = "production-orders-worker"
QUEUE_ALARM = "production-orders-dead-letters"


def revision(stage: Stage, version: str, **behaviour: Any) -> str:
    worker = document(stage.image(f"worker {version}", **behaviour), family=WORKER)
    del worker["containerDefinitions"][0]["portMappings"]
    del worker["containerDefinitions"][0]["healthCheck"]
    answer = stage.client("ecs").register_task_definition(**worker)
    return str(answer["taskDefinition"]["taskDefinitionArn"])


@pytest.fixture
def worker(stage: Stage) -> Stage:
    stage.client("ecs").create_service(
        cluster=CLUSTER,
        serviceName=WORKER,
        taskDefinition=revision(stage, "1"),
        desiredCount=3,
        networkConfiguration=NETWORK,
        deploymentConfiguration={
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "alarms": {"alarmNames": [QUEUE_ALARM], "enable": True, "rollback": True},
        },
    )
    stage.simulator.cloudwatch.set_alarm(QUEUE_ALARM, "OK")
    stage.clock.sleep(120)
    return stage


def deployments(stage: Stage) -> list[tuple[str, str, str]]:
    """Status, rollout state and revision's number of each."""
    return [
        (one["status"], one["rolloutState"], one["taskDefinition"].rpartition(":")[2])
        for one in stage.service(WORKER)["deployments"]
    ]


def history(stage: Stage) -> list[str]:
    answer = stage.client("ecs").list_service_deployments(cluster=CLUSTER, service=WORKER)
    return [one["status"] for one in answer["serviceDeployments"]]


def latest(stage: Stage) -> dict[str, Any]:
    client = stage.client("ecs")
    arn = client.list_service_deployments(cluster=CLUSTER, service=WORKER)["serviceDeployments"][0]
    answer = client.describe_service_deployments(serviceDeploymentArns=[arn["serviceDeploymentArn"]])
    found: dict[str, Any] = answer["serviceDeployments"][0]
    return found


def settle(stage: Stage) -> None:
    stage.wait(lambda: len(stage.service(WORKER)["deployments"]) == 1, minutes=20)
    stage.wait(lambda: stage.service(WORKER)["deployments"][0]["rolloutState"] != "IN_PROGRESS", minutes=20)


def test_what_runs_already_begins_no_deployment_unless_it_is_forced(worker: Stage) -> None:
    running = worker.service(WORKER)
    same = {"taskDefinition": running["taskDefinition"], "networkConfiguration": running["networkConfiguration"]}
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, **same)
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "1")]
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, forceNewDeployment=True, **same)
    assert deployments(worker) == [("PRIMARY", "IN_PROGRESS", "1"), ("ACTIVE", "COMPLETED", "1")]


def test_a_good_revision_replaces_the_old_one_without_falling_below_the_desired_count(worker: Stage) -> None:
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "1")]
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=revision(worker, "2"))
    assert deployments(worker) == [("PRIMARY", "IN_PROGRESS", "2"), ("ACTIVE", "COMPLETED", "1")]
    running = []
    for _ in range(60):
        running.append(worker.service(WORKER)["runningCount"])
        worker.clock.sleep(2)
    assert min(running) == 3
    assert max(running) <= 6
    settle(worker)
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "2")]
    assert history(worker) == ["SUCCESSFUL", "SUCCESSFUL"]


def test_the_circuit_breaker_rolls_back_what_cannot_start(worker: Stage) -> None:
    bad = revision(worker, "2", kind="crashes", exit_code=2, log_lines=("no queue",))
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=bad)
    worker.wait(lambda: history(worker)[0] == "ROLLBACK_SUCCESSFUL", minutes=20)
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "1")]
    record = latest(worker)
    assert record["rollback"]["reason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert record["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    target = worker.client("ecs").describe_service_revisions(
        serviceRevisionArns=[record["targetServiceRevision"]["arn"], record["rollback"]["serviceRevisionArn"]]
    )["serviceRevisions"]
    assert [one["taskDefinition"].rpartition(":")[2] for one in target] == ["2", "1"]
    assert {one["containers"][0]["exitCode"] for one in worker.stopped_tasks()} == {2}


def test_while_it_rolls_back_the_service_says_so(worker: Stage) -> None:
    bad = revision(worker, "2", kind="missing")
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=bad)
    worker.wait(lambda: history(worker)[0] == "ROLLBACK_IN_PROGRESS", minutes=20, every_seconds=1)
    primary = worker.service(WORKER)["deployments"][0]
    assert primary["rolloutStateReason"].startswith("ECS deployment circuit breaker: rolling back to deploymentId")
    assert primary["taskDefinition"].endswith(":1")


def test_without_rollback_the_failed_deployment_stays_and_the_old_tasks_go_on(worker: Stage) -> None:
    worker.client("ecs").update_service(
        cluster=CLUSTER,
        service=WORKER,
        taskDefinition=revision(worker, "2", kind="missing"),
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
    )
    worker.clock.sleep(600)
    assert deployments(worker) == [("PRIMARY", "FAILED", "2"), ("ACTIVE", "COMPLETED", "1")]
    assert worker.service(WORKER)["runningCount"] == 3
    assert history(worker)[0] == "STOPPED"


def test_an_alarm_takes_a_deployment_back(worker: Stage) -> None:
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=revision(worker, "2"))
    worker.clock.sleep(45)
    worker.simulator.cloudwatch.set_alarm(QUEUE_ALARM, "ALARM")
    worker.wait(lambda: history(worker)[0] == "ROLLBACK_SUCCESSFUL", minutes=20)
    assert latest(worker)["alarms"]["triggeredAlarmNames"] == [QUEUE_ALARM]
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "1")]


def test_an_alarm_that_was_there_before_is_ignored(worker: Stage) -> None:
    worker.simulator.cloudwatch.set_alarm(QUEUE_ALARM, "ALARM")
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=revision(worker, "2"))
    settle(worker)
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "2")]


def test_a_deployment_is_stopped_and_goes_back(worker: Stage) -> None:
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=revision(worker, "2"))
    worker.clock.sleep(10)
    worker.client("ecs").stop_service_deployment(
        serviceDeploymentArn=latest(worker)["serviceDeploymentArn"], stopType="ROLLBACK"
    )
    worker.wait(lambda: history(worker)[0] == "ROLLBACK_SUCCESSFUL", minutes=20)
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "1")]


def test_a_requested_rollback_begins_later_and_can_be_requested_again(worker: Stage) -> None:
    worker.simulator.conditions.rollback_request_seconds = 30
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=revision(worker, "2"))
    worker.clock.sleep(10)
    arn, client = latest(worker)["serviceDeploymentArn"], worker.client("ecs")
    states = []
    for seconds in (25, 10, 600):
        client.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
        states.append(history(worker)[0])
        worker.clock.sleep(seconds)
    assert states == ["ROLLBACK_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"]
    assert history(worker)[0] == "ROLLBACK_SUCCESSFUL"
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "1")]
    with pytest.raises(client.exceptions.ConflictException):
        client.stop_service_deployment(serviceDeploymentArn=arn)


def test_a_deployment_whose_rollback_is_requested_does_not_complete(worker: Stage) -> None:
    worker.simulator.conditions.rollback_request_seconds = 600
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=revision(worker, "2"))
    client = worker.client("ecs")
    client.stop_service_deployment(serviceDeploymentArn=latest(worker)["serviceDeploymentArn"])
    worker.clock.sleep(1200)
    assert history(worker)[0] == "ROLLBACK_SUCCESSFUL"
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "1")]


def test_a_newer_deployment_supersedes_one_in_progress(worker: Stage) -> None:
    for version in ("2", "3"):
        worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, taskDefinition=revision(worker, version))
        worker.clock.sleep(10)
    settle(worker)
    assert deployments(worker) == [("PRIMARY", "COMPLETED", "3")]
    assert history(worker) == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_the_desired_count_alone_makes_no_deployment(worker: Stage) -> None:
    worker.client("ecs").update_service(cluster=CLUSTER, service=WORKER, desiredCount=1)
    worker.clock.sleep(60)
    assert worker.service(WORKER)["runningCount"] == 1
    assert len(history(worker)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"taskDefinition": "production-orders:1"},
        {"networkConfiguration": NETWORK},
        {"platformVersion": "1.4.0"},
        {"forceNewDeployment": True},
        {"loadBalancers": [{"targetGroupArn": "arn:aws:x", "containerName": "app", "containerPort": 8080}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_under_codedeploy_only_codedeploy_changes_what_runs(stage: Stage, change: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="on services with a CODE_DEPLOY deployment controller") as caught:
        stage.client("ecs").update_service(cluster=CLUSTER, service="production-orders", **change)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_boto3s_own_waiter_reads_the_services(worker: Stage) -> None:
    waiter = worker.client("ecs").get_waiter("services_stable")
    waiter.wait(cluster=CLUSTER, services=[WORKER], WaiterConfig={"MaxAttempts": 1})
    with pytest.raises(WaiterError):
        waiter.wait(cluster=CLUSTER, services=["none"], WaiterConfig={"MaxAttempts": 1})
