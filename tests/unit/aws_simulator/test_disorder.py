"""Lists in any order and reads that are old, where AWS promises nothing else."""

from typing import Any

import pytest

from aws_simulator import Conditions
from tests.unit.aws_simulator.conftest import CLUSTER, NAME, NETWORK, Stage

TARGET: dict[str, Any] = {
    "ServiceNamespace": "ecs",
    "ResourceId": f"service/{CLUSTER}/{NAME}",
    "ScalableDimension": "ecs:service:DesiredCount",
}


def tasks(stage: Stage) -> list[str]:
    found: list[str] = stage.client("ecs").list_tasks(cluster=CLUSTER)["taskArns"]
    return found


def test_lists_have_an_order_of_chance_that_a_seed_repeats(stage: Stage) -> None:
    stage.client("ecs").update_service(cluster=CLUSTER, service=NAME, desiredCount=6)
    stage.clock.sleep(60)
    made = tasks(stage)
    orders = []
    for seed in (1, 2, 1):
        stage.simulator.conditions = Conditions(shuffles=True, seed=seed)
        orders.append(tasks(stage))
    assert orders[0] == orders[2] != orders[1]
    assert all(sorted(order) == sorted(made) and order != made for order in orders)


def test_definitions_keep_the_order_that_ecs_promises(stage: Stage) -> None:
    stage.simulator.conditions = Conditions(shuffles=True, seed=1)
    for version in ("2", "3", "4"):
        stage.register(version)
    arns = stage.client("ecs").list_task_definitions(familyPrefix=NAME, sort="DESC")["taskDefinitionArns"]
    assert [arn.rpartition(":")[2] for arn in arns] == ["4", "3", "2", "1"]


def test_a_read_may_be_old_for_some_seconds_after_a_write(stage: Stage) -> None:
    stage.simulator.conditions = Conditions(consistency_delay_seconds=10, old_reads=1)
    client = stage.client("ecs")
    client.update_service(cluster=CLUSTER, service=NAME, desiredCount=5)
    seen = []
    for _ in range(3):
        seen.append(stage.service()["desiredCount"])
        stage.clock.sleep(5)
    assert seen == [2, 2, 5]


def test_a_task_that_was_just_started_may_be_missing(stage: Stage) -> None:
    stage.simulator.conditions = Conditions(consistency_delay_seconds=10, old_reads=1)
    client = stage.client("ecs")
    started = client.run_task(cluster=CLUSTER, taskDefinition=NAME, networkConfiguration=NETWORK)["tasks"][0]["taskArn"]
    first = client.describe_tasks(cluster=CLUSTER, tasks=[started])
    stage.clock.sleep(10)
    second = client.describe_tasks(cluster=CLUSTER, tasks=[started])
    assert [failure["reason"] for failure in first["failures"]] == ["MISSING"]
    assert [task["taskArn"] for task in second["tasks"]] == [started]


def test_a_new_deployment_may_be_missing_in_the_list_but_not_by_its_id(stage: Stage) -> None:
    stage.simulator.conditions = Conditions(consistency_delay_seconds=10, old_reads=1)
    deployment = stage.deploy(stage.register("2"))
    client = stage.client("codedeploy")
    assert client.list_deployments(applicationName=NAME, deploymentGroupName=NAME)["deployments"] == []
    assert stage.info(deployment)["status"] == "Created"


@pytest.mark.parametrize(("consistent", "found"), [(True, True), (False, False)])
def test_dynamodb_reads_are_old_unless_they_are_consistent(stage: Stage, consistent: bool, found: bool) -> None:
    client = stage.client("dynamodb")
    client.create_table(
        TableName="locks",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    stage.clock.sleep(30)
    stage.simulator.conditions = Conditions(consistency_delay_seconds=10, old_reads=1)
    key = {"id": {"S": "one"}}
    client.put_item(TableName="locks", Item=key)
    assert ("Item" in client.get_item(TableName="locks", Key=key, ConsistentRead=consistent)) == found


def test_the_share_of_old_reads_is_decided_by_the_seed(stage: Stage) -> None:
    stage.simulator.conditions = Conditions(consistency_delay_seconds=10, old_reads=0.5, seed=3)
    client = stage.client("application-autoscaling")
    client.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=6)
    found = [len(client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]) for _ in range(20)]
    assert set(found) == {0, 1}
