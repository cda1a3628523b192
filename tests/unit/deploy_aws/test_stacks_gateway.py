"""What the gateway asks of CloudFormation, and what it makes of the answers."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from platform_sdk.deploy.aws import AwsCallFailed, NotFound
from tests.support.recorded_aws import RecordedAws, Refusal

NAME = "platform-staging-network"
ID = f"arn:aws:cloudformation:us-east-1:111122223333:stack/{NAME}/1"
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
UNKNOWN = Refusal(code="ValidationError", message=f"Stack with id {NAME} does not exist")
READING = ("DescribeStacks", "GetTemplate", "ListStackResources", "DescribeStackEvents", "DescribeChangeSet")
OTHER = Refusal(code="ValidationError", message="1 validation error detected")


def stack(**more: Any) -> dict[str, Any]:
    return {"StackName": NAME, "StackId": ID, "StackStatus": "CREATE_COMPLETE", "CreationTime": AT, **more}


def test_a_stack_has_parameters_outputs_and_tags() -> None:
    aws = RecordedAws()
    found = stack(
        StackStatusReason="fine",
        Parameters=[{"ParameterKey": "Cidr", "ParameterValue": "10.0.0.0/16"}],
        Outputs=[{"OutputKey": "VpcId", "OutputValue": "vpc-1"}],
        Tags=[{"Key": "platform:environment", "Value": "staging"}],
        EnableTerminationProtection=True,
    )
    aws.answers("cloudformation.DescribeStacks", {"Stacks": [found]})

    read = aws.gateways.stacks.stack(NAME)

    assert read is not None
    assert (read.id, read.status, read.status_reason, read.updated_at) == (ID, "CREATE_COMPLETE", "fine", AT)
    assert (read.parameters, read.outputs) == ({"Cidr": "10.0.0.0/16"}, {"VpcId": "vpc-1"})
    assert read.tags == {"platform:environment": "staging"}
    assert read.is_protected


def test_an_unknown_stack_is_nothing_anywhere() -> None:
    aws = RecordedAws()
    for operation in (
        "DescribeStacks",
        "GetTemplate",
        "ListStackResources",
        "DescribeStackEvents",
        "DescribeChangeSet",
    ):
        aws.answers(f"cloudformation.{operation}", UNKNOWN)
    aws.answers("cloudformation.DeleteChangeSet", UNKNOWN)

    stacks = aws.gateways.stacks
    assert stacks.stack(NAME) is None
    assert stacks.resources(NAME) == ()
    assert stacks.events(NAME, after=None) == ()
    assert stacks.last_event(NAME) is None
    assert stacks.change_set(NAME, "c1") is None
    stacks.delete_change_set(NAME, "c1")
    with pytest.raises(NotFound):
        stacks.template(NAME)


def test_another_refusal_is_an_error_everywhere() -> None:
    aws = RecordedAws()
    for operation in (
        "DescribeStacks",
        "GetTemplate",
        "ListStackResources",
        "DescribeStackEvents",
        "DescribeChangeSet",
    ):
        aws.answers(f"cloudformation.{operation}", OTHER)
    aws.answers("cloudformation.DeleteChangeSet", OTHER)

    stacks = aws.gateways.stacks
    for ask in (
        lambda: stacks.stack(NAME),
        lambda: stacks.resources(NAME),
        lambda: stacks.events(NAME, after=None),
        lambda: stacks.last_event(NAME),
        lambda: stacks.change_set(NAME, "c1"),
        lambda: stacks.delete_change_set(NAME, "c1"),
        lambda: stacks.template(NAME),
    ):
        with pytest.raises(AwsCallFailed, match="1 validation error") as raised:
            ask()
        assert type(raised.value) is AwsCallFailed


def test_a_template_is_a_document_of_plain_mappings_or_a_text() -> None:
    aws = RecordedAws()
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"Tags": [{"Key": "a", "Value": "b"}]}}
    document = {"Resources": {"Queue": queue}}
    aws.answers(
        "cloudformation.GetTemplate", {"TemplateBody": json.dumps(document)}, {"TemplateBody": "Resources: !Ref X"}
    )

    read = aws.gateways.stacks.template(NAME)

    assert read == document
    assert repr(read) == repr(document)
    assert aws.gateways.stacks.template(NAME) == "Resources: !Ref X"
    assert aws.requests[0][1] == {"StackName": NAME, "TemplateStage": "Original"}


def test_resources_are_read_to_the_last_page() -> None:
    aws = RecordedAws()

    def resource(name: str) -> dict[str, Any]:
        return {
            "LogicalResourceId": name,
            "ResourceType": "AWS::EC2::VPC",
            "ResourceStatus": "CREATE_COMPLETE",
            "LastUpdatedTimestamp": AT,
        }

    aws.answers(
        "cloudformation.ListStackResources",
        {"StackResourceSummaries": [{**resource("A"), "PhysicalResourceId": "vpc-1"}], "NextToken": "more"},
        {"StackResourceSummaries": [resource("B")]},
    )

    found = aws.gateways.stacks.resources(NAME)

    assert [(each.logical_id, each.physical_id) for each in found] == [("A", "vpc-1"), ("B", "")]


@pytest.mark.parametrize("role", [None, "arn:aws:iam::111122223333:role/stack"])
@pytest.mark.parametrize("tags", [None, {"platform:environment": "staging"}])
def test_a_change_set_is_created_or_exists_already(role: str | None, tags: dict[str, str] | None) -> None:
    aws = RecordedAws()
    aws.answers("cloudformation.CreateChangeSet", {"Id": "1"}, Refusal(code="AlreadyExistsException"), OTHER)

    def create() -> None:
        aws.gateways.stacks.create_change_set(
            NAME,
            change_set="c1",
            kind="CREATE",
            template="{}",
            parameters=[{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "UsePreviousValue": True}],
            tags=tags,
            role_arn=role,
        )

    create()
    create()
    with pytest.raises(AwsCallFailed):
        create()
    sent = aws.requests[0][1]
    assert sent.pop("RoleARN", None) == role
    assert sent.pop("Tags", None) == (tags and [{"Key": "platform:environment", "Value": "staging"}])
    assert sent == {
        "StackName": NAME,
        "ChangeSetName": "c1",
        "ChangeSetType": "CREATE",
        "TemplateBody": "{}",
        "Parameters": [{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "UsePreviousValue": True}],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }


def test_a_change_set_has_the_changes_of_every_page() -> None:
    aws = RecordedAws()
    about = {
        "ChangeSetName": "c1",
        "StackName": NAME,
        "Status": "CREATE_COMPLETE",
        "ExecutionStatus": "AVAILABLE",
    }
    modified = {
        "Action": "Modify",
        "LogicalResourceId": "Database",
        "PhysicalResourceId": "db-1",
        "ResourceType": "AWS::RDS::DBCluster",
        "Replacement": "Conditional",
        "PolicyAction": "ReplaceAndSnapshot",
        "Scope": ["Properties"],
        "Details": [
            {"Target": {"Attribute": "Properties", "Name": "Engine", "RequiresRecreation": "Conditionally"}},
            {"Target": {"Attribute": "Properties", "Name": "Engine"}, "ChangeSource": "ParameterReference"},
            {"Target": {"Attribute": "Tags"}},
        ],
    }
    added = {"Action": "Add", "LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue"}
    aws.answers(
        "cloudformation.DescribeChangeSet",
        {**about, "Changes": [{"Type": "Resource", "ResourceChange": modified}], "NextToken": "more"},
        {**about, "Changes": [{"Type": "Resource", "ResourceChange": added}]},
    )

    read = aws.gateways.stacks.change_set(NAME, "c1")

    assert read is not None
    first, second = read.changes
    assert (first.replacement, first.scope, first.properties) == ("Conditional", ("Properties",), ("Engine",))
    assert first.policy_action == "ReplaceAndSnapshot"
    assert (second.action, second.replacement, second.physical_id) == ("Add", "", "")
    assert not read.is_empty


def test_an_empty_change_set_is_known_by_its_words_and_an_unknown_one_is_none() -> None:
    aws = RecordedAws()
    reason = "The submitted information didn't contain changes. Submit different information to create a change set."
    empty = {"ChangeSetName": "c1", "StackName": NAME, "Status": "FAILED", "StatusReason": reason}
    aws.answers("cloudformation.DescribeChangeSet", empty, Refusal(code="ChangeSetNotFound"))

    read = aws.gateways.stacks.change_set(NAME, "c1")

    assert read is not None
    assert read.is_empty
    assert aws.gateways.stacks.change_set(NAME, "c1") is None


def event(number: int) -> dict[str, Any]:
    return {
        "StackId": ID,
        "StackName": NAME,
        "EventId": f"e{number}",
        "Timestamp": AT,
        "LogicalResourceId": "Vpc",
        "ResourceType": "AWS::EC2::VPC",
        "ResourceStatus": "CREATE_FAILED",
        "ResourceStatusReason": "quota",
    }


def test_events_come_oldest_first_and_only_new_ones_are_read() -> None:
    aws = RecordedAws()
    first = {"StackEvents": [event(4), event(3)], "NextToken": "more"}
    aws.answers("cloudformation.DescribeStackEvents", first, {"StackEvents": [event(2), event(1)]}, first)

    assert [each.id for each in aws.gateways.stacks.events(NAME, after=None)] == ["e1", "e2", "e3", "e4"]
    (newest,) = aws.gateways.stacks.events(NAME, after="e3")
    assert aws.gateways.stacks.last_event(NAME) == "e4"

    assert (newest.id, newest.status, newest.reason, newest.at) == ("e4", "CREATE_FAILED", "quota", AT)
    assert len(aws.requests) == 4


def test_a_stack_is_executed_protected_deleted_and_rolled_back() -> None:
    aws = RecordedAws()
    for operation in ("ExecuteChangeSet", "ContinueUpdateRollback", "UpdateTerminationProtection", "DeleteStack"):
        aws.answers(f"cloudformation.{operation}", {})

    aws.gateways.stacks.execute(NAME, "c1")
    aws.gateways.stacks.execute(NAME, "c2", rolls_back=False)
    aws.gateways.stacks.protect(NAME)
    aws.gateways.stacks.delete(NAME)
    aws.gateways.stacks.continue_rollback(NAME)
    aws.gateways.stacks.continue_rollback(NAME, role_arn="arn:aws:iam::111122223333:role/stack", skipped=("Topic",))

    assert aws.requests == [
        ("cloudformation.ExecuteChangeSet", {"StackName": NAME, "ChangeSetName": "c1", "RetainExceptOnCreate": True}),
        (
            "cloudformation.ExecuteChangeSet",
            {"StackName": NAME, "ChangeSetName": "c2", "RetainExceptOnCreate": True, "DisableRollback": True},
        ),
        (
            "cloudformation.UpdateTerminationProtection",
            {"StackName": NAME, "EnableTerminationProtection": True},
        ),
        ("cloudformation.DeleteStack", {"StackName": NAME}),
        ("cloudformation.ContinueUpdateRollback", {"StackName": NAME}),
        (
            "cloudformation.ContinueUpdateRollback",
            {"StackName": NAME, "RoleARN": "arn:aws:iam::111122223333:role/stack", "ResourcesToSkip": ["Topic"]},
        ),
    ]
