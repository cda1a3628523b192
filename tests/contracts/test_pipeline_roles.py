"""Who releases a service may do that, and to no other service."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from platform_sdk.contract import dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.service_stack import render_service_stack
from tests.support.cloudformation import ENVIRONMENTS, template_of
from tests.support.repository import ROOT

INLINE_POLICIES_OF_A_ROLE = 10_240
"""Characters without white space (docs.aws.amazon.com/IAM, "IAM and AWS STS quotas")."""

CASES = [(load_environment(ROOT, name), spec) for name in ENVIRONMENTS for spec in load_services(ROOT, name)]
Statement = dict[str, Any]


def written_out(value: Any, spec: ServiceSpec, environment: Environment) -> Any:
    names = {
        "AWS::Partition": environment.partition,
        "AWS::Region": environment.region,
        "AWS::AccountId": environment.account_id,
        "Environment": environment.name,
        "Service": spec.name,
        "ProjectLogs": f"/platform/{environment.name}/{spec.name}/build",
        "Artifacts.Arn": f"arn:aws:s3:::platform-{environment.name}-{spec.name}-artifacts-{environment.account_id}",
        "Id": "0" * 36,
    }
    match value:
        case {"Ref": "QueueArns"}:
            named = (queue_name, dead_letter_queue_name)
            return [
                arn(environment, "sqs", one(environment.name, queue.name)) for queue in spec.queues for one in named
            ]
        case {"Ref": "ConnectionArn"}:
            return arn(environment, "codeconnections", "connection/" + "0" * 36)
        case {"Fn::Sub": [text, dict()]} | {"Fn::Sub": text}:
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: names[found[1]], text)
        case dict():
            return {key: written_out(inner, spec, environment) for key, inner in value.items()}
        case list():
            return [written_out(inner, spec, environment) for inner in value]
        case _:
            return value


def arn(environment: Environment, service: str, resource: str, *, regional: bool = True) -> str:
    region = environment.region if regional else ""
    return f"arn:{environment.partition}:{service}:{region}:{environment.account_id}:{resource}"


def policies(role: str, spec: ServiceSpec, environment: Environment) -> Iterator[dict[str, Any]]:
    """Of the stack's role, or of the release's, which has one of the pipeline's, too."""
    for template in {"stack": ("apply",), "release": ("release", "pipeline")}[role]:
        for body in template_of(ROOT / f"deploy/cloudformation/{template}.yaml")["Resources"].values():
            if body["Type"] == "AWS::IAM::Policy" and "Pipeline" not in json.dumps(body["Properties"]["Roles"]):
                yield written_out(body["Properties"]["PolicyDocument"], spec, environment)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allows(documents: list[dict[str, Any]], action: str, resource: str) -> bool:
    return any(
        action in listed(statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        for document in documents
        for statement in document["Statement"]
    )


CREATES: dict[str, tuple[str, str, str]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": (
        "application-autoscaling:RegisterScalableTarget", "application-autoscaling", "scalable-target/0123"),
    "AWS::ApplicationAutoScaling::ScalingPolicy": (
        "application-autoscaling:PutScalingPolicy", "application-autoscaling", "scalable-target/0123"),
    "AWS::CloudWatch::Alarm": ("cloudwatch:PutMetricAlarm", "cloudwatch", "alarm:{AlarmName}"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch:PutDashboard", "cloudwatch", "dashboard/{DashboardName}"),
    "AWS::CodeDeploy::Application": ("codedeploy:CreateApplication", "codedeploy", "application:{ApplicationName}"),
    "AWS::CodeDeploy::DeploymentConfig": (
        "codedeploy:CreateDeploymentConfig", "codedeploy", "deploymentconfig:{DeploymentConfigName}"),
    "AWS::CodeDeploy::DeploymentGroup": (
        "codedeploy:CreateDeploymentGroup", "codedeploy",
        "deploymentgroup:{DeploymentGroupName}/{DeploymentGroupName}"),
    "AWS::ECS::Service": ("ecs:CreateService", "ecs", "service/platform-{environment}/{ServiceName}"),
    "AWS::ECS::TaskDefinition": ("ecs:RegisterTaskDefinition", "ecs", "task-definition/{Family}:1"),
    "AWS::ElasticLoadBalancingV2::ListenerRule": (
        "elasticloadbalancing:CreateRule", "elasticloadbalancing", "listener/app/platform-{environment}/0123/4567"),
    "AWS::ElasticLoadBalancingV2::TargetGroup": (
        "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing", "targetgroup/{Name}/0123"),
    "AWS::IAM::Role": ("iam:CreateRole", "iam", "role/{RoleName}"),
    "AWS::Logs::LogGroup": ("logs:CreateLogGroup", "logs", "log-group:{LogGroupName}"),
    "AWS::SQS::Queue": ("sqs:CreateQueue", "sqs", "{QueueName}"),
    "AWS::Scheduler::Schedule": ("scheduler:CreateSchedule", "scheduler", "schedule/default/{Name}"),
}  # fmt: skip
"""By type of resource: what creates it, of which service of AWS, and the name that it gets from its properties."""

OF_ANOTHER: dict[str, str] = {"AWS::IAM::Policy": "AWS::IAM::Role", "AWS::SQS::QueuePolicy": "AWS::SQS::Queue"}
"""Resources that are part of another one."""

GLOBAL = ("AWS::IAM::Role", "AWS::CloudWatch::Dashboard")
SHARED = ("AWS::ElasticLoadBalancingV2::ListenerRule", "AWS::ApplicationAutoScaling::")


def created(spec: ServiceSpec, environment: Environment) -> Iterator[tuple[str, str, str]]:
    """Type, action and ARN of every resource of the service's rendered stack."""
    resources: Any = render_service_stack(spec, environment)["Resources"]
    for body in resources.values():
        if body["Type"] in OF_ANOTHER:
            continue
        action, service, name = CREATES[body["Type"]]
        named = name.format_map({**body["Properties"], "environment": environment.name})
        yield body["Type"], action, arn(environment, service, named, regional=body["Type"] not in GLOBAL)


@pytest.mark.parametrize(("environment", "spec"), CASES, ids=lambda value: value.name)
def test_the_stacks_role_may_create_every_resource_of_the_rendered_stack(
    environment: Environment, spec: ServiceSpec
) -> None:
    documents = list(policies("stack", spec, environment))
    resources = list(created(spec, environment))
    assert len(resources) > 20
    assert [f"{action} {name}" for _, action, name in resources if not allows(documents, action, name)] == []


@pytest.mark.parametrize(("environment", "spec"), CASES, ids=lambda value: value.name)
def test_the_stacks_role_may_create_nothing_of_another_service(environment: Environment, spec: ServiceSpec) -> None:
    documents = list(policies("stack", spec, environment))
    others = [other for where, other in CASES if where == environment and other.name != spec.name]
    assert len(others) == 2
    reached = [
        name
        for other in others
        for kind, action, name in created(other, environment)
        if allows(documents, action, name) and not kind.startswith(SHARED)
    ]
    assert reached == []


def test_every_type_of_a_rendered_stack_is_known_here() -> None:
    kinds = {
        body["Type"]
        for environment, spec in CASES
        for body in render_service_stack(spec, environment)["Resources"].values()  # type: ignore[attr-defined]
    }
    assert kinds <= {*CREATES, *OF_ANOTHER}


@pytest.mark.parametrize("role", ["release", "stack"])
def test_a_roles_policies_are_no_larger_than_iam_takes(role: str) -> None:
    for environment, spec in CASES:
        size = sum(len(re.sub(r"\s", "", json.dumps(document))) for document in policies(role, spec, environment))
        assert size < INLINE_POLICIES_OF_A_ROLE, (role, environment.name, spec.name, size)


@pytest.mark.parametrize(("environment", "spec"), CASES, ids=lambda value: value.name)
def test_a_release_writes_to_its_own_service_only(environment: Environment, spec: ServiceSpec) -> None:
    documents = list(policies("release", spec, environment))

    def allowed(action: str, service: str, name: str, *, regional: bool = True) -> bool:
        return allows(documents, action, arn(environment, service, name, regional=regional))

    for name, own in ((spec.name, True), ("billing", False)):
        full = f"{environment.name}-{name}"
        assert allowed("ecs:UpdateService", "ecs", f"service/platform-{environment.name}/{full}-worker") is own
        assert allowed("ecs:RegisterTaskDefinition", "ecs", f"task-definition/{full}-worker:7") is own
        assert allowed("codedeploy:CreateDeployment", "codedeploy", f"deploymentgroup:{full}/{full}") is own
        assert allowed("ecr:PutImage", "ecr", f"repository/{name}") is own
        stack = f"stack/platform-{environment.name}-{name}/0123"
        assert allowed("cloudformation:ExecuteChangeSet", "cloudformation", stack) is own
        assert allowed("iam:PassRole", "iam", f"role/{full}-stack", regional=False) is own
    for shared in ("network", f"release-{spec.name}", f"apply-{spec.name}"):
        stack = f"stack/platform-{environment.name}-{shared}/0123"
        assert not allowed("cloudformation:CreateChangeSet", "cloudformation", stack)


def test_a_release_changes_its_stack_only_by_the_stacks_role_and_holds_only_its_lock() -> None:
    environment, spec = CASES[0]
    role = arn(environment, "iam", f"role/{environment.name}-{spec.name}-stack", regional=False)
    conditions = {
        action: statement.get("Condition")
        for document in policies("release", spec, environment)
        for statement in document["Statement"]
        for action in listed(statement["Action"])
    }
    assert conditions["cloudformation:CreateChangeSet"] == {"ArnEquals": {"cloudformation:RoleArn": role}}
    lock = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [f"release/{spec.name}", f"history/{spec.name}"]}}
    assert conditions["dynamodb:UpdateItem"] == lock
    assert "secretsmanager:GetSecretValue" not in conditions
    assert not {"cloudformation:CreateStack", "cloudformation:UpdateStack"} & set(conditions)
