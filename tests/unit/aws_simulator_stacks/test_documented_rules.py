"""Values that only the documentation of a service forbids are refused, in requests and in stacks."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_simulator import AwsSimulator
from aws_simulator.documented import RULES, violations_in_properties


def group(description: str, **properties: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "Group": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {"GroupDescription": description, "VpcId": "vpc-0123456789abcdef0", **properties},
            }
        }
    }


def test_a_stack_with_an_apostrophe_in_a_security_group_is_rolled_back(console: Any, simulator: AwsSimulator) -> None:
    assert console.apply("groups", group("AWS's APIs")) == "ROLLBACK_COMPLETE"
    events = simulator.client("cloudformation").describe_stack_events(StackName="groups")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any(
        "Value 'AWS's APIs' of AWS::EC2::SecurityGroup/GroupDescription is not allowed" in why for why in reasons
    )
    assert console.apply("good-groups", group("The APIs of AWS")) == "CREATE_COMPLETE"


def test_a_rule_is_kept_in_each_item_of_a_list() -> None:
    rules = [{"Description": "Tasks"}, {"Description": "The database's"}]
    found = list(violations_in_properties("AWS::EC2::SecurityGroup", {"SecurityGroupEgress": rules}))
    assert [text.split(" is not")[0] for text in found] == [
        "Value 'The database's' of AWS::EC2::SecurityGroup/SecurityGroupEgress/Description"
    ]


def test_a_request_with_a_name_that_only_the_documentation_forbids_is_refused(simulator: AwsSimulator) -> None:
    with pytest.raises(ClientError, match=r"Value 'a queue' at 'QueueName' failed .* A queue name can have up to 80"):
        simulator.client("sqs").create_queue(QueueName="a queue")


ALLOWED_AND_NOT = {
    "codedeploy.BlueInstanceTerminationOption.terminationWaitTimeInMinutes": ((0, 2880), (2881, -1)),
    "cloudfront.DistributionConfig.Comment": (("c" * 128,), ("c" * 129,)),
    "cloudwatch.Dimension.Value": (("a b",), (" ", "ä", "a\n")),
    "cloudwatch.PutMetricAlarmInput.Period": ((10, 60, 300, "3600"), (5, 50, 90, 100)),
    "ecs.ContainerDefinition.image": (
        ("python:3.13", "a/b@sha256:" + "0" * 64),
        ("a" * 256, "a@sha256:00", "a b"),
    ),
    "elbv2.CreateLoadBalancerInput.Name": (("a" * 32, "a-b"), ("a" * 33, "-a", "a-", "internal-a", "a_b")),
    "elbv2.Matcher.HttpCode": (("200", "200-299", "200,202"), ("100", "500", "200,")),
    "rds.CreateDBClusterMessage.MasterUsername": (("platformowner",), ("platform_owner", "1a", "a" * 17)),
    "rds.CreateDBInstanceMessage.DBInstanceIdentifier": (("a" * 63, "a-1"), ("a" * 64, "a--1", "a-", "1a")),
    "rds.CreateDBClusterMessage.BackupRetentionPeriod": ((1, "35"), (0, "36", "many")),
    "secretsmanager.CreateSecretRequest.Name": (("platform/a-bcdefg/b", "a"), ("a-bcdefg", "a b")),
    "ssm.PutParameterRequest.Name": (("/platform/a", "a"), ("/aws/a", "ssm-a", "/a b", "/" + "/".join("a" * 16))),
    "ssm.PutParameterRequest.Value": (('{"a": {"b": {}}}',), ("a {{ssm:b}}",)),
}


@pytest.mark.parametrize("member", ALLOWED_AND_NOT)
def test_a_rule_allows_what_its_sentence_allows_and_nothing_else(member: str) -> None:
    rule = next(rule for rule in RULES if rule.member == member)
    allowed, refused = ALLOWED_AND_NOT[member]
    assert [value for value in allowed if not rule.allows(value)] == []
    assert [value for value in refused if rule.allows(value)] == []
