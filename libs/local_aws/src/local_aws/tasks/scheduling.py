"""The decisions of an ECS service scheduler: from desired tasks, observed tasks and the time to actions. Pure.

A slot is a place for one task of a service. A slot's task is replaced when its revision is no longer the desired one:
the new task starts first, and the old one stops once the new one is healthy. A task that ends is started again: at once
if it was healthy for STABLE_AFTER_SECONDS, otherwise with back-off.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

Role = Literal["api", "worker"]

RESTART_DELAYS_SECONDS: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Before the first restart in a row, the second, …; the last for all that follow."""

STABLE_AFTER_SECONDS: Final = 10.0
"""A task that was healthy for this long has not failed to start: the next restart is the first of a new row."""

SILENCE_LIMIT_SECONDS: Final = 30.0
"""A task without any answer for this long is replaced; the answer "not ready" counts as one."""


class Health(StrEnum):
    """The health of a task, as its health check last answered."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """A place for one task of a service. It keeps its name and its count of restarts when the task is replaced."""

    service: str
    role: Role
    number: int

    @property
    def name(self) -> str:
        """For example `orders-1`, `orders-worker-1`."""
        return f"{self.service}-{self.number}" if self.role == "api" else f"{self.service}-{self.role}-{self.number}"


@dataclass(slots=True, kw_only=True, eq=False)
class ObservedTask:
    """One task as last observed: all that scheduling knows of it. Times are monotonic seconds."""

    id: int
    slot: Slot
    revision: int
    health: Health
    last_answer_at: float
    """When it last answered its health check at all; its start, before the first answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRecord:
    """The tasks that have ended in a slot."""

    failures_in_a_row: int = 0
    restarts: int = 0
    start_not_before: float = 0.0
    last_exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class StartTask:
    """The decision to start a task of a revision in a slot."""

    slot: Slot
    revision: int


@dataclass(frozen=True, slots=True)
class StopTask:
    """The decision to stop a task. `reason` is for the log."""

    id: int
    reason: str


Action = StartTask | StopTask


def decide(
    desired: Mapping[Slot, int], tasks: Sequence[ObservedTask], records: Mapping[Slot, SlotRecord], now: float
) -> list[Action]:
    """Return the actions that bring the running tasks closer to the desired revisions."""
    actions: list[Action] = [
        StopTask(task.id, "no longer wanted")
        for task in tasks
        if task.slot not in desired and task.health is not Health.STOPPING
    ]
    for slot, revision in desired.items():
        here = [task for task in tasks if task.slot == slot and task.health is not Health.STOPPING]
        actions += _decide_slot(slot, revision, here, records.get(slot, SlotRecord()), now)
    return actions


def _decide_slot(
    slot: Slot, revision: int, tasks: Sequence[ObservedTask], record: SlotRecord, now: float
) -> Iterator[Action]:
    current = [task for task in tasks if task.revision == revision]
    if not current and now >= record.start_not_before:
        yield StartTask(slot, revision)
    if any(task.health is Health.HEALTHY for task in current):
        yield from (StopTask(task.id, "replaced") for task in tasks if task.revision != revision)
    for task in current:
        if now - task.last_answer_at > SILENCE_LIMIT_SECONDS:
            yield StopTask(task.id, "does not answer")


def after_exit(
    record: SlotRecord, *, exit_code: int, healthy_seconds: float, was_stopped: bool, now: float
) -> SlotRecord:
    """Return the record after a task of the slot ended; a task that the scheduler stopped is no failure."""
    if was_stopped:
        return replace(record, last_exit_code=exit_code)
    failures = 1 if healthy_seconds >= STABLE_AFTER_SECONDS else record.failures_in_a_row + 1
    delay = RESTART_DELAYS_SECONDS[min(failures, len(RESTART_DELAYS_SECONDS)) - 1]
    return SlotRecord(
        failures_in_a_row=failures,
        restarts=record.restarts + 1,
        start_not_before=now + delay,
        last_exit_code=exit_code,
    )


def after_new_revision(record: SlotRecord) -> SlotRecord:
    """Return the record without back-off, because the code has changed."""
    return replace(record, failures_in_a_row=0, start_not_before=0.0)
