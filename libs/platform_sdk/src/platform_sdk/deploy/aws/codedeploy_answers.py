"""What CodeDeploy answers, as our values."""

from collections.abc import Iterator
from typing import Any

from platform_sdk.deploy.aws.calls import utc
from platform_sdk.deploy.state import (
    Deployment,
    DeploymentConfiguration,
    DeploymentGroup,
    DeploymentTarget,
    LifecycleEvent,
    TaskSetProgress,
)


def deployment_of(found: Any) -> Deployment:
    rollback = found.get("rollbackInfo", {})
    error = found.get("errorInformation", {})
    return Deployment(
        id=found["deploymentId"],
        status=found["status"],
        creator=found.get("creator", ""),
        description=found.get("description", ""),
        application=found.get("applicationName", ""),
        group=found.get("deploymentGroupName", ""),
        configuration=found.get("deploymentConfigName", ""),
        created_at=utc(found["createTime"]),
        started_at=utc(found.get("startTime")),
        completed_at=utc(found.get("completeTime")),
        error_code=error.get("code", ""),
        error_message=error.get("message", ""),
        rolled_back_by=rollback.get("rollbackDeploymentId", ""),
        rolls_back=rollback.get("rollbackTriggeringDeploymentId", ""),
        rollback_message=rollback.get("rollbackMessage", ""),
        bake_minutes=bake_minutes_of(found),
    )


def bake_minutes_of(found: Any) -> int:
    ending = found.get("blueGreenDeploymentConfiguration", {}).get("terminateBlueInstancesOnDeploymentSuccess", {})
    return int(ending.get("terminationWaitTimeInMinutes", 0))


def group_of(found: Any) -> DeploymentGroup:
    """CodeDeploy deploys one service by one pair of target groups."""
    service: Any = next(iter(found.get("ecsServices", [])), {})
    pair: Any = next(iter(found.get("loadBalancerInfo", {}).get("targetGroupPairInfoList", [])), {})
    alarms = found.get("alarmConfiguration", {})
    rollback = found.get("autoRollbackConfiguration", {})
    return DeploymentGroup(
        name=found["deploymentGroupName"],
        application=found["applicationName"],
        role_arn=found.get("serviceRoleArn", ""),
        configuration=found.get("deploymentConfigName", ""),
        cluster=service.get("clusterName", ""),
        service=service.get("serviceName", ""),
        target_groups=tuple(each["name"] for each in pair.get("targetGroups", [])),
        production_listener=listener_of(pair.get("prodTrafficRoute", {})),
        test_listener=listener_of(pair.get("testTrafficRoute", {})),
        alarms=tuple(each["name"] for each in alarms.get("alarms", [])),
        alarms_enabled=alarms.get("enabled", False),
        rollback_events=tuple(rollback.get("events", [])),
        rollback_enabled=rollback.get("enabled", False),
        bake_minutes=bake_minutes_of(found),
    )


def listener_of(route: Any) -> str:
    return next(iter(route.get("listenerArns", [])), "")


def configuration_of(found: Any) -> DeploymentConfiguration:
    """One without traffic routing is for instances, and moves everything at once where ECS takes it."""
    name, routing = found["deploymentConfigName"], found.get("trafficRoutingConfig", {})
    match routing.get("type"):
        case "TimeBasedCanary":
            shift = routing["timeBasedCanary"]
            return DeploymentConfiguration(
                name=name,
                type="canary",
                percent=shift["canaryPercentage"],
                interval_minutes=shift["canaryInterval"],
            )
        case "TimeBasedLinear":
            shift = routing["timeBasedLinear"]
            return DeploymentConfiguration(
                name=name,
                type="linear",
                percent=shift["linearPercentage"],
                interval_minutes=shift["linearInterval"],
            )
        case _:
            return DeploymentConfiguration(name=name, type="all_at_once", percent=100, interval_minutes=0)


def target_of(found: Any) -> DeploymentTarget:
    return DeploymentTarget(
        status=found.get("status", "Unknown"),
        lifecycle=tuple(event_of(each) for each in found.get("lifecycleEvents", [])),
        task_sets=tuple(progresses_of(found.get("taskSetsInfo", []))),
    )


def event_of(found: Any) -> LifecycleEvent:
    diagnostics = found.get("diagnostics", {})
    failed = found["status"] == "Failed"
    words = (diagnostics.get("message", ""), diagnostics.get("logTail", ""), diagnostics.get("errorCode", ""))
    return LifecycleEvent(
        name=found["lifecycleEventName"],
        status=found["status"],
        started_at=utc(found.get("startTime")),
        ended_at=utc(found.get("endTime")),
        message=next(filter(None, words), "") if failed else "",
    )


def progresses_of(found: Any) -> Iterator[TaskSetProgress]:
    """`identifer` is AWS's spelling. Documents write the labels in capitals, the model does not."""
    for each in found:
        yield TaskSetProgress(
            label=each["taskSetLabel"].capitalize(),
            id=each.get("identifer", ""),
            status=each.get("status", ""),
            target_group=each.get("targetGroup", {}).get("name", ""),
            traffic_percent=float(each.get("trafficWeight", 0)),
            desired=each.get("desiredCount", 0),
            running=each.get("runningCount", 0),
            pending=each.get("pendingCount", 0),
        )
