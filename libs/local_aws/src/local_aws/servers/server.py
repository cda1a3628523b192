"""`BackingServer`: starts a server in two steps, so that several start in parallel, and stops it.

`ServerWatch` restarts servers that end.
"""

import asyncio
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from local_aws import processes
from local_aws.errors import did_not_start, disk_full
from local_aws.processes import require_free
from local_aws.tasks.scheduling import Health, SlotRecord, after_exit
from platform_sdk.errors import PlatformError

_LEAST_FREE_BYTES = 100 * 1024 * 1024


class BackingServer(ABC):
    """One server process with its data directory, port and log file.

    `start()` is `launch()` and then `wait_until_ready()`. Call both on a thread that lives as long as the server: Linux
    ends the server together with that thread.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    port_variable: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_timeout_seconds: ClassVar[float] = 60
    stop_timeout_seconds: ClassVar[float] = 10

    def __init__(self, directory: Path, port: int, *, log: Path | None = None) -> None:
        self.directory = directory
        self.port = port
        self.log = log or directory / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the process; the directory exists and the port is free."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Ask the server itself."""

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Raise PortTaken, DiskFull or ServerDidNotStart."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the process without waiting for it."""
        if self.is_running():
            return
        require_free(self.port, purpose=self.title, variable=self.port_variable)
        self.directory.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.directory).free < _LEAST_FREE_BYTES:
            raise disk_full(self.directory)
        self._process = self._launch()

    def wait_until_ready(self) -> None:
        """Return as soon as the server answers."""
        deadline = time.monotonic() + self.start_timeout_seconds
        while not self.is_ready():
            if not self.is_running():
                code = None if self._process is None else self._process.returncode
                raise did_not_start(self.title, self.log, f"it ended with exit code {code}")
            if time.monotonic() > deadline:
                self.stop()
                raise did_not_start(self.title, self.log, f"not ready after {self.start_timeout_seconds:.0f} s")
            time.sleep(0.01)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def request_stop(self) -> None:
        """Ask the server to stop without waiting, so that several stop side by side."""
        if self._process is not None and self.is_running():
            self._process.send_signal(self.stop_signal)

    def kill(self) -> None:
        """Send SIGKILL to the server and its children, for when there is no time to stop."""
        if self._process is not None:
            processes.signal_group(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop the server cleanly, or kill it after the timeout; afterwards it can be started again."""
        if self._process is not None:
            processes.stop(self._process, stop_signal=self.stop_signal, timeout_seconds=self.stop_timeout_seconds)
            self._process = None

    def _spawn(self, command: list[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        return processes.spawn(
            command, log=self.log, environment=environment, directory=self.directory, death_signal=self.stop_signal
        )


LOOP_SECONDS: Final = 0.1


@dataclass(slots=True, kw_only=True)
class WatchedServer:
    """A server that was started, and its state. `since` is `time.time()`."""

    server: BackingServer
    health: Health = Health.HEALTHY
    since: float = field(default_factory=time.time)
    healthy_at: float = field(default_factory=time.monotonic)
    record: SlotRecord = field(default_factory=SlotRecord)


@dataclass(slots=True, kw_only=True)
class ServerWatch:
    """Starts servers that have ended again, with the scheduler's back-off.

    Runs on the main thread: Linux ends a server together with the thread that started it.

    Args:
        after_restart: by server name, what to do after a restart.
    """

    servers: list[WatchedServer]
    after_restart: Mapping[str, Callable[[], Awaitable[None]]]
    on_change: Callable[[], None]
    report: Callable[[str], None]

    async def run(self) -> None:
        """Start servers again that ended, until cancelled."""
        while True:
            for watched in self.servers:
                await self._check(watched)
            await asyncio.sleep(LOOP_SECONDS)

    async def _check(self, watched: WatchedServer) -> None:
        now = time.monotonic()
        if watched.server.is_running():
            if watched.health is Health.STARTING and await asyncio.to_thread(watched.server.is_ready):
                await self._mark_recovered(watched)
        elif watched.health is not Health.UNHEALTHY:
            self._mark_ended(watched, now)
        elif now >= watched.record.start_not_before:
            self._start_again(watched)

    def _mark_ended(self, watched: WatchedServer, now: float) -> None:
        self.report(f"{watched.server.title} ended; starting it again")
        was_healthy = watched.health is Health.HEALTHY
        watched.record = after_exit(
            watched.record,
            exit_code=1,
            healthy_seconds=now - watched.healthy_at if was_healthy else 0.0,
            was_stopped=False,
            now=now,
        )
        watched.health = Health.UNHEALTHY
        self.on_change()

    def _start_again(self, watched: WatchedServer) -> None:
        watched.health = Health.STARTING
        try:
            watched.server.launch()
        except (PlatformError, OSError) as error:
            self.report(f"{watched.server.title} could not be started: {error}")
        watched.since = time.time()
        self.on_change()

    async def _mark_recovered(self, watched: WatchedServer) -> None:
        again = self.after_restart.get(watched.server.name)
        if again is not None:
            await again()
        watched.health, watched.healthy_at = Health.HEALTHY, time.monotonic()
        self.report(f"{watched.server.title} is back")
        self.on_change()
