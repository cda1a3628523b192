"""Who holds what only one may do at a time."""

from dataclasses import dataclass
from datetime import datetime

from platform_sdk.deploy.state.around import Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class LockItem:
    """A lock as it is kept. It is free when `expires_at` is over, whoever holds it.

    Args:
        name: `release/<service>`.
        token: of the holder alone; whoever takes the lock anew has another.
        owner: for people: a build's id, or user and machine.
        purpose: for people: what the holder does.
        deployment_id: CodeDeploy's, as soon as the holder has made one.
        scaling: how the service's scaling was suspended before the holder suspended it: what is to be restored. None
            where there is nothing to restore.
    """

    name: str
    token: str
    owner: str
    purpose: str
    since: datetime
    expires_at: datetime
    deployment_id: str = ""
    scaling: Suspended | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The lock is ours. `before` is what an earlier holder left, whose time was over; `item` carries on what of it is
    still to be done.
    """

    item: LockItem
    before: LockItem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The lock is somebody else's."""

    by: LockItem
