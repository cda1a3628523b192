"""The state folder: lock, record of what runs, logs, secrets, the servers' data. It survives `platform down`."""

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from local_aws import processes
from local_aws.errors import AlreadyRunning

# Everything in the folder. `reset` removes these and nothing else, whatever PLATFORM_STATE points to.
_CONTENTS = ("postgres", "redis", "aws", "load-balancer", "logs", "secrets.json", "state.json", "demo.json")
# The start of a process is counted in clock ticks after boot, and the time of boot changes when the clock is set.
_START_TOLERANCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process with its start time, because a process id alone may be reused."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord | None":
        """Return the record of a running process; None if there is none with that id."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def is_alive(self) -> bool:
        """Return whether the same process still runs. A zombie counts as ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < _START_TOLERANCE_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class StateFolder:
    """Paths below the folder, and the documents in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"

    def create(self) -> None:
        """Create the folder and its `logs`, if they are missing."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that one supervisor at a time may hold; the system frees it however the process ends."""
        self.create()
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(f"the platform is running already, with the state folder {self.path}") from None
        try:
            yield
        finally:
            os.close(descriptor)

    def is_locked(self) -> bool:
        """Return whether a supervisor holds the lock, by trying to take it."""
        try:
            with self.locked():
                return False
        except AlreadyRunning:
            return True

    def read(self, name: str) -> dict[str, Any]:
        """Return one of our JSON documents; empty if it is not there, or was lost in a power cut."""
        try:
            document: dict[str, Any] = json.loads((self.path / name).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return document

    def write(self, name: str, document: Mapping[str, Any], *, durable: bool = True) -> None:
        """Replace a document as a whole, readable by its owner only; no reader ever sees half of it."""
        new = self.path / f"{name}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file, indent=2)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        new.replace(self.path / name)

    def empty(self) -> None:
        """Remove the contents. Nothing may run."""
        for name in _CONTENTS:
            target = self.path / name
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        (self.path / "lock").unlink(missing_ok=True)
        if self.path.exists() and not any(self.path.iterdir()):
            self.path.rmdir()


def record_processes(pids: Iterable[int]) -> list[dict[str, Any]]:
    """Return what the state document must hold, so that a later run recognises these if this one is killed."""
    return [asdict(record) for record in map(ProcessRecord.of, pids) if record is not None]


def end_leftovers(state: Mapping[str, Any], *, timeout_seconds: float = 5) -> int:
    """End what a killed run has left: process groups are asked to stop, then killed. Returns how many there were."""
    records = [ProcessRecord(**record) for record in state.get("processes", ())]
    alive = [record for record in records if record.is_alive()]
    for record in alive:
        processes.signal_group(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_seconds
    while any(record.is_alive() for record in alive) and time.monotonic() < deadline:
        time.sleep(0.05)
    for record in alive:
        if record.is_alive():
            processes.signal_group(record.pid, signal.SIGKILL)
    while any(record.is_alive() for record in alive):
        time.sleep(0.02)
    return len(alive)


# What `platform status` reads: the record that a running local stack keeps of itself (supervisor.py writes it).

STATE_FILE: Final = "state.json"


def read_status(folder: StateFolder) -> dict[str, Any]:
    """Return the record of the running local stack, or only `{"state": "stopped", …}`."""
    document = folder.read(STATE_FILE)
    supervisor = document.pop("supervisor", None)
    document.pop("processes", None)
    if supervisor is None or not ProcessRecord(**supervisor).is_alive():
        return {"state": "stopped", "state_folder": str(folder.path)}
    return document


def is_healthy(document: Mapping[str, Any]) -> bool:
    """Return whether the local stack runs and everything in it is healthy."""
    parts = [*document.get("servers", ()), *document.get("tasks", ())]
    return document["state"] == "running" and all(part["health"] == "healthy" for part in parts)
