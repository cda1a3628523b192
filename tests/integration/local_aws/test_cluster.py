"""The cluster with real processes: starts, restarts, replaces and stops small HTTP servers."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local_aws.processes import free_port
from local_aws.tasks.cluster import Cluster
from local_aws.tasks.process import AppContainer, ProcessTask, start_task
from local_aws.tasks.scheduling import Health, Slot

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists('not-ready') else 200)
        self.end_headers()
    def log_message(self, *arguments): pass
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"""
API = [Slot("hello", "api", 1), Slot("hello", "api", 2)]
WORKER = Slot("hello", "worker", 1)


@contextmanager
def running(cluster: Cluster) -> Iterator[asyncio.Task[None]]:
    """Run the cluster's loop beside the block."""
    loop = asyncio.create_task(cluster.run())
    try:
        yield loop
    finally:
        loop.cancel()


class Hello:
    """A cluster of one service; `program` is what the next task runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = SERVER
        self.targets: list[frozenset[int]] = []
        self.reported: list[str] = []
        self.cluster = Cluster(
            start_process=self._start,
            health_paths={"hello": "/hello/readyz"},
            on_targets=lambda _, ports: self.targets.append(ports),
            on_change=lambda: None,
            report=self.reported.append,
        )

    async def _start(self, slot: Slot, name: str) -> ProcessTask:
        program = self.program if slot.role == "api" else "import time; time.sleep(60)"
        command = (sys.executable, "-c", program)
        container = AppContainer(command=command, environment={}, secrets={}, stop_timeout_seconds=5)
        log = self.folder / f"{name}.log"
        return start_task(container, name=name, directory=self.folder, port=free_port(), secrets={}, log=log)

    def processes(self) -> set[int]:
        return {task.process.pid for task in self.cluster.tasks}


@pytest.fixture
async def hello(tmp_path: Path) -> AsyncIterator[Hello]:
    hello = Hello(tmp_path)
    with running(hello.cluster):
        hello.cluster.set_desired({slot: 1 for slot in [*API, WORKER]})
        await until(hello.cluster.is_healthy)
        yield hello
    await hello.cluster.stop()


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_healthy_api_tasks_become_targets(hello: Hello) -> None:
    assert hello.targets[-1] == {task.process.port for task in hello.cluster.tasks if task.slot.role == "api"}
    assert len(hello.targets[-1]) == 2


async def test_killed_task_is_taken_out_and_replaced(hello: Hello) -> None:
    victim = hello.cluster.tasks[0]
    os.kill(victim.process.pid, signal.SIGKILL)
    await until(lambda: victim not in hello.cluster.tasks)
    assert victim.process.port not in hello.targets[-1]
    await until(hello.cluster.is_healthy)
    record = hello.cluster.records[victim.slot]
    assert (record.restarts, record.last_exit_code) == (1, 137)
    assert "ended with exit code 137" in hello.reported[0]


async def test_task_that_is_not_ready_for_a_while_is_not_restarted(hello: Hello) -> None:
    before = hello.processes()
    (hello.folder / "not-ready").touch()
    await until(lambda: sum(task.health is Health.UNHEALTHY for task in hello.cluster.tasks) == 2)
    (hello.folder / "not-ready").unlink()
    await until(hello.cluster.is_healthy)
    assert hello.processes() == before


async def test_new_revision_replaces_every_task_and_targets_never_run_out(hello: Hello) -> None:
    before, start = hello.processes(), len(hello.targets)
    hello.cluster.set_desired({slot: 2 for slot in [*API, WORKER]})
    await until(hello.cluster.is_healthy)
    assert not hello.processes() & before
    assert min(len(ports) for ports in hello.targets[start:]) >= 2


async def test_revision_that_does_not_start_leaves_the_old_tasks_in_service(hello: Hello) -> None:
    before = hello.targets[-1]
    hello.program = "raise SystemExit(3)"
    hello.cluster.set_desired({slot: 2 for slot in API})
    await until(lambda: hello.cluster.records.get(API[0]) is not None and hello.cluster.records[API[0]].restarts >= 2)
    assert hello.targets[-1] == before
    hello.program = SERVER
    hello.cluster.set_desired({slot: 3 for slot in API})
    await until(hello.cluster.is_healthy)


async def test_stop_leaves_no_process(hello: Hello) -> None:
    processes = hello.processes()
    await hello.cluster.stop()
    assert hello.cluster.tasks == []
    assert hello.targets[-1] == frozenset()
    for pid in processes:
        with pytest.raises(ProcessLookupError):
            os.killpg(pid, 0)
