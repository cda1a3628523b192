"""A deployment and its target as GetDeployment and GetDeploymentTarget tell of them."""

from typing import Any

from aws_simulator.codedeploy.groups import revision_of
from aws_simulator.codedeploy.state import Deployment, LifecycleEvent

TARGET_STATUS = {
    "InProgress": "InProgress",
    "Baking": "InProgress",
    "Ready": "Ready",
    "Succeeded": "Succeeded",
    "Failed": "Failed",
    "Stopped": "Failed",
}


def described(deployment: Deployment) -> dict[str, Any]:
    """DeploymentInfo."""
    group = deployment.group.request
    error = deployment.error
    done = not deployment.is_active
    facts: dict[str, Any] = {
        "applicationName": deployment.application,
        "deploymentGroupName": deployment.group.name,
        "deploymentConfigName": deployment.configuration.name,
        "deploymentId": deployment.id,
        "previousRevision": revision_of(deployment.previous) if deployment.previous else None,
        "revision": revision_of(deployment.sha256) if deployment.sha256 else None,
        "status": deployment.status,
        "errorInformation": {"code": error[0], "message": error[1]} if error and done else None,
        "createTime": deployment.created_at,
        "startTime": deployment.started_at,
        "completeTime": deployment.completed_at,
        "deploymentOverview": overview(deployment) if deployment.started_at else None,
        "description": deployment.description or None,
        "creator": deployment.creator,
        "ignoreApplicationStopFailures": False,
        "autoRollbackConfiguration": deployment.auto_rollback,
        "updateOutdatedInstancesOnly": False,
        "rollbackInfo": deployment.rollback_info or None,
        "deploymentStyle": group.get("deploymentStyle"),
        "instanceTerminationWaitTimeStarted": deployment.baking_since is not None,
        "blueGreenDeploymentConfiguration": group.get("blueGreenDeploymentConfiguration"),
        "loadBalancerInfo": group.get("loadBalancerInfo"),
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [],
        "computePlatform": "ECS",
        "overrideAlarmConfiguration": deployment.alarms if deployment.overrides_alarms else None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def overview(deployment: Deployment) -> dict[str, int]:
    counted = dict.fromkeys(("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready"), 0)
    counted[TARGET_STATUS[deployment.status]] = 1
    return counted


def described_target(deployment: Deployment, target_id: str, arn: str) -> dict[str, Any]:
    """DeploymentTarget. `identifer` is how the API spells it."""
    return {
        "deploymentTargetType": "ECSTarget",
        "ecsTarget": {
            "deploymentId": deployment.id,
            "targetId": target_id,
            "targetArn": arn,
            "lastUpdatedAt": deployment.updated_at,
            "lifecycleEvents": [described_event(event) for event in deployment.events],
            "status": TARGET_STATUS[deployment.status],
            "taskSetsInfo": deployment.task_sets,
        },
    }


def described_event(event: LifecycleEvent) -> dict[str, Any]:
    failed = event.status == "Failed"
    diagnostics = {
        "errorCode": "UnknownError" if failed else "Success",
        "scriptName": event.hook or "",
        "message": event.message,
        "logTail": "",
    }
    facts = {
        "lifecycleEventName": event.name,
        "diagnostics": diagnostics if failed or event.status == "Succeeded" else None,
        "startTime": event.started_at,
        "endTime": event.ended_at,
        "status": event.status,
    }
    return {key: value for key, value in facts.items() if value is not None}
