"""What a service asks of the platform in one environment, in typed values that nothing can change."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

Architecture = Literal["x86_64", "arm64"]
ARCHITECTURES: Final[tuple[Architecture, ...]] = ("x86_64", "arm64")

TrafficShiftType = Literal["canary", "linear", "all_at_once"]
TRAFFIC_SHIFTS: Final[tuple[TrafficShiftType, ...]] = ("canary", "linear", "all_at_once")

AlarmKind = Literal["error_rate", "latency_p99", "unhealthy_tasks", "dead_letters", "queue_age"]
ALARMS_OF_QUEUES: Final[tuple[AlarmKind, ...]] = ("dead_letters", "queue_age")

LifecycleEvent = Literal[
    "BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"
]
LIFECYCLE_EVENTS: Final[Mapping[str, LifecycleEvent]] = {
    "before_install": "BeforeInstall",
    "after_install": "AfterInstall",
    "after_allow_test_traffic": "AfterAllowTestTraffic",
    "before_allow_traffic": "BeforeAllowTraffic",
    "after_allow_traffic": "AfterAllowTraffic",
}
"""Keys of `[hooks]` to the lifecycle events of CodeDeploy that may carry a hook, in the order in which they happen."""

SMOKE_TEST: Final = "smoke_test"
"""In place of a function's name: the hook function that the platform brings."""


class SecretStore(StrEnum):
    SECRETS_MANAGER = "secrets_manager"
    PARAMETER_STORE = "parameter_store"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """Where a secret is kept, below `platform/<environment>/<service>/`; `json_key` picks one value out of JSON."""

    store: SecretStore
    name: str
    json_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSize:
    """A Fargate task: CPU units (1024 are one vCPU), MiB, and how it ends.

    `stop_timeout_seconds` are between SIGTERM and SIGKILL; `deregistration_delay_seconds`, never more than those, are
    what the load balancer leaves to requests under way.
    """

    cpu: int
    memory_mib: int
    architecture: Architecture
    stop_timeout_seconds: int
    deregistration_delay_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """One of the two containers beside the app; a size that is None follows from the task's."""

    enabled: bool
    cpu: int | None
    memory_mib: int | None

    def cpu_in(self, task_cpu: int) -> int:
        """CPU units: an eighth of the task and at most 64. A share under contention, not a limit."""
        if not self.enabled:
            return 0
        return min(64, task_cpu // 8) if self.cpu is None else self.cpu

    def memory_mib_in(self, task_memory_mib: int) -> int:
        """Hard limit: a quarter of the smallest task, which leaves the app 256 MiB; 256 MiB is ample anywhere."""
        if not self.enabled:
            return 0
        return min(256, task_memory_mib // 4) if self.memory_mib is None else self.memory_mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecars:
    cloudwatch_agent: Sidecar
    log_router: Sidecar


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledScaling:
    """From the moments of `schedule` (cron, rate or at, in `timezone`) on, these are the bounds."""

    name: str
    schedule: str
    timezone: str
    min_tasks: int
    max_tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How many tasks answer requests. A target that is None is not tracked."""

    min_tasks: int
    max_tasks: int
    target_cpu_percent: int | None
    target_memory_percent: int | None
    target_requests_per_task: int | None
    """Per minute."""
    scale_out_cooldown_seconds: int
    scale_in_cooldown_seconds: int
    scheduled: tuple[ScheduledScaling, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What the image runs, each in exec form; `migrate` before the tasks of a version start, `demo` on the laptop."""

    api: tuple[str, ...]
    migrate: tuple[str, ...] | None
    demo: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The tasks that consume the service's queues; `backlog_per_task` are messages waiting, of all queues together."""

    command: tuple[str, ...]
    min_tasks: int
    max_tasks: int
    backlog_per_task: int
    scale_out_cooldown_seconds: int
    scale_in_cooldown_seconds: int
    scheduled: tuple[ScheduledScaling, ...]
    cpu: int
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneTask:
    """A command that runs to its end in a task of its own: by its schedule, or where that is None, when asked."""

    name: str
    command: tuple[str, ...]
    schedule: str | None
    timezone: str
    cpu: int
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShift:
    """How production traffic moves to a new version, and for how long the old one stays beside it.

    A canary takes `percent`, waits `interval_minutes`, and takes the rest; linear takes `percent` at every interval.
    All at once has neither: both are 100 and 0.
    """

    type: TrafficShiftType
    percent: int
    interval_minutes: int
    bake_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A CloudWatch alarm: at `threshold` or above for `minutes` minutes in a row.

    The threshold counts percent (error_rate), milliseconds (latency_p99), tasks, messages or seconds (queue_age).
    `queue` is a name of platform.toml for the alarms of queues, which exist once for each.
    """

    kind: AlarmKind
    threshold: float
    minutes: int
    roll_back: bool
    queue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How the load balancer asks a task, and what time a new task has: in the container and in the ECS service.

    `path` is below the service's own.
    """

    path: str
    interval_seconds: int
    timeout_seconds: int
    healthy_threshold: int
    unhealthy_threshold: int
    start_period_seconds: int
    grace_period_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNeeds:
    """A schema and a role of the service's name; `max_connections` is per process."""

    max_connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheNeeds:
    """Redis. Nothing to choose yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue that the service owns, with the event types that its worker consumes from it."""

    name: str
    consumes: tuple[str, ...]
    visibility_timeout_seconds: int
    max_receive_count: int
    delay_seconds: int
    retention_days: int
    dead_letter_retention_days: int
    alarm_age_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What the app may do on AWS beyond its own queues and secrets.

    Resources are ARNs in which `{environment}`, `{region}` and `{account_id}` stand for the environment's own, or `*`
    for actions that know no resource.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def resources_in(self, *, environment: str, region: str, account_id: str) -> tuple[str, ...]:
        values = {"environment": environment, "region": region, "account_id": account_id}
        return tuple(resource.format_map(values) for resource in self.resources)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One platform.toml. `directory` is the service's folder; `publishes` maps event types to names of queues.

    `priority` is that of the listener rule; `hooks` maps CodeDeploy's lifecycle events to names of functions.
    """

    name: str
    path: str
    port: int
    priority: int
    directory: Path
    task: TaskSize
    sidecars: Sidecars
    scaling: Scaling
    commands: Commands
    worker: Worker | None
    tasks: tuple[StandaloneTask, ...]
    traffic_shift: TrafficShift
    alarms: tuple[Alarm, ...]
    hooks: Mapping[LifecycleEvent, str]
    health_check: HealthCheck
    log_retention_days: int
    environment: Mapping[str, str]
    secrets: Mapping[str, SecretReference]
    database: DatabaseNeeds | None
    cache: CacheNeeds | None
    queues: tuple[Queue, ...]
    publishes: Mapping[str, tuple[str, ...]]
    permissions: tuple[Permission, ...]
