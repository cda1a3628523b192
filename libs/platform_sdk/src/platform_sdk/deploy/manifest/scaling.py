"""Tables that define how many tasks run: `[scaling]`, `[worker]`, and `[[scheduled]]` below each."""

from dataclasses import dataclass
from typing import Final

from platform_sdk.deploy.manifest.keys import (
    ARGUMENT,
    SCHEDULE,
    SHORT_NAME,
    TIMEZONE,
    Integer,
    Key,
    Text,
    Texts,
    check_schedule,
    declared,
    key,
    table,
)
from platform_sdk.deploy.manifest.tasks import OWN_CPU, OWN_MEMORY, check_own_size
from platform_sdk.deploy.toml_document import Table

TASKS: Final = Integer(1, 5000)
MIN_CAPACITY: Final = "`MinCapacity` of the scalable target, and the number that `platform up` runs"
MAX_CAPACITY: Final = "`MaxCapacity` of the scalable target"

SCALE_OUT_COOLDOWN: Final = Key(
    Integer(0, 3600),
    default=60,
    becomes="`ScaleOutCooldown` of the scaling policies",
    meaning="Seconds after tasks were added in which none is added for the same reason.",
)
SCALE_IN_COOLDOWN: Final = Key(
    Integer(0, 3600),
    default=300,
    becomes="`ScaleInCooldown` of the scaling policies",
    meaning="Seconds after a change in which no task is removed.",
)


def _check_bounds(table: Table, low: int, high: int) -> None:
    if not table.are_sound("min_tasks", "max_tasks") or low <= high:
        return
    if table.is_overridden("max_tasks") and not table.is_overridden("min_tasks"):
        table.error("max_tasks", f"{high} is below min_tasks, which is {low}", f"give min_tasks here too, or {low}")
    else:
        table.error("min_tasks", f"{low} is above max_tasks, which is {high}", "swap them?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledScaling:
    """Other bounds, which apply from each time of `schedule` (cron, rate or at, in `timezone`)."""

    name: str = key(Text(SHORT_NAME), example='"before-the-sale"', becomes="`ScheduledActionName`")
    """What the change is called."""
    schedule: str = key(Text(SCHEDULE), example='"cron(0 6 27 11 ? *)"', becomes="`Schedule` of the scheduled action")
    """When: "cron(minute hour day-of-month month day-of-week year)", in which one of the two days is ?; "rate(5
    minutes)"; or "at(2026-11-27T06:00:00)"."""
    timezone: str = declared(TIMEZONE)
    min_tasks: int = key(TASKS, example="20", becomes="`ScalableTargetAction.MinCapacity`")
    """Tasks that always run from then on."""
    max_tasks: int = key(TASKS, example="50", becomes="`ScalableTargetAction.MaxCapacity`")
    """Tasks that run at most from then on."""

    def check(self, table: Table) -> None:
        """Report bounds in the wrong order, and a schedule or time zone that AWS would refuse."""
        _check_bounds(table, self.min_tasks, self.max_tasks)
        check_schedule(table, self.schedule, self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How many tasks answer requests. A target that is None is not tracked."""

    min_tasks: int = key(TASKS, example="2", becomes=MIN_CAPACITY)
    """Tasks that always run. Two survive the loss of one availability zone."""
    max_tasks: int = key(TASKS, example="6", becomes=MAX_CAPACITY)
    """Tasks that run at most."""
    target_cpu_percent: int | None = key(
        Integer(10, 95, or_zero=True),
        default=60,
        becomes="`TargetValue` of a policy on ECSServiceAverageCPUUtilization",
    )
    """CPU that the tasks use on average; 0 does not track it."""
    target_memory_percent: int | None = key(
        Integer(10, 95, or_zero=True),
        default=75,
        becomes="`TargetValue` of a policy on ECSServiceAverageMemoryUtilization",
    )
    """Memory that the tasks use on average; 0 does not track it."""
    target_requests_per_task: int | None = key(
        Integer(1, 1_000_000, or_zero=True),
        default=0,
        example="1000",
        becomes="`TargetValue` of a policy on the requests of both target groups, by metric math",
    )
    """Requests per minute and task; 0 does not track them."""
    scale_out_cooldown_seconds: int = declared(SCALE_OUT_COOLDOWN)
    scale_in_cooldown_seconds: int = declared(SCALE_IN_COOLDOWN)
    scheduled: tuple[ScheduledScaling, ...] = table(ScheduledScaling, form="list")
    """other bounds from a moment on, until the next change: for a peak that is known in advance"""

    def check(self, table: Table) -> None:
        """Report bounds in the wrong order, and room to scale without a target that would use it."""
        _check_bounds(table, self.min_tasks, self.max_tasks)
        targets = (self.target_cpu_percent, self.target_memory_percent, self.target_requests_per_task)
        if self.min_tasks < self.max_tasks and not any(targets):
            reason = "no target is left, so the number of tasks would never change"
            table.error("target_cpu_percent", reason, "60 is usual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The tasks that consume the service's queues."""

    command: tuple[str, ...] = key(
        Texts(ARGUMENT),
        example='["python", "-m", "orders.worker"]',
        becomes="`command` of the container in the task definition <environment>-<name>-worker",
    )
    """Consumes until it is stopped."""
    min_tasks: int = key(TASKS, example="2", becomes=MIN_CAPACITY)
    """Workers that always run. Two survive the loss of one availability zone."""
    max_tasks: int = key(TASKS, example="6", becomes=MAX_CAPACITY)
    """Workers that run at most."""
    backlog_per_task: int = key(
        Integer(1, 1_000_000),
        default=100,
        becomes="`TargetValue` of a policy on ApproximateNumberOfMessagesVisible / RunningTaskCount",
    )
    """Messages, of all queues together, that may wait for each worker: the seconds that a message may wait, divided by
    those that one takes."""
    scale_out_cooldown_seconds: int = declared(SCALE_OUT_COOLDOWN)
    scale_in_cooldown_seconds: int = declared(SCALE_IN_COOLDOWN)
    cpu: int = declared(OWN_CPU)
    memory_mib: int = declared(OWN_MEMORY)
    scheduled: tuple[ScheduledScaling, ...] = table(ScheduledScaling, form="list")
    """other bounds from a moment on, until the next change: for a peak that is known in advance"""

    def check(self, table: Table) -> None:
        """Report bounds in the wrong order, and a size that Fargate does not offer."""
        _check_bounds(table, self.min_tasks, self.max_tasks)
        check_own_size(table, self.cpu, self.memory_mib)
