"""CodeDeploy's deployments, and the load balancing, scaling, alarms and logs of a service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

DeploymentStatus = Literal["Created", "Queued", "InProgress", "Baking", "Ready", "Succeeded", "Failed", "Stopped"]
ENDED: Final[frozenset[DeploymentStatus]] = frozenset({"Succeeded", "Failed", "Stopped"})
RUNNING: Final[tuple[DeploymentStatus, ...]] = ("Created", "Queued", "InProgress", "Baking", "Ready")

LifecycleStatus = Literal["Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleEvent:
    """A step of a CodeDeploy deployment. The times are None until it starts and ends."""

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
    """One run of CodeDeploy. `rolled_back_by` is the id of the deployment that rolls this one back, `rolls_back` the id
    of the one that this rolls back; both are empty where there is none.
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
    """A deployment group. `configuration` names the deployment configuration; the rest by name or ARN, as AWS does."""

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


# Load balancing, scaling, alarms and logs.


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerRule:
    """A listener rule. `weights` is by target group (ARN); CodeDeploy leaves both of a pair in the rule."""

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
    """A target group. `load_balancers` are ARNs, empty while no listener forwards to the group."""

    name: str
    arn: str
    port: int
    health_path: str
    load_balancers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """The health of one task's address in a target group."""

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
    """A scalable target. `resource` is `service/<cluster>/<service>`; bounds are tasks."""

    resource: str
    min_tasks: int
    max_tasks: int
    suspended: Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A CloudWatch alarm. `reason` is AWS's explanation of the state."""

    name: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    reason: str
    description: str
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a log stream. `at` is the time that the writer gave it."""

    at: datetime
    stream: str
    text: str
