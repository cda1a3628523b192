"""Create, update and protect a stack through change sets, over HTTP, against an independent emulator."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from local_aws.servers.ministack import AwsServer
from platform_sdk.deploy.apply.events import ApplyContext, ApplyEvent, ResourceMoved, WouldBeLost
from platform_sdk.deploy.apply.stack import DesiredStack, apply_stack
from platform_sdk.deploy.aws.session import connect
from platform_sdk.deploy.clock import SystemClock
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.release.context import Interrupts
from tests.support.repository import FIXTURES

FIRST = """
Parameters:
  Days: {Type: Number}
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/${AWS::StackName}", RetentionInDays: !Ref Days}
"""
SECOND = (
    FIRST
    + """
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${AWS::StackName}"}
"""
)


@pytest.fixture
def emitted() -> list[ApplyEvent]:
    return []


@pytest.fixture
def tools(aws_server: AwsServer, emitted: list[ApplyEvent]) -> Iterator[ApplyContext]:
    environment = replace(load_environment(FIXTURES, "local"), aws_endpoint_url=aws_server.endpoint_url)
    aws = connect(environment)
    yield ApplyContext(
        aws_once=aws, clock=SystemClock(), emit=emitted.append, agree=lambda _question: True, interrupts=Interrupts()
    )
    aws.stacks.client.boto3_client.close()


def test_a_stack_is_created_left_unchanged_updated_and_kept_from_data_loss(
    tools: ApplyContext, emitted: list[ApplyEvent]
) -> None:
    desired = DesiredStack(
        name=f"test-{uuid4().hex[:8]}",
        environment="local",
        template=FIRST,
        parameters=({"ParameterKey": "Days", "ParameterValue": "7"},),
        tags={"platform:environment": "local"},
        protect=True,
    )

    created = apply_stack(desired, tools)
    again = apply_stack(desired, tools)
    updated = apply_stack(replace(desired, template=SECOND), tools)
    with pytest.raises(WouldBeLost, match="Queue"):
        apply_stack(desired, tools)

    assert (created.action, again.action, updated.action) == ("created", "unchanged", "updated")
    assert [(change.action, change.logical_id) for change in updated.changes] == [("Add", "Queue")]
    moved = [(each.event.logical_id, each.event.status) for each in emitted if isinstance(each, ResourceMoved)]
    assert ("Logs", "CREATE_COMPLETE") in moved
    assert moved[-1] == (desired.name, "UPDATE_COMPLETE")
    assert {each.logical_id for each in tools.aws.stacks.resources(desired.name)} == {"Logs", "Queue"}
