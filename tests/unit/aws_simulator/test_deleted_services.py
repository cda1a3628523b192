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


def deregister(stage: Stage, name: str) -> None:
    stage.client("ecs").deregister_task_definition(taskDefinition=name)


def test_an_inactive_revision_is_described_but_starts_nothing_new(stage: Stage) -> None:
    create_worker(stage)
    deregister(stage, f"{WORKER}:1")
    client, where = stage.client("ecs"), {"cluster": CLUSTER, "networkConfiguration": NETWORK}
    found = client.describe_task_definition(taskDefinition=f"{WORKER}:1")["taskDefinition"]
    assert (found["status"], found["deregisteredAt"]) == ("INACTIVE", stage.clock.now())
    assert client.list_task_definitions(familyPrefix=WORKER)["taskDefinitionArns"] == []
    assert len(client.list_task_definitions(familyPrefix=WORKER, status="INACTIVE")["taskDefinitionArns"]) == 1
    with pytest.raises(client.exceptions.InvalidParameterException, match="TaskDefinition is inactive"):
        client.run_task(taskDefinition=f"{WORKER}:1", **where)
    with pytest.raises(client.exceptions.ClientException, match="TaskDefinition is inactive"):
        client.create_service(serviceName="other", taskDefinition=f"{WORKER}:1", desiredCount=1, **where)
    with pytest.raises(client.exceptions.ClientException, match="TaskDefinition is inactive"):
        client.update_service(cluster=CLUSTER, service=WORKER, taskDefinition=f"{WORKER}:1")
    with pytest.raises(client.exceptions.ClientException, match="TaskDefinition is inactive"):
        client.update_service(cluster=CLUSTER, service=WORKER, forceNewDeployment=True)


def test_a_revision_may_start_tasks_for_some_minutes_after_its_deregistration(stage: Stage) -> None:
    create_worker(stage)
    stage.simulator.conditions.deregistered_starts_seconds = 600
    deregister(stage, f"{WORKER}:1")
    client = stage.client("ecs")
    stage.clock.sleep(599)
    client.update_service(cluster=CLUSTER, service=WORKER, forceNewDeployment=True)
    client.run_task(taskDefinition=f"{WORKER}:1", cluster=CLUSTER, networkConfiguration=NETWORK)
    stage.clock.sleep(1)
    with pytest.raises(client.exceptions.ClientException, match="TaskDefinition is inactive"):
        client.update_service(cluster=CLUSTER, service=WORKER, forceNewDeployment=True)


def test_a_service_of_an_inactive_revision_runs_on_and_scales(stage: Stage) -> None:
    create_worker(stage)
    deregister(stage, f"{WORKER}:1")
    stage.client("ecs").update_service(cluster=CLUSTER, service=WORKER, desiredCount=3)
    stage.clock.sleep(60)
    assert stage.service(WORKER)["runningCount"] == 3


def test_a_deployment_of_an_inactive_revision_fails_and_the_original_serves_on(stage: Stage) -> None:
    revision = stage.register("2")
    deregister(stage, revision)
    info = stage.ended(stage.deploy(revision))
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "ECS_UPDATE_ERROR")
    assert "TaskDefinition is inactive" in info["errorInformation"]["message"]
    assert stage.live_revision().endswith(f"{NAME}:1")


def test_a_deleted_revision_goes_when_nothing_uses_it_any_more(stage: Stage) -> None:
    create_worker(stage)
    client, name = stage.client("ecs"), f"{WORKER}:1"
    refused = client.delete_task_definitions(taskDefinitions=[name, f"{WORKER}:9"])
    assert refused["taskDefinitions"] == []
    assert [failure["reason"].split(".")[0] for failure in refused["failures"]] == [
        "The specified task definition is still in ACTIVE status",
        "The specified task definition does not exist",
    ]
    deregister(stage, name)
    answer = client.delete_task_definitions(taskDefinitions=[name])
    assert [one["status"] for one in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    stage.clock.sleep(4000)
    assert stage.service(WORKER)["runningCount"] == 2
    assert client.describe_task_definition(taskDefinition=name)["taskDefinition"]["status"] == "DELETE_IN_PROGRESS"
    delete(stage)
    stage.clock.sleep(60)
    with pytest.raises(client.exceptions.ClientException, match="Unable to describe task definition"):
        client.describe_task_definition(taskDefinition=name)
    registered = client.register_task_definition(**document(stage.image("worker"), family=WORKER))
    assert registered["taskDefinition"]["revision"] == 2


def test_deregistering_needs_a_revision(stage: Stage) -> None:
    with pytest.raises(ClientError, match="Revision is missing"):
        deregister(stage, NAME)
