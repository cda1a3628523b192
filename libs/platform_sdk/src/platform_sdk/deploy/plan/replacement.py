"""What CloudFormation does to a resource whose text changes, where that is more than changing it.

The properties are those of the resource types' schemas (docs.aws.amazon.com/AWSCloudFormation, "Update requires:
Replacement"), of the types that a service's stack holds.
"""

from collections.abc import Mapping
from typing import Final

CREATE_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": frozenset({"ResourceId", "ScalableDimension", "ServiceNamespace"}),
    "AWS::ApplicationAutoScaling::ScalingPolicy": frozenset(
        {"PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace"}
    ),
    "AWS::CloudWatch::Alarm": frozenset({"AlarmName"}),
    "AWS::CloudWatch::Dashboard": frozenset({"DashboardName"}),
    "AWS::CodeDeploy::Application": frozenset({"ApplicationName", "ComputePlatform"}),
    "AWS::CodeDeploy::DeploymentConfig": frozenset(
        {"ComputePlatform", "DeploymentConfigName", "MinimumHealthyHosts", "TrafficRoutingConfig", "ZonalConfig"}
    ),
    "AWS::CodeDeploy::DeploymentGroup": frozenset({"ApplicationName", "DeploymentGroupName"}),
    "AWS::ECS::Service": frozenset({"Cluster", "LaunchType", "Role", "SchedulingStrategy", "ServiceName"}),
    "AWS::ECS::TaskDefinition": frozenset(
        {
            "ContainerDefinitions",
            "Cpu",
            "EnableFaultInjection",
            "EphemeralStorage",
            "ExecutionRoleArn",
            "Family",
            "InferenceAccelerators",
            "IpcMode",
            "Memory",
            "NetworkMode",
            "PidMode",
            "PlacementConstraints",
            "ProxyConfiguration",
            "RequiresCompatibilities",
            "RuntimePlatform",
            "TaskRoleArn",
            "Volumes",
        }
    ),
    "AWS::ElasticLoadBalancingV2::ListenerRule": frozenset({"ListenerArn"}),
    "AWS::ElasticLoadBalancingV2::TargetGroup": frozenset(
        {"IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId"}
    ),
    "AWS::IAM::Policy": frozenset(),
    "AWS::IAM::Role": frozenset({"Path", "RoleName"}),
    "AWS::Logs::LogGroup": frozenset({"LogGroupName"}),
    "AWS::SQS::Queue": frozenset({"FifoQueue", "QueueName"}),
    "AWS::SQS::QueuePolicy": frozenset(),
    "AWS::Scheduler::Schedule": frozenset({"Name"}),
}
"""By type: a change of one of these makes another resource, and takes this one away."""

STATEFUL: Final = frozenset({"AWS::Logs::LogGroup", "AWS::SQS::Queue"})
"""Types that hold what nobody can make again: messages and logs."""

KEPT: Final = frozenset({"Retain", "RetainExceptOnCreate"})


def create_only_changes(type_: str, properties: frozenset[str]) -> tuple[str, ...]:
    """Of the changed properties those that make another resource."""
    return tuple(sorted(properties & CREATE_ONLY.get(type_, frozenset())))


def is_kept(body: Mapping[str, object]) -> bool:
    """When it leaves the stack."""
    return body.get("DeletionPolicy") in KEPT
