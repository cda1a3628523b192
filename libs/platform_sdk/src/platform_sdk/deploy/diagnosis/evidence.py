"""Evidence about a failed release, read from AWS while it still has it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from platform_sdk.deploy.state import Alarm, Deployment, LifecycleEvent, ServiceEvent, TargetHealth, Task

NORMAL_ENDS = ("Scaling activity initiated by", "Task stopped by user")
"""Beginnings of `stoppedReason` of tasks that did not fail."""

NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\b\d+\b|\([^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTask:
    """A task of the new revision that stopped; `logs` are the last lines of its app."""

    task: Task
    logs: tuple[str, ...] = ()

    @property
    def has_failed(self) -> bool:
        """Whether the task ended by a failure of its own, not by scaling or a stop from outside."""
        if any(container.exit_code not in (None, 0) for container in self.task.containers):
            return not self.task.stopped_reason.startswith(NORMAL_ENDS)
        return not self.task.stopped_reason.startswith(NORMAL_ENDS) and self.task.stop_code != "UserInitiated"

    @property
    def signature(self) -> str:
        """Return the same text for tasks that failed in the same way: reasons without ids, and exit codes."""
        exits = ",".join(f"{each.name}={each.exit_code}" for each in self.task.containers if each.exit_code)
        return f"{self.task.stop_code}|{NUMBERS.sub('', self.task.stopped_reason).strip()}|{exits}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the release expected, as far as an explanation names it."""

    service: str
    environment: str
    memory_mib: int
    health_path: str
    port: int
    architecture: str
    execution_role: str
    log_group: str
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Lifecycle event to function name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The one-off task that changes the database, and the last lines that it wrote."""

    task: Task
    logs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What AWS shows of a failure. `repeated` counts new tasks that failed alike; `last_lines` are
    a new task's if none has failed by itself.
    """

    expected: Expected
    dead: tuple[DeadTask, ...] = ()
    repeated: int = 0
    last_lines: tuple[str, ...] = ()
    unhealthy: tuple[TargetHealth, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    events: tuple[ServiceEvent, ...] = ()
    lifecycle: tuple[LifecycleEvent, ...] = ()
    deployment: Deployment | None = None
    migration: Migration | None = None
    worker: bool = False
    """The worker's rolling update failed, not the API's deployment."""

    @property
    def failed(self) -> tuple[DeadTask, ...]:
        return tuple(each for each in self.dead if each.has_failed)
