"""`Cluster`: the loop that observes tasks, asks scheduling.py for actions, and executes them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from local_aws.processes import LOOPBACK
from local_aws.tasks.process import ProcessTask
from local_aws.tasks.scheduling import (
    Health,
    ObservedTask,
    Slot,
    SlotRecord,
    StartTask,
    StopTask,
    after_exit,
    after_new_revision,
    decide,
)
from platform_sdk.errors import PlatformError

TIMEOUT_SECONDS: Final = 2.0


async def http_status(port: int, path: str) -> int | None:
    """Return the status of one GET; None if there is no answer in time."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
                status_line = await reader.readline()
            finally:
                writer.close()
        return int(status_line.split()[1])
    except (OSError, TimeoutError, ValueError, IndexError):
        return None


LOOP_SECONDS: Final = 0.1
PROBE_SECONDS: Final = 1.0
PROBE_WHILE_STARTING_SECONDS: Final = 0.1
# A worker listens on nothing: it counts as healthy once it has lived for this long.
WORKER_SETTLING_SECONDS: Final = 1.0
# Envoy takes a changed list of targets over within some milliseconds.
DEREGISTRATION_SECONDS: Final = 0.1

StartProcess = Callable[[Slot, str], Awaitable[ProcessTask]]
"""Starts the current revision's process in a slot; the name is the task's."""


@dataclass(slots=True, kw_only=True, eq=False)
class RunningTask(ObservedTask):
    """A task with its process. `id` is the process id."""

    process: ProcessTask
    health: Health = Health.STARTING
    healthy_since: float | None = None
    probe_at: float = 0.0
    probe: asyncio.Task[None] | None = None

    @property
    def is_target(self) -> bool:
        """Whether it is a target of the load balancer: from its first healthy answer until it is asked to stop."""
        return self.slot.role == "api" and self.healthy_since is not None and self.health is not Health.STOPPING


@dataclass(slots=True, kw_only=True)
class Cluster:
    """The tasks of all services.

    Args:
        start_process: how a task is started.
        health_paths: service name to the path that its API tasks answer with 200 when they are ready.
        on_targets: called with a service's name and the ports of its targets whenever they change; again if it raises
            OSError.
        on_change: called whenever something changed that `platform status` shows.
        report: takes one line for people about a task that ended or did not start.
    """

    start_process: StartProcess
    health_paths: Mapping[str, str]
    on_targets: Callable[[str, frozenset[int]], None]
    on_change: Callable[[], None]
    report: Callable[[str], None]
    desired: dict[Slot, int] = field(default_factory=dict)
    tasks: list[RunningTask] = field(default_factory=list)
    records: dict[Slot, SlotRecord] = field(default_factory=dict)
    _targets: dict[str, frozenset[int]] = field(default_factory=dict)
    _last_reported: str | None = None
    _stopping: set[asyncio.Task[None]] = field(default_factory=set)

    def set_desired(self, slots: Mapping[Slot, int]) -> None:
        """Replace the desired revisions of the slots' services; changed slots are started without back-off."""
        services = {slot.service for slot in slots}
        kept = {slot: revision for slot, revision in self.desired.items() if slot.service not in services}
        for slot, revision in slots.items():
            if self.desired.get(slot) != revision:
                self.records[slot] = after_new_revision(self.records.get(slot, SlotRecord()))
        self.desired = {**kept, **slots}

    async def run(self) -> None:
        """Start, replace and stop tasks until cancelled."""
        while True:
            await self.act()
            await asyncio.sleep(LOOP_SECONDS)

    async def act(self) -> None:
        """Run one round: observe, decide, act."""
        self._observe()
        now = time.monotonic()
        for action in decide(self.desired, self.tasks, self.records, now):
            match action:
                case StartTask(slot, revision):
                    await self._start(slot, revision)
                case StopTask(id, reason):
                    self._begin_stop(next(task for task in self.tasks if task.id == id), reason)
        self._publish_targets()

    def is_healthy(self) -> bool:
        """Return whether every slot has a healthy task of the desired revision, and no other."""
        healthy = {(task.slot, task.revision) for task in self.tasks if task.health is Health.HEALTHY}
        return set(self.desired.items()) <= healthy and len(self.tasks) == len(self.desired)

    async def stop(self) -> None:
        """Stop all tasks: out of the load balancer, SIGTERM, SIGKILL after each one's stop timeout."""
        self.desired = {}
        for task in self.tasks:
            if task.health is not Health.STOPPING:
                self._begin_stop(task, "no longer wanted")
        self._publish_targets()
        while self.tasks:
            await asyncio.sleep(0.02)
            self._observe()

    def kill(self) -> None:
        """Send SIGKILL to all tasks and leave at once, without a stop timeout."""
        for task in self.tasks:
            task.process.kill()

    async def _start(self, slot: Slot, revision: int) -> None:
        try:
            process = await self.start_process(slot, slot.name)
        except (PlatformError, OSError) as error:
            self.report(f"{slot.name} could not be started: {error}")
            self._record_exit(slot, exit_code=1, healthy_seconds=0, was_stopped=False)
            return
        now = time.monotonic()
        self.tasks.append(
            RunningTask(id=process.pid, slot=slot, revision=revision, process=process, last_answer_at=now)
        )
        self.on_change()

    def _begin_stop(self, task: RunningTask, reason: str) -> None:
        task.health = Health.STOPPING
        if reason == "does not answer":
            self.report(f"{task.slot.name} (pid {task.process.pid}) does not answer any more; it is replaced")
        stopping = asyncio.create_task(self._stop(task))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)
        self.on_change()

    async def _stop(self, task: RunningTask) -> None:
        if task.slot.role == "api" and task.healthy_since is not None:
            self._publish_targets()
            await asyncio.sleep(DEREGISTRATION_SECONDS)
        task.process.request_stop()

    def _observe(self) -> None:
        """Record ended tasks, kill overdue ones and send health checks."""
        for task in list(self.tasks):
            exit_code = task.process.exit_code
            if exit_code is not None:
                self._remove(task, exit_code)
                continue
            task.process.kill_if_overdue()
            if task.slot.role == "worker":
                self._observe_worker(task)
            elif self._is_due(task):
                task.probe = asyncio.create_task(self._probe(task))

    def _observe_worker(self, task: RunningTask) -> None:
        now = task.last_answer_at = time.monotonic()
        if task.health is Health.STARTING and now - task.process.started_at >= WORKER_SETTLING_SECONDS:
            task.health, task.healthy_since = Health.HEALTHY, now
            self.on_change()

    def _is_due(self, task: RunningTask) -> bool:
        idle = task.probe is None or task.probe.done()
        return idle and task.health is not Health.STOPPING and time.monotonic() >= task.probe_at

    async def _probe(self, task: RunningTask) -> None:
        status = await http_status(task.process.port, self.health_paths[task.slot.service])
        now = time.monotonic()
        if status is not None:
            task.last_answer_at = now
        if task.health is Health.STOPPING:
            return
        before = task.health
        if status == 200:
            task.health = Health.HEALTHY
            task.healthy_since = task.healthy_since or now
        elif task.healthy_since is not None:
            task.health = Health.UNHEALTHY
        task.probe_at = now + (PROBE_WHILE_STARTING_SECONDS if task.health is Health.STARTING else PROBE_SECONDS)
        if task.health is not before:
            self.on_change()

    def _remove(self, task: RunningTask, exit_code: int) -> None:
        task.process.kill()  # children that outlived the task's first process
        self.tasks.remove(task)
        was_stopped = task.health is Health.STOPPING
        if not was_stopped:
            name = f"{task.slot.name} (pid {task.process.pid})"
            self.report(f"{name} ended with exit code {exit_code}; starting it again")
        healthy_seconds = 0.0 if task.healthy_since is None else time.monotonic() - task.healthy_since
        self._record_exit(task.slot, exit_code=exit_code, healthy_seconds=healthy_seconds, was_stopped=was_stopped)
        self._publish_targets()
        self.on_change()

    def _record_exit(self, slot: Slot, *, exit_code: int, healthy_seconds: float, was_stopped: bool) -> None:
        self.records[slot] = after_exit(
            self.records.get(slot, SlotRecord()),
            exit_code=exit_code,
            healthy_seconds=healthy_seconds,
            was_stopped=was_stopped,
            now=time.monotonic(),
        )

    def _publish_targets(self) -> None:
        for service in self.health_paths:
            ports = frozenset(t.process.port for t in self.tasks if t.slot.service == service and t.is_target)
            if self._targets.get(service) == ports:
                continue
            try:
                self.on_targets(service, ports)
            except OSError as error:
                # A full disk, for example: tried again in every round, while health checks do the work.
                self._report_once(f"the load balancer does not know the targets of {service} yet: {error.strerror}")
            else:
                self._targets[service] = ports
                self._last_reported = None

    def _report_once(self, line: str) -> None:
        if line != self._last_reported:
            self._last_reported = line
            self.report(line)
