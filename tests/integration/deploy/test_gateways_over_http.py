"""The gateways over HTTP, against an emulator: requests are accepted and answers are read."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from local_aws.servers.ministack import AwsServer
from platform_sdk.deploy.aws import NotFound
from platform_sdk.deploy.aws.session import Aws, connect
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.state import Held, Json, LockItem, Suspended, Taken
from tests.support.repository import FIXTURES

TABLE = "platform-local-locks"
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def aws(aws_server: AwsServer) -> Iterator[Aws]:
    environment = replace(load_environment(FIXTURES, "local"), aws_endpoint_url=aws_server.endpoint_url)
    gateways = connect(environment)
    yield gateways
    for gateway in vars(gateways).values():
        if "boto3_client" in vars(getattr(gateway, "client", object)):
            gateway.client.boto3_client.close()


@pytest.fixture
def name() -> str:
    return f"test-{uuid4().hex[:8]}"


def lock(name: str, token: str) -> LockItem:
    return LockItem(
        name=name,
        token=token,
        owner=f"owner of {token}",
        purpose="release",
        since=NOW,
        expires_at=NOW + timedelta(seconds=180),
    )


@pytest.fixture(scope="module")
def table(aws: Aws) -> Iterator[str]:
    client = aws.client_of("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield TABLE
    client.delete_table(TableName=TABLE)
    client.close()


def test_one_of_many_concurrent_requests_gets_the_lock(aws: Aws, table: str, name: str) -> None:
    items = [lock(name, f"token-{number}") for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda item: aws.locks.take(table, item, now=NOW), items))

    held = [answer for answer in answers if isinstance(answer, Held)]
    assert len(held) == 1
    assert {answer.by.token for answer in answers if isinstance(answer, Taken)} == {held[0].item.token}


def test_an_expired_lock_goes_to_the_next_owner_with_the_state_of_the_last(aws: Aws, table: str, name: str) -> None:
    ours, theirs = lock(name, "ours"), lock(name, "theirs")
    suspended = Suspended(scale_in=True, scheduled=True)
    until = NOW + timedelta(seconds=300)

    assert aws.locks.take(table, ours, now=NOW) == Held(item=ours, before=None)
    assert aws.locks.renew(table, name, token="ours", expires_at=until, deployment_id="d-1", scaling=suspended)
    early = aws.locks.take(table, theirs, now=NOW + timedelta(seconds=299))
    late = aws.locks.take(table, theirs, now=until)

    assert isinstance(early, Taken)
    assert (early.by.owner, early.by.expires_at) == ("owner of ours", until)
    assert isinstance(late, Held)
    assert late.item == replace(theirs, deployment_id="d-1", scaling=suspended)
    assert late.before is not None
    assert late.before.owner == "owner of ours"
    assert not aws.locks.renew(table, name, token="ours", expires_at=until)
    assert not aws.locks.release(table, name, token="ours")
    assert aws.locks.release(table, name, token="theirs")
    assert aws.locks.read(table, name) is None


def test_a_lock_taken_twice_with_one_token_is_held(aws: Aws, table: str, name: str) -> None:
    ours = lock(name, "ours")

    first, second = (aws.locks.take(table, ours, now=NOW) for _ in range(2))

    assert first == second == Held(item=ours, before=None)


def test_a_revision_is_read_as_it_was_registered(aws: Aws, name: str) -> None:
    document: dict[str, Any] = {
        "family": name,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "orders:1", "essential": True}],
    }

    first = aws.ecs.register(document, {"platform:version": "one"})
    second = aws.ecs.register(document, {})
    read = aws.ecs.revision(f"{name}:1")
    newest = aws.ecs.revision(name)

    assert (first.revision, second.revision) == (1, 2)
    assert read is not None
    assert read.arn == first.arn
    assert read.tags == {"platform:version": "one"}
    assert {key: read.document[key] for key in ("family", "cpu", "memory")} == {
        "family": name,
        "cpu": "256",
        "memory": "512",
    }
    assert newest is not None
    assert newest.revision == 2


def test_an_unknown_revision_or_service_is_none(aws: Aws, name: str) -> None:
    assert aws.ecs.revision(f"{name}:1") is None
    assert aws.ecs.service(name, name) is None


TEMPLATE = """
Parameters:
  Days: {Type: Number}
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/${AWS::StackName}", RetentionInDays: !Ref Days}
Outputs:
  Group: {Value: !Ref Logs}
"""


def settled(aws: Aws, stack: str) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = aws.stacks.stack(stack)
        if found is not None and found.status.endswith("_COMPLETE"):
            return found.status
        time.sleep(0.05)
    raise AssertionError(f"{stack} did not settle")


def made(aws: Aws, stack: str, name: str) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = aws.stacks.change_set(stack, name)
        if found is not None and found.status in ("CREATE_COMPLETE", "FAILED"):
            return found.status
        time.sleep(0.05)
    raise AssertionError(f"{name} was not made")


def test_a_stack_is_created_and_read_through_a_change_set(aws: Aws, name: str) -> None:
    assert aws.stacks.stack(name) is None
    parameters: list[Json] = [{"ParameterKey": "Days", "ParameterValue": "7"}]

    aws.stacks.create_change_set(
        name, change_set="first", kind="CREATE", template=TEMPLATE, parameters=parameters, tags={"a": "b"}
    )
    assert made(aws, name, "first") == "CREATE_COMPLETE"
    change_set = aws.stacks.change_set(name, "first")
    assert change_set is not None
    assert [(each.action, each.logical_id, each.type) for each in change_set.changes] == [
        ("Add", "Logs", "AWS::Logs::LogGroup")
    ]
    aws.stacks.execute(name, "first")

    assert settled(aws, name) == "CREATE_COMPLETE"
    stack = aws.stacks.stack(name)
    assert stack is not None
    assert (stack.parameters, stack.outputs, stack.tags) == ({"Days": "7"}, {"Group": f"/{name}"}, {"a": "b"})
    assert aws.stacks.template(name) == TEMPLATE
    assert [(each.logical_id, each.physical_id) for each in aws.stacks.resources(name)] == [("Logs", f"/{name}")]
    events = aws.stacks.events(name, after=None)
    assert events
    assert aws.stacks.events(name, after=events[-1].id) == ()
    assert aws.logs.groups([f"/{name}", "/none"]) == {f"/{name}"}


def test_a_missing_stack_has_no_template_resources_or_events(aws: Aws, name: str) -> None:
    assert aws.stacks.resources(name) == ()
    assert aws.stacks.events(name, after=None) == ()
    with pytest.raises(NotFound):
        aws.stacks.template(name)


def test_parameters_are_found_by_name_and_by_path(aws: Aws, name: str) -> None:
    client = aws.client_of("ssm")
    names = [f"/{name}/{number:02}" for number in range(12)]
    for each in names:
        client.put_parameter(Name=each, Value="v", Type="String")
    client.close()

    assert set(aws.parameters.values([*names, f"/{name}/none"])) == set(names)
    assert set(aws.parameters.under(f"/{name}")) == set(names)


def test_secrets_exist_or_not_and_have_keys(aws: Aws, name: str) -> None:
    client = aws.client_of("secretsmanager")
    client.create_secret(Name=name, SecretString=json.dumps({"password": "p", "username": "u"}))
    client.close()

    assert aws.secrets.exists(name)
    assert not aws.secrets.exists(f"{name}-none")
    assert aws.secrets.keys(name) == {"password", "username"}
    with pytest.raises(NotFound):
        aws.secrets.keys(f"{name}-none")


def test_the_last_lines_of_a_log_are_read(aws: Aws, name: str) -> None:
    client = aws.client_of("logs")
    client.create_log_group(logGroupName=name)
    client.create_log_stream(logGroupName=name, logStreamName="app/1")
    start = datetime.now(UTC) - timedelta(minutes=1)
    events = [
        {"timestamp": int((start + timedelta(seconds=number)).timestamp() * 1000), "message": f"line {number}"}
        for number in range(5)
    ]
    client.put_log_events(logGroupName=name, logStreamName="app/1", logEvents=events)
    client.close()

    by_stream = aws.logs.lines(name, streams=["app/1", "none"], since=start - timedelta(minutes=1), most=2)
    by_group = aws.logs.lines(name, stream_prefix="app/", since=start - timedelta(minutes=1), most=2)

    assert [line.text for line in by_stream] == [line.text for line in by_group] == ["line 3", "line 4"]
    assert by_group[0].stream == "app/1"
    assert aws.logs.lines(f"{name}-none", since=start, most=2) == ()


def test_an_image_and_its_repository_may_be_missing(aws: Aws, name: str) -> None:
    assert aws.images.image(name, "v1") is None
    client = aws.client_of("ecr")
    client.create_repository(repositoryName=name)
    manifest = {"schemaVersion": 2, "config": {}, "layers": []}
    put = client.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag="v1")["image"]
    client.close()

    found = aws.images.image(name, "v1")

    assert found is not None
    assert (found.digest, found.tags) == (put["imageId"]["imageDigest"], ("v1",))
    assert aws.images.image(name, "v2") is None
    assert aws.images.login().user == "AWS"


def test_missing_rules_and_target_groups_are_left_out(aws: Aws, name: str) -> None:
    client = aws.client_of("elbv2")
    client.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, VpcId="vpc-1", TargetType="ip", HealthCheckPath="/health/ready"
    )
    client.close()

    found = aws.load_balancing.target_groups([name, f"{name}-x"])

    assert list(found) == [name]
    assert (found[name].port, found[name].health_path) == (8080, "/health/ready")
    assert aws.load_balancing.health(found[name].arn) == ()


def test_the_caller_is_reported(aws: Aws) -> None:
    assert aws.identity.caller().arn.startswith("arn:aws:")
