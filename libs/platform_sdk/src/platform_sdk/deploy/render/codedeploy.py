"""The CodeDeploy application and deployment group: how traffic shifts to a new version, and what rolls it back."""

from collections.abc import Mapping
from typing import Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.releases import TrafficShift, TrafficShiftType
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.alarms import alarm_id
from platform_sdk.deploy.render.cloudformation import Json, get, ref, resource
from platform_sdk.deploy.render.names import COLOURS, service_name, target_group

PREDEFINED: Final[Mapping[tuple[TrafficShiftType, int, int], str]] = {
    ("all_at_once", 100, 0): "CodeDeployDefault.ECSAllAtOnce",
    ("linear", 10, 1): "CodeDeployDefault.ECSLinear10PercentEvery1Minutes",
    ("linear", 10, 3): "CodeDeployDefault.ECSLinear10PercentEvery3Minutes",
    ("canary", 10, 5): "CodeDeployDefault.ECSCanary10Percent5Minutes",
    ("canary", 10, 15): "CodeDeployDefault.ECSCanary10Percent15Minutes",
}
"""Type, percent and interval in minutes to the deployment configurations that every account has
(docs.aws.amazon.com/codedeploy, "Deployment configurations on an Amazon ECS compute platform")."""


def codedeploy(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    name = service_name(spec, environment)
    shift = spec.traffic_shift
    resources = {
        "Application": resource("AWS::CodeDeploy::Application", {"ApplicationName": name, "ComputePlatform": "ECS"}),
        "DeploymentGroup": deployment_group(spec, name),
    }
    if predefined(shift) is None:
        resources["DeploymentConfiguration"] = deployment_configuration(shift, name)
    return resources


def predefined(shift: TrafficShift) -> str | None:
    return PREDEFINED.get((shift.type, shift.percent, shift.interval_minutes))


def deployment_configuration(shift: TrafficShift, name: str) -> Json:
    """Put the values into the name, as no property can be changed.

    Other values create another configuration, and both exist until the deployment group uses the new one.
    """
    word = shift.type.capitalize()
    steps: Json = {f"{word}Percentage": shift.percent, f"{word}Interval": shift.interval_minutes}
    properties: Json = {
        "DeploymentConfigName": f"{name}-{shift.type}-{shift.percent}-percent-{shift.interval_minutes}-minutes",
        "ComputePlatform": "ECS",
        "TrafficRoutingConfig": {"Type": f"TimeBased{word}", f"TimeBased{word}": steps},
    }
    return resource("AWS::CodeDeploy::DeploymentConfig", properties)


def deployment_group(spec: ServiceSpec, name: str) -> Json:
    # An alarm of a queue rolls back the worker, which CodeDeploy does not deploy.
    watched = [ref(alarm_id(alarm)) for alarm in spec.alarms if alarm.roll_back and alarm.queue is None]
    events = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", *(["DEPLOYMENT_STOP_ON_ALARM"] if watched else [])]
    properties: Json = {
        "ApplicationName": ref("Application"),
        "DeploymentGroupName": name,
        "ServiceRoleArn": get("DeployRole", "Arn"),
        "DeploymentConfigName": predefined(spec.traffic_shift) or ref("DeploymentConfiguration"),
        "DeploymentStyle": {"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
        "ECSServices": [{"ClusterName": ref("ClusterName"), "ServiceName": get("Service", "Name")}],
        "LoadBalancerInfo": {"TargetGroupPairInfoList": [target_group_pair()]},
        "BlueGreenDeploymentConfiguration": blue_green(spec.traffic_shift),
        "AutoRollbackConfiguration": {"Enabled": True, "Events": events},
        "AlarmConfiguration": {"Enabled": bool(watched), "Alarms": [{"Name": alarm} for alarm in watched]},
    }
    return resource("AWS::CodeDeploy::DeploymentGroup", properties, DependsOn=["DeployPolicy"])


def target_group_pair() -> Json:
    """Name the listeners, not the rules: CodeDeploy finds the rules that forward to one of the pair."""
    return {
        "TargetGroups": [{"Name": get(target_group(colour), "TargetGroupName")} for colour in COLOURS],
        "ProdTrafficRoute": {"ListenerArns": [ref("ProductionListenerArn")]},
        "TestTrafficRoute": {"ListenerArns": [ref("TestListenerArn")]},
    }


def blue_green(shift: TrafficShift) -> Json:
    return {
        "DeploymentReadyOption": {"ActionOnTimeout": "CONTINUE_DEPLOYMENT", "WaitTimeInMinutes": 0},
        "TerminateBlueInstancesOnDeploymentSuccess": {
            "Action": "TERMINATE",
            "TerminationWaitTimeInMinutes": shift.bake_minutes,
        },
    }
