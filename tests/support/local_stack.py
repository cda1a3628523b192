"""Runs the whole platform for tests: `platform up --detach` on free ports, with its own state folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.processes import free_port
from tests.support.repository import ROOT

PLATFORM = Path(sys.executable).with_name("platform")


def environment(state: Path, **variables: str) -> dict[str, str]:
    """Variables under which a `platform` command reaches a local stack of its own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "AWS_ENDPOINT_URL"}
    }
    ports = {
        name: str(free_port())
        for name in ("PLATFORM_PORT", "PLATFORM_AWS_PORT", "PLATFORM_DATABASE_PORT", "PLATFORM_REDIS_PORT")
    }
    return {**inherited, **ports, "PLATFORM_STATE": str(state), **variables}


@dataclass(frozen=True)
class LocalStack:
    """A running platform."""

    variables: Mapping[str, str]

    def platform(self, *arguments: str, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a `platform` command against this local stack."""
        return subprocess.run(
            [str(PLATFORM), *arguments],
            env=dict(self.variables),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.variables['PLATFORM_PORT']}"

    @property
    def aws_endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.variables['PLATFORM_AWS_PORT']}"

    def up(self, *, watch: bool = False) -> None:
        done = self.platform("up", "--detach", *([] if watch else ["--no-watch"]), timeout_seconds=180)
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        done = self.platform("down")
        assert done.returncode == 0, done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        done = self.platform("status", "--json")
        assert done.stdout, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def tasks(self, service: str, role: str) -> list[dict[str, Any]]:
        return [task for task in self.status()["tasks"] if (task["service"], task["role"]) == (service, role)]

    def kill_task(self, service: str, role: str, which: int = 0) -> int:
        """kill -9 of one running task, of the next one if all are about to be restarted; returns its process id."""
        while not (running := self._with_process(service, role)):
            time.sleep(0.1)
        pid = int(running[which % len(running)]["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def _with_process(self, service: str, role: str) -> list[dict[str, Any]]:
        return [task for task in self.tasks(service, role) if task["pid"]]

    def server_pid(self, name: str) -> int:
        """Process id of the backing server `postgres`, `redis` or `aws`."""
        return int(next(server["pid"] for server in self.status()["servers"] if server["name"] == name))

    def wait_until_healthy(self, deadline_seconds: float = 60) -> None:
        wait_for(lambda: self.platform("status").returncode == 0, deadline_seconds, "all tasks healthy")


def wait_for(condition: Callable[[], bool], deadline_seconds: float, what: str) -> None:
    """Polls until the condition holds."""
    end = time.monotonic() + deadline_seconds
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_seconds} s: {what}"
        # Not more often: many conditions start a Python process, which takes CPU from what is waited for.
        time.sleep(0.5)
