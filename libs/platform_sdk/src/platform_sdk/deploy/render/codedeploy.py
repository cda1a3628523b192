"""The CodeDeploy application and deployment group: how traffic shifts to a new version, and what rolls it back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

import yaml

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.releases import LIFECYCLE_EVENTS, TrafficShift, TrafficShiftType
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.alarms import alarm_id
from platform_sdk.deploy.render.cloudformation import Json, get, ref, resource
from platform_sdk.deploy.render.names import COLOURS, PLATFORM_VERSION, hook_function_name, service_name, target_group
from platform_sdk.deploy.render.task_definition import APP

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
    """Return application and deployment group, and a configuration unless AWS has a predefined one that fits."""
    name = service_name(spec, environment)
    shift = spec.traffic_shift
    resources = {
        "Application": resource("AWS::CodeDeploy::Application", {"ApplicationName": name, "ComputePlatform": "ECS"}),
        "DeploymentGroup": _deployment_group(spec, name),
    }
    if _predefined(shift) is None:
        resources["DeploymentConfiguration"] = deployment_configuration(shift, name)
    return resources


def _predefined(shift: TrafficShift) -> str | None:
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


def _deployment_group(spec: ServiceSpec, name: str) -> Json:
    # An alarm of a queue rolls back the worker, which CodeDeploy does not deploy.
    watched = [ref(alarm_id(alarm)) for alarm in spec.alarms if alarm.roll_back and alarm.queue is None]
    events = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", *(["DEPLOYMENT_STOP_ON_ALARM"] if watched else [])]
    properties: Json = {
        "ApplicationName": ref("Application"),
        "DeploymentGroupName": name,
        "ServiceRoleArn": get("DeployRole", "Arn"),
        "DeploymentConfigName": _predefined(spec.traffic_shift) or ref("DeploymentConfiguration"),
        "DeploymentStyle": {"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
        "ECSServices": [{"ClusterName": ref("ClusterName"), "ServiceName": get("Service", "Name")}],
        "LoadBalancerInfo": {"TargetGroupPairInfoList": [target_group_pair()]},
        "BlueGreenDeploymentConfiguration": _blue_green(spec.traffic_shift),
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


def _blue_green(shift: TrafficShift) -> Json:
    return {
        "DeploymentReadyOption": {"ActionOnTimeout": "CONTINUE_DEPLOYMENT", "WaitTimeInMinutes": 0},
        "TerminateBlueInstancesOnDeploymentSuccess": {
            "Action": "TERMINATE",
            "TerminationWaitTimeInMinutes": shift.bake_minutes,
        },
    }


# What CodeDeploy deploys: the repository's appspec.yaml, filled in for a service and a task definition revision.

AT_ONCE: Final = "CodeDeployDefault.ECSAllAtOnce"
"""Predefined by AWS: all traffic shifts in one step."""
TEMPLATE: Final = Path("appspec.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSpec:
    """What an AppSpec says besides the revision. `hooks` maps lifecycle events to functions, in the order of calls."""

    container_name: str = APP
    container_port: int
    platform_version: str = PLATFORM_VERSION
    hooks: Mapping[str, str]


def appspec_of(spec: ServiceSpec, environment: Environment) -> AppSpec:
    """Return the AppSpec of a version that is rendered from platform.toml."""
    hooks: dict[str, str] = {
        event: hook_function_name(environment, spec.hooks[event])
        for event in LIFECYCLE_EVENTS.values()
        if event in spec.hooks
    }
    return AppSpec(container_port=spec.port, hooks=hooks)


def parse_appspec(text: str) -> AppSpec | None:
    """Return what a deployment was created with; None for what is not an AppSpec of an ECS service with one port."""
    try:
        document = yaml.safe_load(text)
        properties = document["Resources"][0]["TargetService"]["Properties"]
        return AppSpec(
            container_name=str(properties["LoadBalancerInfo"]["ContainerName"]),
            container_port=int(properties["LoadBalancerInfo"]["ContainerPort"]),
            platform_version=str(properties.get("PlatformVersion", PLATFORM_VERSION)),
            hooks={str(event): str(name) for hook in document.get("Hooks") or () for event, name in hook.items()},
        )
    except (yaml.YAMLError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def load_appspec_template(root: Path) -> str:
    """Read appspec.yaml, which all services share, from the root of the repository."""
    return (root / TEMPLATE).read_text(encoding="utf-8")


def render_appspec(template: str, appspec: AppSpec, task_definition_arn: str) -> str:
    """Return the AppSpec as YAML. `task_definition_arn` is the ARN of the revision to run."""
    return Template(template).substitute(
        task_definition=json.dumps(task_definition_arn),
        container_name=json.dumps(appspec.container_name),
        container_port=appspec.container_port,
        platform_version=json.dumps(appspec.platform_version),
        hooks=json.dumps([{event: function} for event, function in appspec.hooks.items()]),
    )


def deployment_request(
    appspec: str, spec: ServiceSpec, environment: Environment, description: str, *, at_once: bool = False
) -> Json:
    """Return the parameters of codedeploy:CreateDeployment. The deployment group holds all other settings.

    Args:
        at_once: shift all traffic in one step instead of as the deployment group says.
    """
    digest = hashlib.sha256(appspec.encode()).hexdigest()
    return {
        "applicationName": service_name(spec, environment),
        "deploymentGroupName": service_name(spec, environment),
        "description": description,
        "revision": {
            "revisionType": "AppSpecContent",
            "appSpecContent": {"content": appspec, "sha256": digest},
        },
        **({"deploymentConfigName": AT_ONCE} if at_once else {}),
    }
