"""ECS's task definitions, services and tasks, and ECR's images."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefinition:
    """A registered revision. `document` is as it was registered, without what ECS adds; `tags` are its tags. One that
    is not `active` was deregistered: no task is started from it any more.
    """

    arn: str
    family: str
    revision: int
    document: Json
    tags: Mapping[str, str]
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSet:
    """One of the two sets of tasks of a service that CodeDeploy deploys; counts are of tasks."""

    id: str
    status: Literal["PRIMARY", "ACTIVE", "DRAINING"]
    task_definition: str
    target_group: str
    desired: int
    running: int
    pending: int
    steady: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingDeployment:
    """One entry of `deployments` of a service that ECS deploys by itself."""

    id: str
    status: Literal["PRIMARY", "ACTIVE", "INACTIVE"]
    task_definition: str
    desired: int
    running: int
    pending: int
    failed: int
    rollout_state: Literal["COMPLETED", "FAILED", "IN_PROGRESS"]
    rollout_reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvent:
    """A line of an ECS service's event log. ECS keeps the last 100."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsService:
    """An ECS service. Under CodeDeploy, `task_definition` is the primary task set's (ARN)."""

    name: str
    arn: str
    status: str
    controller: Literal["CODE_DEPLOY", "ECS", "EXTERNAL"]
    task_definition: str
    desired: int
    running: int
    pending: int
    platform_version: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    grace_period_seconds: int
    task_sets: tuple[TaskSet, ...]
    deployments: tuple[RollingDeployment, ...]
    events: tuple[ServiceEvent, ...]
    """Newest first."""

    @property
    def primary(self) -> TaskSet | None:
        return next((each for each in self.task_sets if each.status == "PRIMARY"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """A container of a task. `exit_code` is None while it runs, or if it never started."""

    name: str
    last_status: str
    exit_code: int | None
    reason: str
    health: Literal["HEALTHY", "UNHEALTHY", "UNKNOWN"]
    image_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An ECS task. `stop_code` and `stopped_reason` are empty while it runs; ECS forgets it after about an hour."""

    arn: str
    task_definition: str
    last_status: str
    desired_status: str
    started_by: str
    stop_code: str
    stopped_reason: str
    health: Literal["HEALTHY", "UNHEALTHY", "UNKNOWN"]
    containers: tuple[ContainerState, ...]
    private_address: str
    created_at: datetime | None
    stopped_at: datetime | None

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    def container(self, name: str) -> ContainerState | None:
        return next((each for each in self.containers if each.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDeployment:
    """A rolling deployment in ECS's own history."""

    arn: str
    status: str
    reason: str
    target_revision: str
    """The task definition's ARN."""
    started_at: datetime | None
    finished_at: datetime | None


# Secrets that tasks read when they start.


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedSecret:
    """A secret that a service's tasks read.

    Attributes:
        name: in Secrets Manager, or with a slash in front in Parameter Store.
        variables: in which the tasks have it.
        changed_at: None where it does not exist, or the caller may not look.
        is_rotating: a rotation of it has begun, and the value before is still accepted.
        tasks, older: the number of running tasks, and of those that have read an earlier value.
    """

    service: str
    name: str
    variables: tuple[str, ...]
    changed_at: datetime | None
    is_rotating: bool
    tasks: int
    older: int


# ECR.


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """In ECR. `architectures` is empty where the manifest does not name them."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime | None
    size_bytes: int
    architectures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A vulnerability that ECR found in an image. `fixed_in` is a version, empty where there is none."""

    name: str
    severity: str
    package: str
    version: str
    fixed_in: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """An image scan. `status` is COMPLETE, IN_PROGRESS, PENDING, ACTIVE (of a continuous scan), FAILED, or NONE."""

    status: str
    description: str
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
