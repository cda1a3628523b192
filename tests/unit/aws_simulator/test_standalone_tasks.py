"""RunTask, StopTask and what can be learnt of tasks, also of those that have ended."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.aws_simulator.conftest import CLUSTER, LOGS, NAME, NETWORK, Stage, document


def run(stage: Stage, revision: str, **request: Any) -> dict[str, Any]:
    answer = stage.client("ecs").run_task(
        cluster=CLUSTER,
        taskDefinition=revision,
        networkConfiguration=NETWORK,
        overrides={"containerOverrides": [{"name": "app", "command": ["migrate"]}]},
        **request,
    )
    task: dict[str, Any] = answer["tasks"][0]
    return task


def described(stage: Stage, arn: str) -> dict[str, Any]:
    tasks = stage.client("ecs").describe_tasks(cluster=CLUSTER, tasks=[arn], include=["TAGS"])["tasks"]
    found: dict[str, Any] = tasks[0]
    return found


def lines(stage: Stage, prefix: str) -> list[str]:
    answer = stage.client("logs").filter_log_events(logGroupName=LOGS, logStreamNamePrefix=prefix)
    return [event["message"] for event in answer["events"]]


@pytest.mark.parametrize("exit_code", [0, 4])
def test_a_task_runs_to_its_end_with_an_exit_code_and_log_lines(stage: Stage, exit_code: int) -> None:
    revision = stage.register("2", migration_exit_code=exit_code, migration_log_lines=("revision 7", "done"))
    arn = run(stage, revision)["taskArn"]
    seen = []
    for _ in range(50):
        status = described(stage, arn)["lastStatus"]
        if status not in seen:
            seen.append(status)
        stage.clock.sleep(1)
    assert seen == ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"]
    task = described(stage, arn)
    assert task["containers"][0]["exitCode"] == exit_code
    assert (task["stopCode"], task["desiredStatus"]) == ("EssentialContainerExited", "STOPPED")
    assert lines(stage, f"api/app-firelens-{arn.rpartition('/')[2]}") == ["revision 7", "done"]


def test_the_same_token_starts_one_task(stage: Stage) -> None:
    revision = stage.register("2")
    tasks = {run(stage, revision, clientToken="once", startedBy="release")["taskArn"] for _ in range(2)}
    assert len(tasks) == 1
    found = stage.client("ecs").list_tasks(cluster=CLUSTER, startedBy="release")["taskArns"]
    assert set(found) == tasks


def test_a_task_that_is_stopped_by_hand_says_by_whom_and_why(stage: Stage) -> None:
    arn = run(stage, stage.register("2", migration_seconds=600))["taskArn"]
    stage.clock.sleep(40)
    stage.client("ecs").stop_task(cluster=CLUSTER, task=arn, reason="taking too long")
    stage.clock.sleep(20)
    task = described(stage, arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "taking too long")


def test_a_stopped_task_can_be_described_for_an_hour(stage: Stage) -> None:
    arn = run(stage, stage.register("2"))["taskArn"]
    stage.clock.sleep(3600)
    assert described(stage, arn)["lastStatus"] == "STOPPED"
    stage.clock.sleep(120)
    answer = stage.client("ecs").describe_tasks(cluster=CLUSTER, tasks=[arn])
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"] == "MISSING"


def test_tasks_are_listed_by_service_family_and_status(stage: Stage) -> None:
    client = stage.client("ecs")
    of_service = client.list_tasks(cluster=CLUSTER, serviceName=NAME)["taskArns"]
    assert len(of_service) == 2
    arn = run(stage, stage.register("2"))["taskArn"]
    assert set(client.list_tasks(cluster=CLUSTER, family=NAME)["taskArns"]) == {*of_service, arn}
    stage.clock.sleep(60)
    assert client.list_tasks(cluster=CLUSTER, desiredStatus="STOPPED")["taskArns"] == [arn]
    assert client.list_tasks(cluster=CLUSTER)["taskArns"] == of_service


def test_tags_come_from_the_task_definition_where_that_is_asked_for(stage: Stage) -> None:
    tags = [{"key": "platform:version", "value": "2"}]
    answer = stage.client("ecs").register_task_definition(**document(stage.image("2")), tags=tags)
    revision = answer["taskDefinition"]["taskDefinitionArn"]
    arn = run(stage, revision, propagateTags="TASK_DEFINITION")["taskArn"]
    assert described(stage, arn)["tags"] == tags
    kept = stage.client("ecs").describe_task_definition(taskDefinition=revision, include=["TAGS"])
    assert kept["tags"] == tags
    assert stage.client("ecs").list_tags_for_resource(resourceArn=revision)["tags"] == tags


def test_identical_content_makes_a_new_revision(stage: Stage) -> None:
    assert [stage.register("2")[-2:], stage.register("2")[-2:]] == [":2", ":3"]
    newest = stage.client("ecs").list_task_definitions(familyPrefix=NAME, sort="DESC")["taskDefinitionArns"]
    assert [arn.rpartition(":")[2] for arn in newest] == ["3", "2", "1"]
    latest = stage.client("ecs").describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    assert latest["revision"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"taskDefinition": "none"}, "TaskDefinition not found"),
        ({"networkConfiguration": None}, "Network Configuration must be provided"),
        ({"overrides": {"containerOverrides": [{"name": "web"}]}}, "not a container in the TaskDefinition"),
        ({"cluster": "none"}, "Cluster not found"),
    ],
)
def test_run_task_refuses_what_ecs_refuses(stage: Stage, change: dict[str, Any], message: str) -> None:
    request = {"cluster": CLUSTER, "taskDefinition": NAME, "networkConfiguration": NETWORK, **change}
    with pytest.raises(ClientError, match=message):
        stage.client("ecs").run_task(**{key: value for key, value in request.items() if value is not None})


def test_log_events_are_read_stream_by_stream_from_either_end(stage: Stage) -> None:
    revision = stage.register("2", migration_log_lines=("one", "two", "three"))
    arn = run(stage, revision)["taskArn"]
    stage.clock.sleep(60)
    client = stage.client("logs")
    stream = f"api/app-firelens-{arn.rpartition('/')[2]}"
    names = client.describe_log_streams(logGroupName=LOGS, logStreamNamePrefix="api/")["logStreams"]
    assert stream in [one["logStreamName"] for one in names]
    last = client.get_log_events(logGroupName=LOGS, logStreamName=stream, limit=2)
    assert [event["message"] for event in last["events"]] == ["two", "three"]
    first = client.get_log_events(logGroupName=LOGS, logStreamName=stream, limit=2, startFromHead=True)
    assert [event["message"] for event in first["events"]] == ["one", "two"]
    rest = client.get_log_events(logGroupName=LOGS, logStreamName=stream, nextToken=first["nextForwardToken"])
    assert [event["message"] for event in rest["events"]] == ["three"]
    found = client.filter_log_events(logGroupName=LOGS, filterPattern="?one ?three")
    assert [event["message"] for event in found["events"]] == ["one", "three"]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.filter_log_events(logGroupName="/none")
