"""Starts a program as a task is started, and stops it by signals."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.unit.runtime_edge.edge_settings import ENVIRONMENT

REPOSITORY = Path(__file__).parents[3]


@dataclass
class Task:
    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)
    complaint: str = ""

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def exit_code(self, within_seconds: float = 60) -> int:
        return await asyncio.wait_for(self.process.wait(), within_seconds)

    async def logged(self, action: str, within_seconds: float = 60) -> dict[str, Any]:
        """The first log line with this action, as soon as there is one."""
        async with asyncio.timeout(within_seconds):
            while True:
                for line in self.lines:
                    if line.get("action") == action or line["message"].startswith(action):
                        return line
                await asyncio.sleep(0.02)

    async def read(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        complaining = asyncio.create_task(self.process.stderr.read())
        async for line in self.process.stdout:
            self.lines.append(orjson.loads(line))
        self.complaint = (await complaining).decode()


@asynccontextmanager
async def running(program: str, **variables: str) -> AsyncIterator[Task]:
    """Runs a module of this folder, with the variables of a task definition; killed at the end if it still runs."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tests.integration.runtime_edge.{program}",
        cwd=REPOSITORY,
        env=environment | ENVIRONMENT | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    task = Task(process)
    reading = asyncio.create_task(task.read())
    try:
        yield task
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
