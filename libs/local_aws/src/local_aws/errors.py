"""Errors of the local stack, each with the next useful step."""

from pathlib import Path

from local_aws.logs import end_of
from platform_sdk.errors import PlatformError


class PortTaken(PlatformError):
    """Another process listens on a port of the local stack."""


class ServerDidNotStart(PlatformError):
    """A server ended, or was not ready in time; carries the last lines of its log."""


class DiskFull(PlatformError):
    """The disk of the state folder is full."""


class BinaryMissing(PlatformError):
    """A package has no program for this machine."""


class StateFolderUnreachable(PlatformError):
    """PostgreSQL must run as another user, who cannot reach the state folder."""


class SecretNotResolved(PlatformError):
    """A secret that a task definition refers to does not exist."""


class OneOffTaskFailed(PlatformError):
    """A migration or demo command ended with an exit code other than 0."""


class DatabaseNotPrepared(PlatformError):
    """Roles and schemas could not be created: no connection, or too few rights."""


class TaskDoesNotStart(PlatformError):
    """A task ends several times before it is healthy."""


class AlreadyRunning(PlatformError):
    """Another supervisor holds the lock of the state folder."""


def did_not_start(name: str, log: Path, why: str) -> PlatformError:
    """Return the error of a failed start, with the end of its log; DiskFull if the log says so."""
    lines = end_of(log, 15)
    if any("No space left on device" in line for line in lines):
        return disk_full(log.parent)
    return ServerDidNotStart(
        f"{name} did not start: {why}",
        because="\n".join(["the end of its log is", *(f"  {line}" for line in lines)]) if lines else None,
        hint=f"the whole log: {log}",
    )


def disk_full(folder: Path) -> DiskFull:
    """Return the error for ENOSPC, with what helps."""
    return DiskFull(
        f"no space left on the disk that holds {folder}",
        hint="make room, or set PLATFORM_STATE to a folder on another disk",
    )
