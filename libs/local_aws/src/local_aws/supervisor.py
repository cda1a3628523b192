"""The process that holds the local stack: cleans up after a killed run, starts it, keeps it running, stops it.

In the foreground it is `platform up` itself; detached it is a process of its own (up.py starts it).
"""

import asyncio
import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from local_aws.errors import disk_full
from local_aws.local_stack import LocalStack
from local_aws.logs import limit_size
from local_aws.settings import LocalSettings, Report, UpOptions
from local_aws.state import STATE_FILE, ProcessRecord, StateFolder, end_leftovers, record_processes
from local_aws.tasks.cluster import RunningTask
from local_aws.tasks.scheduling import Health, Slot, SlotRecord

Phase = Literal["starting", "running", "stopping"]


def stack_document(local_stack: LocalStack, *, phase: Phase, supervisor: ProcessRecord, since: float) -> dict[str, Any]:
    """Return the record that state.py reads; by `processes` a later run finds what a killed one left."""
    environment, database = local_stack.environment, local_stack.environment.database
    return {
        "state": phase,
        "pid": supervisor.pid,
        "supervisor": {"pid": supervisor.pid, "started_at": supervisor.started_at},
        "since": _moment(since),
        "state_folder": str(local_stack.folder.path),
        "urls": {
            "load_balancer": local_stack.load_balancer.url,
            "aws_endpoint": environment.aws_endpoint_url,
            "database": f"postgresql://{database.host}:{database.port}/{database.name}",
            "redis": environment.cache.url,
        },
        "servers": _servers(local_stack),
        "tasks": _tasks(local_stack),
        "processes": record_processes(local_stack.process_ids()),
    }


def _servers(local_stack: LocalStack) -> list[dict[str, Any]]:
    return [
        {
            "name": watched.server.name,
            "pid": watched.server.pid,
            "port": watched.server.port,
            "since": _moment(watched.since),
            "health": watched.health,
            "restarts": watched.record.restarts,
        }
        for watched in sorted(
            local_stack.server_watch.servers, key=lambda watched: local_stack.servers.index(watched.server)
        )
    ]


def _tasks(local_stack: LocalStack) -> list[dict[str, Any]]:
    """Return every task, and every slot that waits for one."""
    cluster = local_stack.cluster
    tasks: list[tuple[Slot, RunningTask | None]] = [(task.slot, task) for task in cluster.tasks]
    tasks += [(slot, None) for slot in set(cluster.desired) - {task.slot for task in cluster.tasks}]
    tasks.sort(key=lambda pair: pair[0])
    return [_task(slot, task, cluster.records.get(slot, SlotRecord())) for slot, task in tasks]


def _task(slot: Slot, task: RunningTask | None, record: SlotRecord) -> dict[str, Any]:
    return {
        "name": slot.name,
        "service": slot.service,
        "role": slot.role,
        "revision": task.revision if task else None,
        "pid": task.process.pid if task else None,
        "port": task.process.port if task and slot.role == "api" else None,
        "since": _moment(task.process.since) if task else None,
        "health": task.health if task else Health.UNHEALTHY,
        "restarts": record.restarts,
        "last_exit_code": record.last_exit_code,
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


if TYPE_CHECKING:
    from local_aws.watch import SourceWatch

LOG_LIMIT_SECONDS: Final = 5.0
RECORD_SECONDS: Final = 0.05
KILLED_EXIT_CODE: Final = 130


def supervise(settings: LocalSettings, options: UpOptions, *, report: Report, on_ready: Callable[[str], None]) -> int:
    """Run the local stack until a signal asks it to stop; return the exit code.

    Args:
        on_ready: called with the load balancer's URL once every task is healthy.

    Raises:
        AlreadyRunning: another supervisor holds the state folder.
        PlatformError: the start failed; everything that was started is stopped again.
    """
    folder = StateFolder(settings.state)
    with folder.locked():
        count = end_leftovers(folder.read(STATE_FILE))
        if count:
            report(f"ended {count} processes that a killed run had left")
        try:
            return asyncio.run(_Supervisor(settings, options, report, on_ready).run())
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise disk_full(settings.state) from error
            raise
        finally:
            with contextlib.suppress(OSError):
                folder.write(STATE_FILE, {})


class _Supervisor:
    _watch: asyncio.Future["SourceWatch"]

    def __init__(
        self, settings: LocalSettings, options: UpOptions, report: Report, on_ready: Callable[[str], None]
    ) -> None:
        self._options = options
        self._report = report
        self._on_ready = on_ready
        self._phase: Phase = "starting"
        self._changed = asyncio.Event()
        self._stop_requested = asyncio.Event()
        self._since = time.time()
        self._identity = ProcessRecord.of(os.getpid()) or ProcessRecord(os.getpid(), self._since)
        self._local_stack = LocalStack(settings, report=report, on_change=self._changed.set)
        self._exit_code = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._watch = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        stop = asyncio.create_task(self._stop_requested.wait())
        # The record outlives the others: it also shows how the local stack stops.
        record = asyncio.create_task(self._keep_record())
        work = [asyncio.create_task(part) for part in (self._start_up(), *self._loops())]
        try:
            await self._until_first_failure(stop, work)
        finally:
            self._phase = "stopping"
            self._changed.set()
            await _cancel(*work)
            await self._local_stack.stop()
            await _cancel(record, stop)
        return self._exit_code

    def _loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        loops = [self._local_stack.cluster.run(), self._local_stack.server_watch.run(), self._limit_logs()]
        if self._options.watch:
            loops.append(self._follow_sources())
        return tuple(loops)

    async def _until_first_failure(self, stop: asyncio.Task[Any], work: list[asyncio.Task[None]]) -> None:
        """Return when asked to stop; raise what any part of the work raises."""
        pending: set[asyncio.Task[Any]] = {stop, *work}
        while stop in pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _start_up(self) -> None:
        await self._local_stack.prepare()
        if self._options.watch:
            self._watch.set_result(self._begin_watch())
        await self._local_stack.start_tasks(demo=self._options.demo)
        await self._local_stack.wait_until_healthy()
        self._phase = "running"
        self._write_record()
        self._on_ready(self._local_stack.load_balancer.url)

    def _begin_watch(self) -> "SourceWatch":
        from local_aws.watch import SourceWatch  # imported late, so that start-up is not slower

        return SourceWatch(self._local_stack, self._report)

    async def _follow_sources(self) -> None:
        await (await self._watch).run()

    async def _keep_record(self) -> None:
        failed = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                self._write_record()
                failed = False
            except OSError as error:
                if not failed:
                    self._report(f"the record of what runs cannot be written: {error.strerror}")
                failed = True
                self._changed.set()
            await asyncio.sleep(RECORD_SECONDS)

    def _write_record(self) -> None:
        document = stack_document(self._local_stack, phase=self._phase, supervisor=self._identity, since=self._since)
        self._local_stack.folder.write(STATE_FILE, document, durable=False)

    async def _limit_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_LIMIT_SECONDS)
            with contextlib.suppress(OSError):
                limit_size(self._local_stack.folder.logs)

    def _on_signal(self) -> None:
        if self._stop_requested.is_set():
            self._report("stopping at once")
            self._local_stack.kill()
            self._exit_code = KILLED_EXIT_CODE
        else:
            self._report("stopping (once more to stop at once)")
            self._stop_requested.set()


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        # Failures have been raised already.
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
