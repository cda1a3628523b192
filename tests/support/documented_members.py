"""Which member of botocore's models each property of our templates sets, and what its documentation says."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape

from aws_simulator.cloudformation.intrinsics import Scope, Unknown, condition, resolve
from aws_simulator.shapes import session
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.shared import load_shared_stacks
from tests.support.cloudformation import ENVIRONMENTS, Template, template_of
from tests.support.repository import FIXTURES, ROOT

REQUESTS: Final = {
    "ApplicationAutoScaling::ScalableTarget": "application-autoscaling.RegisterScalableTargetRequest",
    "ApplicationAutoScaling::ScalingPolicy": "application-autoscaling.PutScalingPolicyRequest",
    "CertificateManager::Certificate": "acm.RequestCertificateRequest",
    "CloudFront::Distribution": "cloudfront.CreateDistributionRequest",
    "CloudFront::VpcOrigin": "cloudfront.CreateVpcOriginRequest",
    "CloudWatch::Alarm": "cloudwatch.PutMetricAlarmInput",
    "CloudWatch::Dashboard": "cloudwatch.PutDashboardInput",
    "CodeBuild::Project": "codebuild.CreateProjectInput",
    "CodeDeploy::Application": "codedeploy.CreateApplicationInput",
    "CodeDeploy::DeploymentConfig": "codedeploy.CreateDeploymentConfigInput",
    "CodeDeploy::DeploymentGroup": "codedeploy.CreateDeploymentGroupInput",
    "CodePipeline::Pipeline": "codepipeline.PipelineDeclaration",
    "DynamoDB::Table": "dynamodb.CreateTableInput",
    "EC2::EIP": "ec2.AllocateAddressRequest",
    "EC2::FlowLog": "ec2.CreateFlowLogsRequest",
    "EC2::InternetGateway": "ec2.InternetGateway",
    "EC2::NatGateway": "ec2.NatGateway",
    "EC2::Route": "ec2.CreateRouteRequest",
    "EC2::RouteTable": "ec2.RouteTable",
    "EC2::SecurityGroup": "ec2.CreateSecurityGroupRequest",
    "EC2::SecurityGroupEgress": "ec2.AuthorizeSecurityGroupEgressRequest",
    "EC2::SecurityGroupIngress": "ec2.AuthorizeSecurityGroupIngressRequest",
    "EC2::Subnet": "ec2.Subnet",
    "EC2::SubnetRouteTableAssociation": "ec2.AssociateRouteTableRequest",
    "EC2::VPC": "ec2.Vpc",
    "EC2::VPCEndpoint": "ec2.CreateVpcEndpointRequest",
    "EC2::VPCGatewayAttachment": "ec2.AttachInternetGatewayRequest",
    "ECR::Repository": "ecr.CreateRepositoryRequest",
    "ECS::Cluster": "ecs.CreateClusterRequest",
    "ECS::Service": "ecs.CreateServiceRequest",
    "ECS::TaskDefinition": "ecs.RegisterTaskDefinitionRequest",
    "ElastiCache::ParameterGroup": "elasticache.CreateCacheParameterGroupMessage",
    "ElastiCache::ReplicationGroup": "elasticache.CreateReplicationGroupMessage",
    "ElastiCache::SubnetGroup": "elasticache.CreateCacheSubnetGroupMessage",
    "ElastiCache::User": "elasticache.CreateUserMessage",
    "ElastiCache::UserGroup": "elasticache.CreateUserGroupMessage",
    "ElasticLoadBalancingV2::Listener": "elbv2.CreateListenerInput",
    "ElasticLoadBalancingV2::ListenerRule": "elbv2.CreateRuleInput",
    "ElasticLoadBalancingV2::LoadBalancer": "elbv2.CreateLoadBalancerInput",
    "ElasticLoadBalancingV2::TargetGroup": "elbv2.CreateTargetGroupInput",
    "IAM::Policy": "iam.PutRolePolicyRequest",
    "IAM::Role": "iam.CreateRoleRequest",
    "KMS::Alias": "kms.CreateAliasRequest",
    "KMS::Key": "kms.CreateKeyRequest",
    "Lambda::Function": "lambda.CreateFunctionRequest",
    "Logs::Delivery": "logs.CreateDeliveryRequest",
    "Logs::DeliveryDestination": "logs.PutDeliveryDestinationRequest",
    "Logs::DeliverySource": "logs.PutDeliverySourceRequest",
    "Logs::LogGroup": "logs.CreateLogGroupRequest",
    "RDS::DBCluster": "rds.CreateDBClusterMessage",
    "RDS::DBClusterParameterGroup": "rds.CreateDBClusterParameterGroupMessage",
    "RDS::DBInstance": "rds.CreateDBInstanceMessage",
    "RDS::DBSubnetGroup": "rds.CreateDBSubnetGroupMessage",
    "Route53::HostedZone": "route53.CreateHostedZoneRequest",
    "Route53::RecordSet": "route53.ResourceRecordSet",
    "S3::Bucket": "s3.CreateBucketRequest",
    "S3::BucketPolicy": "s3.PutBucketPolicyRequest",
    "SNS::Subscription": "sns.SubscribeInput",
    "SNS::Topic": "sns.CreateTopicInput",
    "SQS::Queue": "sqs.CreateQueueRequest",
    "SSM::Parameter": "ssm.PutParameterRequest",
    "Scheduler::Schedule": "scheduler.CreateScheduleInput",
    "SecretsManager::Secret": "secretsmanager.CreateSecretRequest",
    "WAFv2::LoggingConfiguration": "wafv2.LoggingConfiguration",
    "WAFv2::WebACL": "wafv2.CreateWebACLRequest",
}
"""The shape whose members the properties of a type have the names of, without `AWS::` before the type."""

ELSEWHERE: Final[dict[str, tuple[str, ...]]] = {
    "ECR::Repository/LifecyclePolicy/LifecyclePolicyText": ("ecr.PutLifecyclePolicyRequest.lifecyclePolicyText",),
    "EC2::SecurityGroup/GroupDescription": ("ec2.CreateSecurityGroupRequest.Description",),
    "EC2::SecurityGroup/SecurityGroupEgress/Description": ("ec2.IpRange.Description",),
    "EC2::SecurityGroup/SecurityGroupIngress/Description": (
        "ec2.IpRange.Description",
        "ec2.UserIdGroupPair.Description",
    ),
    "EC2::SecurityGroupEgress/Description": ("ec2.UserIdGroupPair.Description",),
    "EC2::SecurityGroupIngress/Description": ("ec2.UserIdGroupPair.Description",),
    "ECS::Cluster/ClusterSettings/Name": ("ecs.ClusterSetting.name",),
    "ECS::Cluster/ClusterSettings/Value": ("ecs.ClusterSetting.value",),
    "ElastiCache::SubnetGroup/Description": ("elasticache.CreateCacheSubnetGroupMessage.CacheSubnetGroupDescription",),
    "ElasticLoadBalancingV2::LoadBalancer/LoadBalancerAttributes/Key": ("elbv2.LoadBalancerAttribute.Key",),
    "ElasticLoadBalancingV2::LoadBalancer/LoadBalancerAttributes/Value": ("elbv2.LoadBalancerAttribute.Value",),
    "ElasticLoadBalancingV2::TargetGroup/TargetGroupAttributes/Key": ("elbv2.TargetGroupAttribute.Key",),
    "ElasticLoadBalancingV2::TargetGroup/TargetGroupAttributes/Value": ("elbv2.TargetGroupAttribute.Value",),
    "IAM::Role/Policies/PolicyName": ("iam.PutRolePolicyRequest.PolicyName",),
    "KMS::Key/PendingWindowInDays": ("kms.ScheduleKeyDeletionRequest.PendingWindowInDays",),
    "Logs::LogGroup/RetentionInDays": ("logs.PutRetentionPolicyRequest.retentionInDays",),
    "RDS::DBClusterParameterGroup/Family": ("rds.CreateDBClusterParameterGroupMessage.DBParameterGroupFamily",),
    "S3::Bucket/BucketName": ("s3.CreateBucketRequest.Bucket",),
    "S3::Bucket/LifecycleConfiguration/Rules/ExpirationInDays": ("s3.LifecycleExpiration.Days",),
    "S3::Bucket/LifecycleConfiguration/Rules/Id": ("s3.LifecycleRule.ID",),
    "SNS::Topic/TopicName": ("sns.CreateTopicInput.Name",),
    "SQS::Queue/DelaySeconds": ("sqs.CreateQueueRequest.Attributes",),
    "SQS::Queue/MessageRetentionPeriod": ("sqs.CreateQueueRequest.Attributes",),
    "SQS::Queue/ReceiveMessageWaitTimeSeconds": ("sqs.CreateQueueRequest.Attributes",),
    "SQS::Queue/VisibilityTimeout": ("sqs.CreateQueueRequest.Attributes",),
    "SecretsManager::Secret/GenerateSecretString/PasswordLength": (
        "secretsmanager.GetRandomPasswordRequest.PasswordLength",
    ),
}
"""Members of properties that the model names otherwise, or sets by another call."""


def shape_of(name: str) -> Shape:
    """Return a shape by its service and name, such as `sqs.CreateQueueRequest`."""
    service, shape = name.split(".")
    return session().get_service_model(service).shape_for(shape)


def member_of(name: str) -> Shape:
    """Return a member's shape, with the documentation of the member."""
    shape, member = name.rsplit(".", 1)
    parent = shape_of(shape)
    assert isinstance(parent, StructureShape)
    return parent.members[member]


def documentation_of(name: str) -> str:
    """Return what botocore says about a member, without markup."""
    text = re.sub(r"<[^>]+>", " ", member_of(name).documentation)
    return re.sub(r"\s+", " ", html.unescape(text)).strip()


@cache
def members_set_by(path: str) -> tuple[str, ...]:
    """Return the members that a property sets, or nothing if the model has none of that name."""
    kind, *names = path.removeprefix("AWS::").split("/")
    if "/".join((kind, *names)) in ELSEWHERE:
        return ELSEWHERE["/".join((kind, *names))]
    if kind not in REQUESTS:
        return ()
    service = REQUESTS[kind].split(".")[0]
    shape, member = shape_of(REQUESTS[kind]), ""
    for name in names:
        shape = contained(shape)
        if isinstance(shape, MapShape):
            shape = shape.value
            continue
        members = shape.members if isinstance(shape, StructureShape) else {}
        # CloudFormation writes each name with a capital.
        found = next((each for each in members if each.lower() == name.lower()), None)
        if found is None:
            return ()
        member, shape = f"{service}.{shape.name}.{found}", members[found]
    return (member,) if member else ()


def contained(shape: Shape) -> Shape:
    """Return what a list holds, also one of CloudFront's, which has its length beside it."""
    if isinstance(shape, StructureShape) and set(shape.members) == {"Quantity", "Items"}:
        shape = shape.members["Items"]
    return contained(shape.member) if isinstance(shape, ListShape) else shape


def longest_named(spec: ServiceSpec, environment: str) -> ServiceSpec:
    """Return the service with as long a name as its target groups allow."""
    return replace(spec, name=spec.name.ljust(32 - len(f"{environment}--green"), "s"))


@cache
def rendered() -> tuple[tuple[str, Any], ...]:
    """Return type and resolved properties of every resource in every environment."""
    return tuple(
        (kind, properties)
        for environment in ENVIRONMENTS
        for kind, properties in (*of_shared_stacks(environment), *of_services(environment))
    )


def of_shared_stacks(environment_name: str) -> Iterator[tuple[str, Any]]:
    environment = load_environment(ROOT, environment_name)
    specs = [longest_named(spec, environment_name) for spec in load_services(ROOT, environment_name)]
    for stack in load_shared_stacks(ROOT, environment, specs):
        yield from resolved(template_of(ROOT / stack.template), stack.parameters, environment)


def of_services(environment_name: str) -> Iterator[tuple[str, Any]]:
    environment = load_environment(FIXTURES, environment_name)
    for spec in load_services(FIXTURES, environment_name):
        template = render_service_stack(longest_named(spec, environment_name), environment)
        yield from resolved(json.loads(json.dumps(template)), {}, environment)


def resolved(template: Template, given: Mapping[str, str], environment: Environment) -> Iterator[tuple[str, Any]]:
    """Yield each resource as its service gets it. What Parameter Store or another resource decides is Unknown."""
    values: dict[str, Any] = {
        "AWS::AccountId": environment.account_id,
        "AWS::Partition": environment.partition,
        "AWS::Region": environment.region,
        "AWS::URLSuffix": "amazonaws.com",
    }
    for name, body in template.get("Parameters", {}).items():
        looked_up = body["Type"].startswith("AWS::SSM::Parameter::Value") or name not in given
        listed = "List" in body["Type"] and not looked_up
        values[name] = Unknown(name) if looked_up else given[name].split(",") if listed else given[name]
    scope = Scope(
        values=values,
        conditions=template.get("Conditions", {}),
        mappings=template.get("Mappings", {}),
        reference=Unknown,
        attribute=lambda name, attribute: Unknown(f"{name}.{attribute}"),
    )
    for body in template["Resources"].values():
        if "Condition" in body and not condition(body["Condition"], scope):
            continue
        yield body["Type"], resolve(body.get("Properties", {}), scope)


def paths_in(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each text and number with the path of its property, which names no list items."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from paths_in(f"{path}/{name}", inner)
        case list():
            for inner in value:
                yield from paths_in(path, inner)
        case bool():
            return
        case _:
            yield path, value


def members_in(value: Any, shape: Shape, service: str) -> Iterator[str]:
    """Yield each member that a request sets, at any depth."""
    match shape:
        case StructureShape():
            for name, inner in value.items():
                yield f"{service}.{shape.name}.{name}"
                yield from members_in(inner, shape.members[name], service)
        case ListShape():
            for inner in value:
                yield from members_in(inner, shape.member, service)
        case MapShape():
            for inner in value.values():
                yield from members_in(inner, shape.value, service)
