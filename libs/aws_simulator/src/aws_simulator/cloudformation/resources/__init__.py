"""How each resource type is created on the simulator's services: one class per type, one file per group of services."""

from collections.abc import Mapping
from typing import Final

from aws_simulator.cloudformation.resources import deployment, supporting
from aws_simulator.cloudformation.resources.handler import Generic, Handler

HANDLERS: Final[Mapping[str, Handler]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": deployment.ScalableTarget(),
    "AWS::ApplicationAutoScaling::ScalingPolicy": deployment.ScalingPolicy(),
    "AWS::CloudWatch::Alarm": supporting.Alarm(),
    "AWS::CloudWatch::Dashboard": supporting.Dashboard(),
    "AWS::CodeDeploy::Application": deployment.Application(),
    "AWS::CodeDeploy::DeploymentConfig": deployment.DeploymentConfig(),
    "AWS::CodeDeploy::DeploymentGroup": deployment.DeploymentGroup(),
    "AWS::DynamoDB::Table": supporting.Table(),
    "AWS::ECR::Repository": supporting.Repository(),
    "AWS::ECS::Cluster": deployment.Cluster(),
    "AWS::ECS::Service": deployment.Service(),
    "AWS::ECS::TaskDefinition": deployment.TaskDefinition(),
    "AWS::ElasticLoadBalancingV2::Listener": deployment.Listener(),
    "AWS::ElasticLoadBalancingV2::ListenerRule": deployment.ListenerRule(),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": deployment.LoadBalancer(),
    "AWS::ElasticLoadBalancingV2::TargetGroup": deployment.TargetGroup(),
    "AWS::IAM::Policy": supporting.Policy(),
    "AWS::IAM::Role": supporting.Role(),
    "AWS::Lambda::Function": supporting.Function(),
    "AWS::Logs::LogGroup": supporting.LogGroup(),
    "AWS::SQS::Queue": supporting.Queue(),
    "AWS::SQS::QueuePolicy": supporting.QueuePolicy(),
    "AWS::SSM::Parameter": supporting.Parameter(),
    "AWS::SecretsManager::Secret": supporting.Secret(),
}
GENERIC: Final = Generic()


def handler_of(kind: str) -> Handler:
    return HANDLERS.get(kind, GENERIC)
