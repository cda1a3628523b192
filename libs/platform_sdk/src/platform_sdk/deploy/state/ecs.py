"""ECS's task definitions, services and tasks, and ECR's images."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, Literal

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


STARTS_NOTHING: Final = (
    "unable to place",
    "could not launch",
    "failed to launch a task",
    "operations are being throttled",
)
"""In events that say why ECS starts no task (docs.aws.amazon.com/AmazonECS, "Amazon ECS service event messages")."""

REPEATED_AFTER: Final = timedelta(hours=6)
"""After which ECS repeats an event whose cause was not resolved (the same page)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvent:
    """A line of an ECS service's event log. ECS keeps the last 100."""

    at: datetime
    message: str

    @property
    def starts_nothing(self) -> bool:
        """Whether it says that no task could be started. No stopped task tells that."""
        return any(words in self.message for words in STARTS_NOTHING)

    @property
    def starts_tasks(self) -> bool:
        return "has started" in self.message

    @property
    def reason(self) -> str:
        """Return what follows the name of the service, without the pointer to AWS's guide."""
        words = self.message.rpartition("Reason: ")[2] or self.message
        return words.partition(" For more information")[0].rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Since when ECS has started no task that it should have, and why."""

    since: datetime
    event: ServiceEvent


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

    def events_of(self, since: datetime) -> tuple[ServiceEvent, ...]:
        """Return the events of a deployment that began at `since`, the newest first.

        ECS repeats an event only when its cause was resolved, or after six hours (docs.aws.amazon.com/AmazonECS,
        "Service event messages"). So an earlier event that says why no task starts counts until a task has started.
        """
        own = tuple(event for event in self.events if event.at >= since)
        if any(event.starts_tasks for event in own):
            return own
        earlier = (event for event in self.events if since - REPEATED_AFTER <= event.at < since)
        still = takewhile(lambda event: not event.starts_tasks, earlier)
        return own + tuple(event for event in still if event.starts_nothing)

    def blocked(self, revision: str, since: datetime) -> Blocked | None:
        """Return since when no task of a revision could be started. None if there are as many as there should be, or
        ECS gives no reason. `since` is when the deployment began.
        """
        sets: list[TaskSet | RollingDeployment] = [*self.task_sets, *self.deployments]
        if not any(each.task_definition == revision and each.running + each.pending < each.desired for each in sets):
            return None
        events = self.events_of(since)
        began = max((event.at for event in events if event.starts_tasks), default=since)
        nothing = [event for event in events if event.starts_nothing]
        if not nothing:
            return None
        first = min((event.at for event in nothing if event.at >= began), default=began)
        return Blocked(since=first, event=nothing[0])


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
