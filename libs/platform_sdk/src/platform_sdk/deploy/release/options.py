"""What a caller asks for: a release, and the options that say how to run it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Until = Literal["traffic", "done"]
IfBusy = Literal["wait", "supersede", "fail"]
OnInterrupt = Literal["leave", "rollback"]

IsAncestor = Callable[[str, str], bool | None]
"""Whether the first commit is in the history of the second one; None where git does not know one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOptions:
    """`detach` returns as soon as the deployment is created; nothing suspends scaling then. `ignore_alarms` releases a
    fix while its alarm is firing.
    """

    until: Until = "done"
    detach: bool = False
    if_busy: IfBusy = "wait"
    lock_wait_minutes: int = 60
    on_interrupt: OnInterrupt = "leave"
    allow_older: bool = False
    ignore_alarms: bool = False


ReleaseKind = Literal["release", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """Documents are rendered around it and registered. `uri` includes the digest."""

    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRevisions:
    """ARNs of task definitions that ran before; `worker` is None where the service has none."""

    api: str
    worker: str | None


Target = NewImage | ExistingRevisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version's way to all users. `version` is the image's tag; `id` is unique to this attempt.

    A rollback is a release whose target are revisions that exist.
    """

    id: str
    kind: ReleaseKind
    service: str
    environment: str
    version: str
    target: Target
    commit: str | None
    committed_at: datetime | None
    by: str
