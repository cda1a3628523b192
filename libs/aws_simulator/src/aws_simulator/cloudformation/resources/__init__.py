"""How each type of resource comes into being on the plane's services: one class a type, one file a service."""

from collections.abc import Mapping
from typing import Final

from aws_simulator.cloudformation.resources import (
    codedeploy,
    ecs,
    identity,
    load_balancing,
    monitoring,
    scaling,
    stores,
)
from aws_simulator.cloudformation.resources.generic import Generic
from aws_simulator.cloudformation.resources.handler import Handler

HANDLERS: Final[Mapping[str, Handler]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": scaling.ScalableTarget(),
    "AWS::ApplicationAutoScaling::ScalingPolicy": scaling.ScalingPolicy(),
    "AWS::CloudWatch::Alarm": monitoring.Alarm(),
    "AWS::CloudWatch::Dashboard": monitoring.Dashboard(),
    "AWS::CodeDeploy::Application": codedeploy.Application(),
    "AWS::CodeDeploy::DeploymentConfig": codedeploy.DeploymentConfig(),
    "AWS::CodeDeploy::DeploymentGroup": codedeploy.DeploymentGroup(),
    "AWS::DynamoDB::Table": stores.Table(),
    "AWS::ECR::Repository": stores.Repository(),
    "AWS::ECS::Cluster": ecs.Cluster(),
    "AWS::ECS::Service": ecs.Service(),
    "AWS::ECS::TaskDefinition": ecs.TaskDefinition(),
    "AWS::ElasticLoadBalancingV2::Listener": load_balancing.Listener(),
    "AWS::ElasticLoadBalancingV2::ListenerRule": load_balancing.ListenerRule(),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": load_balancing.LoadBalancer(),
    "AWS::ElasticLoadBalancingV2::TargetGroup": load_balancing.TargetGroup(),
    "AWS::IAM::Policy": identity.Policy(),
    "AWS::IAM::Role": identity.Role(),
    "AWS::Lambda::Function": identity.Function(),
    "AWS::Logs::LogGroup": monitoring.LogGroup(),
    "AWS::SQS::Queue": stores.Queue(),
    "AWS::SQS::QueuePolicy": stores.QueuePolicy(),
    "AWS::SSM::Parameter": stores.Parameter(),
    "AWS::SecretsManager::Secret": stores.Secret(),
}
GENERIC: Final = Generic()


def handler_of(kind: str) -> Handler:
    return HANDLERS.get(kind, GENERIC)
