"""Every IAM policy in the shared templates: valid, and for named resources wherever AWS knows a name."""

import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloudformation import Resource, resources, values_of
from tests.support.repository import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)  # it never closes its list of actions
    from parliament import analyze_policy_string

ACCOUNT = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "111122223333"}

ARNS = {
    "Artifacts": "arn:aws:s3:::artifacts",
    "ConnectionArn": "arn:aws:codeconnections:us-east-1:111122223333:connection/1234",
    "Project": "arn:aws:codebuild:us-east-1:111122223333:project/project",
    "QueueArns": "arn:aws:sqs:us-east-1:111122223333:queue",
}
"""Of what policies name by `!Ref` or `!GetAtt`."""

NAMELESS = {
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
    "codedeploy:ContinueDeployment",
    "codedeploy:GetDeploymentTarget",
    "codedeploy:PutLifecycleEventHookExecutionStatus",
    "codedeploy:StopDeployment",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:GetAuthorizationToken",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "logs:DescribeLogGroups",
    "sts:GetCallerIdentity",
}
"""Actions that may be for `*`: AWS knows no narrower resource for them (service authorization reference)."""


SUFFERED = {
    "UNKNOWN_ACTION: Unknown action ecs:StopServiceDeployment",  # younger than parliament's list of actions
    "RESOURCE_STAR: ['ecs:ListTasks']",  # of a cluster without container instances; a condition names the cluster
}
"""Findings that are none."""


def policies() -> list[tuple[Resource, dict[str, Any]]]:
    return list(policies_of_roles())


def policies_of_roles() -> Iterator[tuple[Resource, dict[str, Any]]]:
    for resource in resources():
        if resource.type == "AWS::IAM::Policy":
            yield resource, written_out(resource.properties["PolicyDocument"])
        for policy in resource.properties.get("Policies", []) if resource.type == "AWS::IAM::Role" else []:
            yield resource, written_out(policy["PolicyDocument"])


def written_out(value: Any) -> Any:
    """The policy as IAM gets it, with made-up names."""
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, "Arn"]}:
            return ARNS[name]
        case {"Fn::Sub": [text, dict()]} | {"Fn::Sub": text}:
            return re.sub(r"\$\{([\w:]+)(?:\.\w+)?\}", lambda m: ACCOUNT.get(m[1], ARNS.get(m[1], "name")), text)
        case dict():
            return {key: written_out(inner) for key, inner in value.items()}
        case list():
            return [written_out(inner) for inner in value]
        case _:
            return value


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("resource", "policy"), policies(), ids=lambda value: str(value) if isinstance(value, Resource) else ""
)
def test_parliament_finds_nothing(resource: Resource, policy: dict[str, Any]) -> None:
    found = analyze_policy_string(json.dumps(policy)).findings
    said = [f"{finding.issue}: {finding.detail}" for finding in found]
    assert [finding for finding in said if finding not in SUFFERED] == []


def test_parliament_would_find_something() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:sqs:us-east-1:111122223333:queue"}
    assert analyze_policy_string(json.dumps({"Version": "2012-10-17", "Statement": [statement]})).findings


def test_only_what_has_no_name_is_allowed_for_every_resource() -> None:
    for_all = {
        action
        for _, policy in policies()
        for statement in policy["Statement"]
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert for_all == NAMELESS


def test_no_policy_allows_every_action_of_a_service() -> None:
    wild = [
        f"{resource}: {action}"
        for resource, policy in policies()
        for statement in policy["Statement"]
        for action in listed(statement["Action"])
        if "*" in action
    ]
    assert wild == []


PASSED = {
    "ecs-tasks.amazonaws.com": {"task", "execution"},
    "codedeploy.amazonaws.com": {"deploy"},
    "scheduler.amazonaws.com": {"scheduler"},
    "cloudformation.amazonaws.com": {"stack"},
}
"""To whom which of a service's roles may be handed."""


def test_each_role_is_passed_only_to_whom_it_is_for() -> None:
    passing = [
        statement
        for _, policy in policies()
        for statement in policy["Statement"]
        if "iam:PassRole" in listed(statement["Action"])
    ]
    assert len(passing) >= len(PASSED)
    for statement in passing:
        assert listed(statement["Action"]) == ["iam:PassRole"]
        assert list(statement["Condition"]) == ["StringEquals"]
        (to,) = statement["Condition"]["StringEquals"].values()
        assert {arn.rpartition("-")[2] for arn in statement["Resource"]} <= PASSED[to]
        assert all(re.search(r":role/[\w-]+$", arn) for arn in statement["Resource"])


BY_PEOPLE = {"PlanRole"}
"""Roles that everyone in the account may use. They only read."""


def test_only_aws_services_assume_the_roles_and_only_for_this_account() -> None:
    for resource in resources():
        for document in values_of(resource.properties, "AssumeRolePolicyDocument"):
            (statement,) = document["Statement"]
            if resource.name in BY_PEOPLE:
                assert list(statement["Principal"]) == ["AWS"]
                assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
                continue
            assert list(statement["Principal"]) == ["Service"], resource
            # Lambda serves functions of the same account only, and CloudFormation is not documented to send one.
            if statement["Principal"]["Service"] in ("lambda.amazonaws.com", "cloudformation.amazonaws.com"):
                assert "Condition" not in statement, resource
            else:
                assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}, (
                    resource
                )


def test_flow_logs_may_do_all_that_their_page_asks_for() -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html"""
    (given,) = (policy for resource, policy in policies() if resource.name == "FlowLogRole")
    assert {action for statement in given["Statement"] for action in listed(statement["Action"])} == {
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    }


def test_every_star_in_a_policy_has_a_comment_beside_it() -> None:
    bare = []
    for path in sorted((ROOT / "deploy/cloudformation").glob("*.yaml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.search(r'Resource: "\*"', line):
                near = lines[max(0, number - 16) : number + 1]
                if not any("#" in one for one in near):
                    bare.append(f"{path.name}:{number + 1}")
    assert bare == []
