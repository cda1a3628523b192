"""Stacks through time: order, failure, the way back, and what is left."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_simulator import AwsSimulator
from aws_simulator.cloudformation import CloudFormation
from aws_simulator.small_services import CacheUsers
from tests.unit.aws_simulator_stacks.conftest import Console

Json = dict[str, Any]


def parameter(name: str, value: Any, **attributes: Any) -> Json:
    properties = {"Name": f"/{name}", "Type": "String", "Value": value}
    return {"Type": "AWS::SSM::Parameter", "Properties": properties, **attributes}


def group(name: str, days: int, **attributes: Any) -> Json:
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {"LogGroupName": f"/{name}", "RetentionInDays": days},
        **attributes,
    }


def template(**resources: Json) -> Json:
    return {"Resources": resources}


def value(simulator: AwsSimulator, name: str) -> str:
    return str(simulator.client("ssm").get_parameter(Name=f"/{name}")["Parameter"]["Value"])


CHAIN = template(
    Third=parameter("third", {"Fn::Sub": "after ${Second}"}),
    Second=parameter("second", {"Ref": "First"}),
    First=parameter("first", "1", DependsOn="Logs"),
    Logs=group("logs", 7),
)


def test_resources_are_made_after_what_they_need(console: Any, simulator: AwsSimulator) -> None:
    assert console.apply("chain", CHAIN) == "CREATE_COMPLETE"
    complete = [name for name, status in console.events("chain") if status == "CREATE_COMPLETE"]
    assert complete == ["Logs", "First", "Second", "Third", "chain"]
    assert value(simulator, "third") == "after /second"


def test_a_stack_reports_everything_that_happens_to_a_resource(console: Any) -> None:
    console.apply("chain", template(First=parameter("first", "1")))
    assert console.events("chain") == [
        ("chain", "REVIEW_IN_PROGRESS"),
        ("chain", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_COMPLETE"),
        ("chain", "CREATE_COMPLETE"),
    ]
    assert console.reason("chain", "First", "CREATE_IN_PROGRESS") == "Resource creation Initiated"


def test_a_creation_that_fails_deletes_what_it_made(console: Any, simulator: AwsSimulator) -> None:
    simulator.service(CloudFormation).fail_resource("chain", "Second", "No more of those.")
    assert console.apply("chain", CHAIN) == "ROLLBACK_COMPLETE"
    assert console.reason("chain", "Second", "CREATE_FAILED") == "No more of those."
    assert (
        console.reason("chain", "chain", "ROLLBACK_IN_PROGRESS")
        == "The following resource(s) failed to create: [Second]. Rollback requested by user."
    )
    deleted = [name for name, status in console.events("chain") if status == "DELETE_COMPLETE"]
    assert deleted == ["Second", "First", "Logs"]
    assert simulator.client("logs").describe_log_groups()["logGroups"] == []


def test_a_stack_that_was_rolled_back_can_only_be_deleted(console: Any, simulator: AwsSimulator) -> None:
    simulator.service(CloudFormation).fail_resource("chain", "Logs", "No more of those.")
    console.apply("chain", CHAIN)
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        console.client.create_change_set(
            StackName="chain", ChangeSetName="again", TemplateBody='{"Resources":{"A":{"Type":"B"}}}'
        )
    console.client.delete_stack(StackName="chain")
    assert console.settle(simulator.service(CloudFormation).stacks[0].id) == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="Stack with id chain does not exist"):
        console.client.describe_stacks(StackName="chain")


def test_a_creation_may_be_left_as_it_failed(console: Any, simulator: AwsSimulator) -> None:
    simulator.service(CloudFormation).fail_resource("chain", "Second", "No more of those.")
    assert console.apply("chain", CHAIN, OnStackFailure="DO_NOTHING") == "CREATE_FAILED"
    assert value(simulator, "first") == "1"


def test_what_is_still_being_made_is_cancelled(console: Any, simulator: AwsSimulator) -> None:
    container = {"Name": "app", "Image": "nowhere/nothing:1", "Essential": True}
    task = {
        "Family": "slow",
        "Cpu": "256",
        "Memory": "512",
        "NetworkMode": "awsvpc",
        "ContainerDefinitions": [container],
    }
    network = {"AwsvpcConfiguration": {"Subnets": ["subnet-1"]}}
    service = {"ServiceName": "slow", "Cluster": {"Ref": "Cluster"}, "TaskDefinition": {"Ref": "Task"}}
    slow = template(
        Cluster={"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "here"}},
        Task={"Type": "AWS::ECS::TaskDefinition", "Properties": {**task, "RequiresCompatibilities": ["FARGATE"]}},
        Service={
            "Type": "AWS::ECS::Service",
            "Properties": {**service, "LaunchType": "FARGATE", "NetworkConfiguration": network},
        },
        First=parameter("first", {"Ref": "Cluster"}),
        Second=parameter("second", {"Ref": "First"}),
    )
    simulator.service(CloudFormation).fail_resource("slow", "Second", "No more of those.")
    assert console.apply("slow", slow) == "ROLLBACK_COMPLETE"
    assert console.reason("slow", "Service", "CREATE_FAILED") == "Resource creation cancelled"
    assert ("Service", "DELETE_COMPLETE") in console.events("slow")


def test_a_refusal_of_the_service_is_the_reason(console: Any, simulator: AwsSimulator) -> None:
    simulator.client("ssm").put_parameter(Name="/first", Value="mine", Type="String")
    assert console.apply("chain", template(First=parameter("first", "1"))) == "ROLLBACK_COMPLETE"
    reason = console.reason("chain", "First", "CREATE_FAILED")
    assert reason.startswith(
        'Resource handler returned message: "/first already exists. (Service: SSM, Status Code: 400'
    )
    assert reason.endswith("HandlerErrorCode: AlreadyExists)")
    assert value(simulator, "first") == "mine"


def test_an_update_writes_only_what_has_another_text(console: Any, simulator: AwsSimulator) -> None:
    console.apply("chain", CHAIN)
    before = len(console.events("chain"))
    changed = {"Resources": {**CHAIN["Resources"], "Logs": group("logs", 30)}}
    assert console.apply("chain", changed) == "UPDATE_COMPLETE"
    assert console.events("chain")[before:] == [
        ("chain", "UPDATE_IN_PROGRESS"),
        ("Logs", "UPDATE_IN_PROGRESS"),
        ("Logs", "UPDATE_COMPLETE"),
        ("chain", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("chain", "UPDATE_COMPLETE"),
    ]


def test_what_was_changed_by_hand_is_not_written_back(console: Any, simulator: AwsSimulator) -> None:
    console.apply("chain", CHAIN)
    simulator.client("ssm").put_parameter(Name="/first", Value="by hand", Overwrite=True)
    console.apply("chain", {"Resources": {**CHAIN["Resources"], "Logs": group("logs", 30)}})
    assert value(simulator, "first") == "by hand"


def test_an_update_that_fails_writes_the_previous_text_whatever_has_happened(
    console: Any, simulator: AwsSimulator
) -> None:
    console.apply("chain", CHAIN)
    simulator.client("ssm").put_parameter(Name="/first", Value="by hand", Overwrite=True)
    simulator.service(CloudFormation).fail_resource("chain", "Second", "No more of those.")
    changed = {**CHAIN["Resources"], "First": parameter("first", "2"), "New": parameter("new", "1")}
    changed["Second"] = parameter("second", {"Fn::Sub": "${First} and ${New}"})
    assert console.apply("chain", {"Resources": changed}) == "UPDATE_ROLLBACK_COMPLETE"
    assert (value(simulator, "first"), value(simulator, "second")) == ("1", "/first")
    assert console.reason("chain", "chain", "UPDATE_ROLLBACK_IN_PROGRESS") == (
        "The following resource(s) failed to update: [Second]. "
    )
    with pytest.raises(ClientError, match="ParameterNotFound"):
        value(simulator, "new")
    assert console.apply("chain", {"Resources": {**CHAIN["Resources"], "Logs": group("logs", 30)}}) == "UPDATE_COMPLETE"


def test_a_rollback_that_fails_can_be_continued(console: Any, simulator: AwsSimulator) -> None:
    cloudformation = simulator.service(CloudFormation)
    console.apply("chain", CHAIN)
    cloudformation.fail_resource("chain", "First", "No more of those.", times=2)
    changed = {"Resources": {**CHAIN["Resources"], "First": parameter("first", "2")}}
    assert console.apply("chain", changed) == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(ClientError, match="can not be updated"):
        console.plan("chain", CHAIN)
    console.client.continue_update_rollback(StackName="chain")
    assert console.settle("chain") == "UPDATE_ROLLBACK_COMPLETE"
    assert value(simulator, "first") == "1"


def test_a_rollback_may_skip_what_cannot_go_back(console: Any, simulator: AwsSimulator) -> None:
    console.apply("chain", CHAIN)
    simulator.service(CloudFormation).fail_resource("chain", "First", "No more of those.", times=3)
    console.apply("chain", {"Resources": {**CHAIN["Resources"], "First": parameter("first", "2")}})
    console.client.continue_update_rollback(StackName="chain", ResourcesToSkip=["First"])
    assert console.settle("chain") == "UPDATE_ROLLBACK_COMPLETE"


def test_a_property_that_cannot_change_makes_another_resource(console: Any, simulator: AwsSimulator) -> None:
    console.apply("chain", template(Logs=group("logs", 7), First=parameter("first", {"Ref": "Logs"})))
    changed = template(Logs=group("others", 7), First=parameter("first", {"Ref": "Logs"}))
    assert console.apply("chain", changed) == "UPDATE_COMPLETE"
    assert [one["logGroupName"] for one in simulator.client("logs").describe_log_groups()["logGroups"]] == ["/others"]
    assert value(simulator, "first") == "/others"


def test_a_resource_with_a_name_of_its_own_is_not_replaced_under_that_name(
    console: Any, simulator: AwsSimulator
) -> None:
    def groups(port: int) -> Json:
        properties = {"Name": "blue", "Port": port, "Protocol": "HTTP", "VpcId": "vpc-1", "TargetType": "ip"}
        return template(Group={"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": properties})

    console.apply("named", groups(3000))
    assert console.apply("named", groups(3001)) == "UPDATE_ROLLBACK_COMPLETE"
    assert console.reason("named", "Group", "UPDATE_FAILED") == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename blue and update "
        "the stack again."
    )
    (found,) = simulator.client("elbv2").describe_target_groups()["TargetGroups"]
    assert found["Port"] == 3000


@pytest.mark.parametrize(("policy", "is_left"), [("Delete", False), ("Retain", True), ("RetainExceptOnCreate", True)])
def test_what_a_template_no_longer_holds_goes_or_stays_as_it_says(
    console: Any, simulator: AwsSimulator, policy: str, is_left: bool
) -> None:
    console.apply("chain", template(Kept=parameter("kept", "1"), Logs=group("logs", 7, DeletionPolicy=policy)))
    assert console.apply("chain", template(Kept=parameter("kept", "1"))) == "UPDATE_COMPLETE"
    assert bool(simulator.client("logs").describe_log_groups()["logGroups"]) is is_left
    assert ("Logs", "DELETE_SKIPPED" if is_left else "DELETE_COMPLETE") in console.events("chain")


@pytest.mark.parametrize(("policy", "is_left"), [("Retain", True), ("RetainExceptOnCreate", False)])
def test_what_is_retained_is_kept_after_a_creation_that_failed_too(
    console: Any, simulator: AwsSimulator, policy: str, is_left: bool
) -> None:
    simulator.service(CloudFormation).fail_resource("chain", "First", "No more of those.")
    logs = group("logs", 7, DeletionPolicy=policy)
    console.apply("chain", template(Logs=logs, First=parameter("first", {"Ref": "Logs"})))
    assert bool(simulator.client("logs").describe_log_groups()["logGroups"]) is is_left


def test_an_execution_may_keep_nothing_that_it_made(console: Any, simulator: AwsSimulator) -> None:
    simulator.service(CloudFormation).fail_resource("chain", "First", "No more of those.")
    logs = group("logs", 7, DeletionPolicy="Retain")
    planned = console.plan("chain", template(Logs=logs, First=parameter("first", {"Ref": "Logs"})))
    assert console.execute("chain", planned, RetainExceptOnCreate=True) == "ROLLBACK_COMPLETE"
    assert simulator.client("logs").describe_log_groups()["logGroups"] == []


def test_a_protected_stack_is_not_deleted(console: Any) -> None:
    console.apply("chain", CHAIN)
    console.client.update_termination_protection(StackName="chain", EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        console.client.delete_stack(StackName="chain")


def test_a_stack_policy_forbids_what_it_does_not_allow(console: Any) -> None:
    console.apply("chain", CHAIN)
    policy = (
        '{"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},'
        ' {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "*", "Condition":'
        ' {"StringEquals": {"ResourceType": ["AWS::Logs::LogGroup"]}}}]}'
    )
    console.client.set_stack_policy(StackName="chain", StackPolicyBody=policy)
    with pytest.raises(ClientError, match="denied by stack policy"):
        console.apply("chain", {"Resources": {**CHAIN["Resources"], "Logs": group("logs", 30)}})
    changed = {"Resources": {**CHAIN["Resources"], "First": parameter("first", "2")}}
    assert console.apply("chain", changed) == "UPDATE_COMPLETE"


def role_of(simulator: AwsSimulator, service: str) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    made = simulator.client("iam").create_role(
        RoleName="stacks", AssumeRolePolicyDocument=json.dumps({"Statement": trust})
    )
    return str(made["Role"]["Arn"])


def test_a_role_that_cloudformation_cannot_take_is_refused(console: Any, simulator: AwsSimulator) -> None:
    for arn in (simulator.arn("iam", "role/none", regional=False), role_of(simulator, "ecs-tasks.amazonaws.com")):
        with pytest.raises(ClientError, match=f"Role {arn} is invalid or cannot be assumed"):
            console.plan("chain", CHAIN, RoleARN=arn)


def test_outputs_tags_and_values_are_described(console: Any, simulator: AwsSimulator) -> None:
    body = {
        "Parameters": {"Name": {"Type": "String"}},
        **template(First=parameter("first", {"Ref": "Name"})),
        "Outputs": {"First": {"Value": {"Fn::GetAtt": ["First", "Value"]}, "Description": "what it holds"}},
    }
    role = role_of(simulator, "cloudformation.amazonaws.com")
    console.apply("chain", body, {"Name": "Ada"}, Tags=[{"Key": "owner", "Value": "us"}], RoleARN=role)
    (stack,) = console.client.describe_stacks(StackName="chain")["Stacks"]
    assert stack["Outputs"] == [{"OutputKey": "First", "OutputValue": "Ada", "Description": "what it holds"}]
    assert stack["Parameters"] == [{"ParameterKey": "Name", "ParameterValue": "Ada"}]
    assert (stack["Tags"], stack["RoleARN"]) == ([{"Key": "owner", "Value": "us"}], role)
    assert "Name" in console.client.get_template(StackName="chain")["TemplateBody"]["Parameters"]


def test_resources_are_listed_with_what_became_of_them(console: Any) -> None:
    console.apply("chain", CHAIN)
    listed = console.client.list_stack_resources(StackName="chain")["StackResourceSummaries"]
    assert [(one["LogicalResourceId"], one["PhysicalResourceId"], one["ResourceStatus"]) for one in listed] == [
        ("First", "/first", "CREATE_COMPLETE"),
        ("Logs", "/logs", "CREATE_COMPLETE"),
        ("Second", "/second", "CREATE_COMPLETE"),
        ("Third", "/third", "CREATE_COMPLETE"),
    ]
    (one,) = console.client.describe_stack_resources(StackName="chain", LogicalResourceId="Logs")["StackResources"]
    assert one["ResourceType"] == "AWS::Logs::LogGroup"


def test_a_new_value_of_a_secret_reaches_no_resource_while_the_reference_to_it_is_the_same(
    simulator: AwsSimulator, console: Console
) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html: a rotation needs more."""
    secrets, old, new = simulator.client("secretsmanager"), "0123456789abcdef-old", "0123456789abcdef-new"
    arn = secrets.create_secret(Name="cache", SecretString=json.dumps({"password": old}))["ARN"]
    user: Json = {
        "UserId": "cache-user",
        "UserName": "default",
        "Engine": "valkey",
        "AccessString": "on ~* +@all",
        "AuthenticationMode": {
            "Type": "password",
            "Passwords": [f"{{{{resolve:secretsmanager:{arn}:SecretString:password}}}}"],
        },
    }
    template: Json = {
        "Parameters": {"Value": {"Type": "String"}},
        "Resources": {
            "User": {"Type": "AWS::ElastiCache::User", "Properties": user},
            "Other": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/other", "Type": "String", "Value": {"Ref": "Value"}},
            },
        },
    }
    assert console.apply("cache", template, {"Value": "first"}) == "CREATE_COMPLETE"
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps({"password": new}))
    assert console.apply("cache", template, {"Value": "second"}) == "UPDATE_COMPLETE"
    assert simulator.service(CacheUsers).users["cache-user"].passwords == [old]
    user["AccessString"] = "on ~* +@all -@dangerous"
    assert console.apply("cache", template, {"Value": "second"}) == "UPDATE_COMPLETE"
    assert simulator.service(CacheUsers).users["cache-user"].passwords == [new]
