"""What the caller of a release wants of it, beside the release itself."""

from collections.abc import Callable
from dataclasses import dataclass
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
