"""A service, its task sets and its deployments as DescribeServices tells of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_simulator.ecs.state import EcsService, Task, TaskSet


def counts(tasks: Sequence[Task]) -> tuple[int, int]:
    """Pending and running."""
    running = sum(task.last_status == "RUNNING" for task in tasks)
    pending = sum(task.last_status in ("PROVISIONING", "PENDING") and task.wanted for task in tasks)
    return pending, running


def described_service(service: EcsService, tasks: Mapping[str, Sequence[Task]]) -> dict[str, Any]:
    """Without its tags. `tasks` are those that are not stopped, by the id of their task set."""
    pending, running = counts([task for of_set in tasks.values() for task in of_set])
    request = service.request
    of_ecs = service.controller == "ECS"
    primary = next((one for one in service.sets if one.status == "PRIMARY"), None)
    balancers = primary.load_balancers if primary else request.get("loadBalancers", [])
    return {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster.arn,
        "loadBalancers": balancers,
        "serviceRegistries": [],
        "status": service.status,
        "desiredCount": service.desired_count,
        "runningCount": running,
        "pendingCount": pending,
        "launchType": "FARGATE",
        "platformVersion": request.get("platformVersion", "LATEST"),
        "platformFamily": "Linux",
        "taskDefinition": service.definition.arn,
        "deploymentConfiguration": configuration_of(service),
        "taskSets": [] if of_ecs else [described_task_set(service, one, tasks[one.id]) for one in service.sets],
        "deployments": [described_deployment(one, tasks[one.id]) for one in newest_first(service)] if of_ecs else [],
        "events": service.events,
        "createdAt": service.created_at,
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": request.get("networkConfiguration", {}),
        "healthCheckGracePeriodSeconds": service.grace_seconds,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": service.controller},
        "enableECSManagedTags": request.get("enableECSManagedTags", False),
        "propagateTags": request.get("propagateTags", "NONE"),
        "enableExecuteCommand": request.get("enableExecuteCommand", False),
    }


def configuration_of(service: EcsService) -> dict[str, Any]:
    defaults = {
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    }
    return {**defaults, **service.request.get("deploymentConfiguration", {})}


def newest_first(service: EcsService) -> list[TaskSet]:
    return sorted(service.sets, key=lambda one: (one.status == "PRIMARY", one.created_at), reverse=True)


def described_task_set(service: EcsService, one: TaskSet, tasks: Sequence[Task]) -> dict[str, Any]:
    pending, running = counts(tasks)
    return {
        "id": one.id,
        "taskSetArn": f"{service.arn.replace(':service/', ':task-set/')}/{one.id}",
        "serviceArn": service.arn,
        "clusterArn": service.cluster.arn,
        "startedBy": one.started_by or "CODE_DEPLOY",
        "externalId": one.external_id,
        "status": one.status,
        "taskDefinition": one.definition.arn,
        "computedDesiredCount": one.desired_count,
        "pendingCount": pending,
        "runningCount": running,
        "createdAt": one.created_at,
        "updatedAt": one.updated_at,
        "launchType": "FARGATE",
        "platformVersion": one.platform_version,
        "platformFamily": "Linux",
        "networkConfiguration": one.network,
        "loadBalancers": one.load_balancers,
        "serviceRegistries": [],
        "scale": {"value": 0.0 if one.status == "DRAINING" else 100.0, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if one.steady_at else "STABILIZING",
        "stabilityStatusAt": one.steady_at or one.updated_at,
        "tags": [],
    }


def described_deployment(one: TaskSet, tasks: Sequence[Task]) -> dict[str, Any]:
    pending, running = counts(tasks)
    return {
        "id": one.id,
        "status": one.status,
        "taskDefinition": one.definition.arn,
        "desiredCount": one.desired_count,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": one.failed_tasks,
        "createdAt": one.created_at,
        "updatedAt": one.updated_at,
        "launchType": "FARGATE",
        "platformVersion": one.platform_version,
        "platformFamily": "Linux",
        "networkConfiguration": one.network,
        "rolloutState": one.rollout_state,
        "rolloutStateReason": one.rollout_state_reason,
    }
