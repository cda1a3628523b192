"""What the caller of a release wants of it, beside the release itself."""

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
class Order:
    """`detach` returns as soon as the deployment is created; then nobody holds scaling still meanwhile. `ignore_alarms`
    lets a cure through while an alarm fires.
    """

    until: Until = "done"
    detach: bool = False
    if_busy: IfBusy = "wait"
    lock_wait_minutes: int = 60
    on_interrupt: OnInterrupt = "leave"
    allow_older: bool = False
    ignore_alarms: bool = False


# What is to run: a new revision of an image, or one that exists; a rollback differs from a release in nothing else.

ReleaseKind = Literal["release", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """Documents are rendered around it and registered."""

    uri: str
    """With its digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRevisions:
    """ARNs of task definitions that ran before; `worker` is None where the service has none."""

    api: str
    worker: str | None


Target = NewImage | ExistingRevisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version's way to the users. `version` is the image's tag; `id` tells this attempt from every other one."""

    id: str
    kind: ReleaseKind
    service: str
    environment: str
    version: str
    target: Target
    commit: str | None
    committed_at: datetime | None
    by: str
