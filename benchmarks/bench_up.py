"""Measure how long `platform up` takes until all is healthy, and the memory of the system."""

import shutil
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.table import Row
from tests.support.local_stack import LocalStack, environment

WARM_ROUNDS = 3
MEBIBYTE = 1024 * 1024


def run() -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="platform-bench-"))
    try:
        local_stack = LocalStack(environment(folder / "state"))
        cold = [_seconds_until_healthy(local_stack)]
        local_stack.down()
        warm, memory = [], []
        for _ in range(WARM_ROUNDS):
            warm.append(_seconds_until_healthy(local_stack))
            memory.append(_resident_mib(local_stack))
            local_stack.down()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [
        Row("up, first time (initdb, migrations, demo data)", "s", cold),
        Row("up, warm", "s", warm, aim="8 s"),
        Row("memory of all processes (PSS)", "MiB", memory, aim="900 MB"),
    ]


def _seconds_until_healthy(local_stack: LocalStack) -> float:
    start = time.perf_counter()
    local_stack.up()
    return time.perf_counter() - start


def _resident_mib(local_stack: LocalStack) -> float:
    """Return the proportional set size of the supervisor and everything below it, so that shared pages count once."""
    supervisor = psutil.Process(local_stack.status()["pid"])
    everything = [supervisor, *supervisor.children(recursive=True)]
    return sum(_weight(process) for process in everything) / MEBIBYTE


def _weight(process: psutil.Process) -> float:
    memory = process.memory_full_info()
    return float(getattr(memory, "pss", memory.uss))
