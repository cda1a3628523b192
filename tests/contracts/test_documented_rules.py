"""Rules that AWS states only in the documentation of its models: what we render keeps them, and none is missing."""

import re
from functools import cache
from typing import Final

import pytest

from aws_simulator.cloudformation.intrinsics import Unknown
from aws_simulator.documented import OF_MEMBER, OF_PROPERTY, RULES, violations_in_properties
from aws_simulator.documented.rule import Rule
from aws_simulator.shapes import operation_model
from tests.support.applying import account_with_service, copy_of
from tests.support.documented_members import (
    documentation_of,
    member_of,
    members_in,
    members_set_by,
    paths_in,
    rendered,
)

SAYS_A_RULE: Final = re.compile(
    r"(?i)\b(constraints:|(allowed|valid) (values|characters)|supported values are|possible values are|"
    r"(can|must) (only )?(contain|include|begin|start)|must be (a value|between|in the (format|range))|"
    r"(maximum|minimum) (length|setting|permitted|timeout)|maximum allowed|no more than|up to \d+ |"
    r"\d+ (characters|letters)|longer than|non-zero)"
)

ABOUT_OTHERS: Final = "a rule about other resources, which exist because the template makes them"

WITHOUT_RULE: Final = {
    "application-autoscaling.TargetTrackingScalingPolicyConfiguration.ScaleInCooldown": "the page has defaults only",
    "application-autoscaling.TargetTrackingScalingPolicyConfiguration.TargetValue": "the range of any number of ours",
    "cloudformation.CreateChangeSetInput.TemplateBody": "the simulator counts the bytes",
    "cloudfront.DefaultCacheBehavior.CachePolicyId": "the id of a policy that AWS manages",
    "cloudwatch.MetricDataQuery.Expression": "metric math: the simulator computes it",
    "cloudwatch.MetricStat.Stat": "any statistic is allowed",
    "cloudwatch.PutMetricAlarmInput.AlarmActions": "the topic's ARN, which SNS makes",
    "cloudwatch.PutMetricAlarmInput.OKActions": "the topic's ARN, which SNS makes",
    "codebuild.ProjectSource.buildspec": "a rule about the repository, which has the file",
    "dynamodb.DeleteItemInput.ConditionExpression": "the simulator reads expressions",
    "dynamodb.UpdateItemInput.ConditionExpression": "the simulator reads expressions",
    "ecs.RegisterTaskDefinitionRequest.cpu": "the simulator checks the sizes of Fargate",
    "rds.CreateDBClusterMessage.DBClusterParameterGroupName": ABOUT_OTHERS,
    "rds.CreateDBClusterMessage.DBSubnetGroupName": ABOUT_OTHERS,
    "rds.CreateDBInstanceMessage.AvailabilityZone": "a rule about Multi-AZ instances, which Aurora's are not",
    "route53.AliasTarget.DNSName": ABOUT_OTHERS,
    "route53.AliasTarget.HostedZoneId": ABOUT_OTHERS,
    "secretsmanager.GetRandomPasswordRequest.PasswordLength": "the length has bounds in the model",
}
"""Members whose documentation sounds like a rule and has none for our values, and why."""

NOT_IN_THE_MODEL: Final = {
    r"PolicyDocument/|KeyPolicy/|Queue/Redrive": "a JSON document",
    r"/SecurityGroup(Ingress|Egress)/": "protocols, ports and addresses: the linter reads them",
    r"ParameterGroup/(Properties|Parameters)/": "settings of PostgreSQL and Valkey",
    r"^AWS::S3::Bucket/": "enumerations and numbers of days: the linter reads them",
    r"/GenerateSecretString/": "read by CloudFormation, not by Secrets Manager",
    r"Policy/Roles$|/ManagedPolicyArns$": "names and ARNs of what IAM has",
    r"/HostedZoneId$|/VPCRegion$": "an id or a region, which AWS gives",
    r"^Custom::": "read by our own function",
}
"""Properties that no request has under that name, and why they need no rule."""


@cache
def paths() -> frozenset[str]:
    return frozenset(path for kind, properties in rendered() for path, _ in paths_in(kind, properties))


def written_paths() -> set[str]:
    """Return the properties whose value the template has: not what it takes from another resource."""
    found = ((path, value) for kind, properties in rendered() for path, value in paths_in(kind, properties))
    return {path for path, value in found if not isinstance(value, Unknown)}


def states_a_rule(member: str) -> bool:
    shape = member_of(member)
    leaf = getattr(shape, "member", shape)
    checked = getattr(leaf, "enum", None) or leaf.metadata.get("pattern")
    texts = leaf.type_name in ("string", "integer", "long", "float", "double")
    return texts and not checked and SAYS_A_RULE.search(documentation_of(member)) is not None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.member)
def test_botocore_still_says_what_a_rule_is_made_of(rule: Rule) -> None:
    assert rule.says in documentation_of(rule.member)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.member)
def test_the_properties_of_a_rule_are_rendered_and_set_its_member(rule: Rule) -> None:
    assert set(rule.properties) <= paths()
    assert [path for path in rule.properties if rule.member not in members_set_by(path)] == []


def test_every_value_that_we_render_keeps_the_rules() -> None:
    found = {violation for kind, properties in rendered() for violation in violations_in_properties(kind, properties)}
    assert sorted(found) == []


def test_no_property_lacks_the_rule_that_its_documentation_states() -> None:
    lacking = {
        f"{path} sets {member}: {documentation_of(member)}"
        for path in paths() - OF_PROPERTY.keys()
        for member in members_set_by(path)
        if states_a_rule(member) and member not in WITHOUT_RULE
    }
    assert sorted(lacking) == []


def test_every_property_leads_to_a_member_or_says_why_it_does_not() -> None:
    unknown = {path for path in written_paths() if not members_set_by(path)}
    assert sorted(path for path in unknown if not any(re.search(known, path) for known in NOT_IN_THE_MODEL)) == []
    assert [known for known in NOT_IN_THE_MODEL if not any(re.search(known, path) for path in unknown)] == []


def sent() -> set[str]:
    """Return the members that the creation of a service and a release of it set."""
    calls = [call for call in copy_of(account_with_service("production", "orders")).simulator.calls if call.writes]
    models = [operation_model(call.service, call.operation) for call in calls]
    return {
        member
        for call, model in zip(calls, models, strict=True)
        if model.input_shape is not None
        for member in members_in(call.parameters, model.input_shape, call.service)
    }


def test_no_member_of_a_request_lacks_the_rule_that_its_documentation_states() -> None:
    lacking = [
        f"{member}: {documentation_of(member)}"
        for member in sorted(sent() - OF_MEMBER.keys() - WITHOUT_RULE.keys())
        if states_a_rule(member)
    ]
    assert lacking == []


def test_every_exception_is_one() -> None:
    members = {member for path in paths() - OF_PROPERTY.keys() for member in members_set_by(path)} | sent()
    assert {member for member in members - OF_MEMBER.keys() if states_a_rule(member)} == WITHOUT_RULE.keys()
