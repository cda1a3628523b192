"""Clusters, task definitions, services, task sets and tasks, as this account has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aws_simulator.world import Behaviour

TaskStatus = Literal["PROVISIONING", "PENDING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]
StopCode = Literal["TaskFailedToStart", "EssentialContainerExited", "UserInitiated", "ServiceSchedulerInitiated"]
SetStatus = Literal["PRIMARY", "ACTIVE", "DRAINING"]
RolloutState = Literal["IN_PROGRESS", "COMPLETED", "FAILED"]


@dataclass(slots=True, kw_only=True)
class Cluster:
    """A cluster; `request` holds what CreateCluster got."""

    arn: str
    name: str
    request: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class TaskDefinition:
    """One revision of a task definition; `document` holds it as DescribeTaskDefinition returns it."""

    arn: str
    family: str
    revision: int
    document: dict[str, Any]
    tags: list[dict[str, str]]
    registered_at: datetime
    status: Literal["ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"] = "ACTIVE"
    deregistered_at: datetime | None = None
    delete_requested_at: datetime | None = None

    @property
    def containers(self) -> list[dict[str, Any]]:
        containers: list[dict[str, Any]] = self.document["containerDefinitions"]
        return containers


@dataclass(slots=True, kw_only=True)
class Container:
    """One container of a task, and how it behaves."""

    name: str
    definition: dict[str, Any]
    behaviour: Behaviour
    status: Literal["PENDING", "RUNNING", "STOPPED"] = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    health: Literal["UNKNOWN", "HEALTHY", "UNHEALTHY"] = "UNKNOWN"

    @property
    def image(self) -> str:
        return str(self.definition["image"])

    @property
    def essential(self) -> bool:
        return bool(self.definition.get("essential", True))


@dataclass(slots=True, kw_only=True)
class Task:
    """
    Args:
        set_id: of the task set or deployment that it belongs to; None for one of RunTask.
        ends_by_itself: whether it runs a command that comes to an end.
        targets: target groups and ports in which it is registered while it runs.
    """

    arn: str
    cluster_arn: str
    definition: TaskDefinition
    containers: list[Container]
    address: str
    group: str
    started_by: str
    created_at: datetime
    request: dict[str, Any]
    tags: list[dict[str, str]]
    service: str | None = None
    set_id: str | None = None
    ends_by_itself: bool = False
    targets: list[tuple[str, int]] = field(default_factory=list)
    last_status: TaskStatus = "PROVISIONING"
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    exited: bool = False
    stop_code: StopCode | None = None
    stopped_reason: str | None = None
    counted: bool = False
    """Whether its failure has been counted."""
    has_address: bool = True

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def wanted(self) -> bool:
        return self.stopping_at is None and self.stopped_at is None

    @property
    def subject(self) -> Container:
        """The container that decides the task's fate: one that is not good, or else the first essential one."""
        bad = [container for container in self.containers if container.behaviour.kind != "good"]
        essential = [container for container in self.containers if container.essential]
        return (bad or essential)[0]


@dataclass(slots=True, kw_only=True)
class TaskSet:
    """The tasks of one revision in a service: a task set of CodeDeploy's, or a deployment of ECS's own."""

    id: str
    definition: TaskDefinition
    status: SetStatus
    created_at: datetime
    updated_at: datetime
    load_balancers: list[dict[str, Any]]
    network: dict[str, Any]
    platform_version: str
    desired_count: int = 0
    failed_tasks: int = 0
    last_failure_at: datetime | None = None
    steady_at: datetime | None = None
    rollout_state: RolloutState = "IN_PROGRESS"
    rollout_state_reason: str = ""
    external_id: str = ""
    started_by: str = ""
    rolls_back: bool = False
    """Whether ECS made it to go back from another one."""


@dataclass(slots=True, kw_only=True)
class EcsService:
    """A service: how many tasks of which revision should run, and the task sets that run them."""

    arn: str
    name: str
    cluster: Cluster
    request: dict[str, Any]
    desired_count: int
    controller: Literal["ECS", "CODE_DEPLOY", "EXTERNAL"]
    definition: TaskDefinition
    created_at: datetime
    status: Literal["ACTIVE", "DRAINING", "INACTIVE"] = "ACTIVE"
    inactive_since: datetime | None = None
    sets: list[TaskSet] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, str]] = field(default_factory=list)
    unplaced_since: datetime | None = None
    """When an event last said that no task could be placed; None once one has started."""

    @property
    def primary(self) -> TaskSet:
        """The primary task set. Services with an EXTERNAL controller are not supported.

        Raises:
            StopIteration: when all task sets were deleted.
        """
        return next(one for one in self.sets if one.status == "PRIMARY")

    @property
    def configuration(self) -> dict[str, Any]:
        """Its deploymentConfiguration, with ECS's defaults."""
        defaults = {
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        }
        return {**defaults, **self.request.get("deploymentConfiguration", {})}

    @property
    def grace_seconds(self) -> int:
        return int(self.request.get("healthCheckGracePeriodSeconds", 0))


@dataclass(slots=True, kw_only=True)
class ServiceRevision:
    """What a rolling deployment leads to: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html"""

    arn: str
    service: EcsService
    definition: TaskDefinition
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class ServiceDeployment:
    """The record of a rolling deployment, which stays when its task set is gone."""

    arn: str
    set_id: str
    service: EcsService
    target: ServiceRevision
    sources: list[ServiceRevision]
    status: str
    created_at: datetime
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    rolls_back_at: datetime | None = None
    """When the rollback that somebody requested begins."""
    reason: str = ""
    rollback: dict[str, Any] | None = None
    rollback_set_id: str | None = None
    alarms_at_start: tuple[str, ...] = ()
    breaker_tripped: bool = False
    failed_tasks: int = 0
    """When it ended; while it goes on, its task set counts."""


# Answers of DescribeServices.


def counts(tasks: Sequence[Task]) -> tuple[int, int]:
    """Return the numbers of pending and running tasks."""
    running = sum(task.last_status == "RUNNING" for task in tasks)
    pending = sum(task.last_status in ("PROVISIONING", "PENDING") and task.wanted for task in tasks)
    return pending, running


def service_description(service: EcsService, tasks: Mapping[str, Sequence[Task]]) -> dict[str, Any]:
    """Describe a service without its tags. `tasks` are those not stopped, by the id of their task set."""
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
        "deploymentConfiguration": service.configuration,
        "taskSets": [] if of_ecs else [task_set_description(service, one, tasks[one.id]) for one in service.sets],
        "deployments": [deployment_description(one, tasks[one.id]) for one in newest_first(service)] if of_ecs else [],
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


def newest_first(service: EcsService) -> list[TaskSet]:
    """Return a service's deployments in the order of DescribeServices: the primary one first."""
    return sorted(service.sets, key=lambda one: (one.status == "PRIMARY", one.created_at), reverse=True)


def task_set_description(service: EcsService, one: TaskSet, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return a task set as DescribeTaskSets does."""
    return {
        **shared_description(one, tasks),
        "taskSetArn": f"{service.arn.replace(':service/', ':task-set/')}/{one.id}",
        "serviceArn": service.arn,
        "clusterArn": service.cluster.arn,
        "startedBy": one.started_by or "CODE_DEPLOY",
        "externalId": one.external_id,
        "computedDesiredCount": one.desired_count,
        "loadBalancers": one.load_balancers,
        "serviceRegistries": [],
        "scale": {"value": 0.0 if one.status == "DRAINING" else 100.0, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if one.steady_at else "STABILIZING",
        "stabilityStatusAt": one.steady_at or one.updated_at,
        "tags": [],
    }


def deployment_description(one: TaskSet, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return a rolling deployment as DescribeServices does."""
    return {
        **shared_description(one, tasks),
        "desiredCount": one.desired_count,
        "failedTasks": one.failed_tasks,
        "rolloutState": one.rollout_state,
        "rolloutStateReason": one.rollout_state_reason,
    }


def shared_description(one: TaskSet, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return the members that task sets and rolling deployments share."""
    pending, running = counts(tasks)
    return {
        "id": one.id,
        "status": one.status,
        "taskDefinition": one.definition.arn,
        "pendingCount": pending,
        "runningCount": running,
        "createdAt": one.created_at,
        "updatedAt": one.updated_at,
        "launchType": "FARGATE",
        "platformVersion": one.platform_version,
        "platformFamily": "Linux",
        "networkConfiguration": one.network,
    }
