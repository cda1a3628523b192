"""What stays of services and revisions that were deleted, as their caller sees it through boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.aws_simulator.conftest import CLUSTER, NAME, NETWORK, Stage, document

WORKER = "production-orders-worker"


def create_worker(stage: Stage) -> None:
    stage.client("ecs").register_task_definition(**document(stage.image("worker"), family=WORKER))
    stage.client("ecs").create_service(
        cluster=CLUSTER, serviceName=WORKER, taskDefinition=WORKER, desiredCount=2, networkConfiguration=NETWORK
    )
    stage.clock.sleep(120)


def delete(stage: Stage) -> dict[str, Any]:
    answer = stage.client("ecs").delete_service(cluster=CLUSTER, service=WORKER, force=True)
    found: dict[str, Any] = answer["service"]
    return found


def listed(stage: Stage) -> list[str]:
    answer = stage.client("ecs").list_services(cluster=CLUSTER)
    return [arn.rpartition("/")[2] for arn in answer["serviceArns"]]


def test_a_deleted_service_drains_and_is_then_inactive_and_no_longer_listed(stage: Stage) -> None:
    create_worker(stage)
    assert listed(stage) == [NAME, WORKER]
    deleted = delete(stage)
    assert (deleted["status"], deleted["desiredCount"], deleted["runningCount"]) == ("DRAINING", 0, 2)
    assert listed(stage) == [NAME]
    stage.clock.sleep(20)
    found = stage.service(WORKER)
    assert (found["status"], found["runningCount"], found["deployments"]) == ("INACTIVE", 0, [])
    waiter = stage.client("ecs").get_waiter("services_inactive")
    waiter.wait(cluster=CLUSTER, services=[WORKER], WaiterConfig={"MaxAttempts": 1})


def test_a_service_without_tasks_is_inactive_at_the_next_look(stage: Stage) -> None:
    create_worker(stage)
    stage.client("ecs").update_service(cluster=CLUSTER, service=WORKER, desiredCount=0)
    stage.clock.sleep(60)
    stage.client("ecs").delete_service(cluster=CLUSTER, service=WORKER)
    stage.clock.sleep(1)
    assert stage.service(WORKER)["status"] == "INACTIVE"


def test_the_name_of_a_service_is_free_again_when_it_has_drained(stage: Stage) -> None:
    create_worker(stage)
    delete(stage)
    with pytest.raises(ClientError, match="Unable to Start a service that is still Draining"):
        create_worker(stage)
    stage.clock.sleep(20)
    create_worker(stage)
    found = stage.service(WORKER)
    assert (found["status"], found["runningCount"]) == ("ACTIVE", 2)
    assert listed(stage) == [NAME, WORKER]


def test_an_inactive_service_is_neither_updated_nor_deleted_again_and_is_forgotten(stage: Stage) -> None:
    create_worker(stage)
    delete(stage)
    stage.clock.sleep(20)
    client = stage.client("ecs")
    with pytest.raises(client.exceptions.ServiceNotActiveException):
        client.update_service(cluster=CLUSTER, service=WORKER, desiredCount=3)
    with pytest.raises(client.exceptions.ServiceNotFoundException):
        client.delete_service(cluster=CLUSTER, service=WORKER)
    stage.clock.sleep(3600)
    answer = client.describe_services(cluster=CLUSTER, services=[WORKER])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


def test_a_deployment_of_a_deleted_service_fails(stage: Stage) -> None:
    revision = stage.register("2")
    stage.client("ecs").delete_service(cluster=CLUSTER, service=NAME, force=True)
    stage.clock.sleep(20)
    info = stage.ended(stage.deploy(revision))
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "INVALID_ECS_SERVICE")
