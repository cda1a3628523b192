"""What is on AWS, as plain values: gateways answer with them, and plan, preflight and release read them.

Nothing here calls AWS or decides. Times are in UTC with their zone; ARNs and names are texts as AWS gives them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

Json = dict[str, object]

DeploymentStatus = Literal["Created", "Queued", "InProgress", "Baking", "Ready", "Succeeded", "Failed", "Stopped"]
ENDED: Final[frozenset[DeploymentStatus]] = frozenset({"Succeeded", "Failed", "Stopped"})
RUNNING: Final[tuple[DeploymentStatus, ...]] = ("Created", "Queued", "InProgress", "Baking", "Ready")

LifecycleStatus = Literal["Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefinition:
    """A registered revision. `document` is as it was registered, without what ECS adds; `tags` are its tags."""

    arn: str
    family: str
    revision: int
    document: Json
    tags: Mapping[str, str]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvent:
    at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsService:
    """`task_definition` is the running revision's ARN: of the primary task set under CodeDeploy."""

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
    name: str
    last_status: str
    exit_code: int | None
    reason: str
    health: Literal["HEALTHY", "UNHEALTHY", "UNKNOWN"]
    image_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """`stop_code` and `stopped_reason` are empty while it runs; AWS forgets a stopped task after about an hour."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleEvent:
    name: str
    status: LifecycleStatus
    started_at: datetime | None
    ended_at: datetime | None
    message: str
    """What CodeDeploy says about a failure; empty otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSetProgress:
    """A task set as CodeDeploy reports it; `traffic_percent` is its share of production traffic."""

    label: Literal["Blue", "Green"]
    id: str
    status: str
    target_group: str
    """The target group's name."""
    traffic_percent: float
    desired: int
    running: int
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentTarget:
    """Progress of a deployment: Blue is the original task set, Green the replacement."""

    status: str
    lifecycle: tuple[LifecycleEvent, ...]
    task_sets: tuple[TaskSetProgress, ...]

    def event(self, name: str) -> LifecycleEvent | None:
        return next((each for each in self.lifecycle if each.name == name), None)

    def task_set(self, label: Literal["Blue", "Green"]) -> TaskSetProgress | None:
        return next((each for each in self.task_sets if each.label == label), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One run of CodeDeploy. `rolled_back_by` is the id of the deployment that takes this one back, `rolls_back` the id
    of the one that this takes back; both are empty where there is none.
    """

    id: str
    status: DeploymentStatus
    creator: str
    description: str
    application: str
    group: str
    configuration: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error_code: str
    error_message: str
    rolled_back_by: str
    rolls_back: str
    rollback_message: str
    bake_minutes: int

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentGroup:
    """`configuration` names the deployment configuration; target groups, listeners and alarms by name or ARN, as AWS."""

    name: str
    application: str
    role_arn: str
    configuration: str
    cluster: str
    service: str
    target_groups: tuple[str, ...]
    production_listener: str
    test_listener: str
    alarms: tuple[str, ...]
    alarms_enabled: bool
    rollback_events: tuple[str, ...]
    rollback_enabled: bool
    bake_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentConfiguration:
    """How traffic moves: percent at every interval; all at once is 100 and 0."""

    name: str
    type: Literal["canary", "linear", "all_at_once"]
    percent: int
    interval_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerRule:
    """`weights` maps ARNs of target groups to weights; CodeDeploy leaves both of a pair in the rule."""

    arn: str
    listener: str
    priority: str
    paths: tuple[str, ...]
    weights: Mapping[str, int]

    @property
    def live_target_group(self) -> str | None:
        """The one with most of the traffic, if any has some."""
        group = max(self.weights, key=lambda arn: self.weights[arn], default=None)
        return group if group is not None and self.weights[group] > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    name: str
    arn: str
    port: int
    health_path: str
    load_balancers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    address: str
    port: int
    state: str
    """healthy, unhealthy, initial, draining, unused or unavailable."""
    reason: str
    """AWS's code, such as Target.ResponseCodeMismatch."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """Which kinds of scaling are suspended."""

    scale_in: bool = False
    scale_out: bool = False
    scheduled: bool = False

    @property
    def any(self) -> bool:
        return self.scale_in or self.scale_out or self.scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalableTarget:
    """`resource` is `service/<cluster>/<service>`; bounds are tasks."""

    resource: str
    min_tasks: int
    max_tasks: int
    suspended: Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    name: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    reason: str
    description: str
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    at: datetime
    stream: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """In ECR. `architectures` is empty where the manifest does not tell."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime | None
    size_bytes: int
    architectures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    severity: str
    package: str
    version: str
    fixed_in: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """`status` is COMPLETE, IN_PROGRESS, PENDING, ACTIVE (of a continuous scan), FAILED, or NONE where none was asked."""

    status: str
    description: str
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackResource:
    logical_id: str
    physical_id: str
    type: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    id: str
    at: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """`parameters` are as given, `template` as the stack has it now, parsed where it is JSON or YAML."""

    name: str
    id: str
    status: str
    status_reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """One line of a change set."""

    action: Literal["Add", "Modify", "Remove", "Import", "Dynamic"]
    logical_id: str
    physical_id: str
    type: str
    replacement: Literal["True", "False", "Conditional", ""]
    scope: tuple[str, ...]
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    name: str
    stack: str
    status: str
    status_reason: str
    execution_status: str
    changes: tuple[ResourceChange, ...]

    @property
    def is_empty(self) -> bool:
        """CloudFormation fails a change set that changes nothing, and tells only in words."""
        words = ("didn't contain changes", "No updates are to be performed")
        return self.status == "FAILED" and any(each in self.status_reason for each in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """All of a service in an environment that exists on AWS; None and empty where it does not."""

    stack: Stack | None
    template: Json | None
    """Of the stack, as deployed."""
    api: EcsService | None
    worker: EcsService | None
    api_revision: TaskDefinition | None
    worker_revision: TaskDefinition | None
    standalone_revisions: Mapping[str, TaskDefinition] = field(default_factory=dict)
    """The newest of each `[[tasks]]`, by the task's name."""
    production_rule: ListenerRule | None = None
    test_rule: ListenerRule | None = None
    target_groups: tuple[TargetGroup, ...] = ()
    scaling: ScalableTarget | None = None
    worker_scaling: ScalableTarget | None = None
    deployment_group: DeploymentGroup | None = None
    running_deployment: Deployment | None = None
    alarms: tuple[Alarm, ...] = ()
