"""What all backing servers share: start in two steps, so that several start side by side; stop; tell if they run."""

import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from local_aws import processes
from local_aws.errors import did_not_start, disk_full
from local_aws.ports import require_free

_LEAST_FREE_BYTES = 100 * 1024 * 1024


class BackingServer(ABC):
    """One server process with its data directory, port and log file.

    `start()` is `launch()` and then `wait_until_ready()`. Both belong on a thread that lives as long as the server
    should: Linux ends the server together with that thread.
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
        """Starts the process; the directory exists and the port is free."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Asks the server itself."""

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Raises PortTaken, DiskFull or ServerDidNotStart."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Starts the process without waiting for it."""
        if self.is_running():
            return
        require_free(self.port, purpose=self.title, variable=self.port_variable)
        self.directory.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.directory).free < _LEAST_FREE_BYTES:
            raise disk_full(self.directory)
        self._process = self._launch()

    def wait_until_ready(self) -> None:
        """Returns as soon as the server answers."""
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
        """Asks the server to stop without waiting, so that several stop side by side."""
        if self._process is not None and self.is_running():
            self._process.send_signal(self.stop_signal)

    def kill(self) -> None:
        if self._process is not None:
            processes.signal_group(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stops the server cleanly, or kills it after the timeout; afterwards it can be started again."""
        if self._process is not None:
            processes.stop(self._process, stop_signal=self.stop_signal, timeout_seconds=self.stop_timeout_seconds)
            self._process = None

    def _spawn(self, command: list[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        return processes.spawn(
            command, log=self.log, environment=environment, directory=self.directory, death_signal=self.stop_signal
        )
