"""Which changes replace a resource, and which property names it."""

from collections.abc import Mapping
from functools import cache
from typing import Final

NAMES: Final[Mapping[str, str]] = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": "PolicyName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodeDeploy::Application": "ApplicationName",
    "AWS::CodeDeploy::DeploymentConfig": "DeploymentConfigName",
    "AWS::CodeDeploy::DeploymentGroup": "DeploymentGroupName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::RDS::DBCluster": "DBClusterIdentifier",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::SecretsManager::Secret": "Name",
}
"""The property that names a resource. Two resources cannot share a name, so one that keeps its name is not replaced."""


@cache
def create_only(kind: str) -> frozenset[str]:
    """Return the properties of a resource type that cannot change: changing one replaces the resource.

    The source is `createOnlyProperties` of AWS's resource schemas, as cfn-lint bundles them. Parts of a property are
    left out. `platform_sdk.deploy.plan.stack` has a table of its own, so that tests can hold a plan against this one.
    """
    # cfn-lint takes about half a second to import, and only stack updates need it.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    if kind not in PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1"):
        return frozenset()
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    names = (path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", []))
    return frozenset(name for name in names if "/" not in name)
