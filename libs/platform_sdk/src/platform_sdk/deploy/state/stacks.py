"""What CloudFormation says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from platform_sdk.deploy.state.ecs import Json
from platform_sdk.deploy.state.traffic import Suspended

REVIEW: Final = "REVIEW_IN_PROGRESS"
"""A stack that is but a name for its first change set."""
NOT_CREATED: Final = frozenset({REVIEW, "CREATE_FAILED", "ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED"})
"""CloudFormation updates no stack whose creation failed: it has to be deleted first."""
FAILED: Final = "UPDATE_FAILED"
"""An update failed that was not to be rolled back: the next one goes on from there."""
ROLLBACK_FAILED: Final = "UPDATE_ROLLBACK_FAILED"
"""Takes no update before its rollback has gone on to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackResource:
    logical_id: str
    physical_id: str
    type: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    id: str
    at: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """`parameters` are as given, `template` as the stack has it now, parsed where it is JSON or YAML."""

    name: str
    id: str
    status: str
    status_reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    updated_at: datetime | None

    @property
    def is_created(self) -> bool:
        """No mere name for a first change set, nor what a creation or a deletion that failed has left."""
        return self.status not in NOT_CREATED

    @property
    def is_stuck(self) -> bool:
        """Halfway between two templates, whatever the template says: to be repaired."""
        return self.status in (FAILED, ROLLBACK_FAILED)

    is_protected: bool = False
    """From being deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """One line of a change set."""

    action: Literal["Add", "Modify", "Remove", "Import", "Dynamic"]
    logical_id: str
    physical_id: str
    type: str
    replacement: Literal["True", "False", "Conditional", ""]
    scope: tuple[str, ...]
    properties: tuple[str, ...]
    policy_action: str = ""
    """What becomes of the resource that goes: Delete, Retain, Snapshot, ReplaceAndDelete and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    name: str
    stack: str
    status: str
    status_reason: str
    execution_status: str
    changes: tuple[ResourceChange, ...]

    @property
    def is_empty(self) -> bool:
        """CloudFormation fails a change set that changes nothing, and tells only in words."""
        words = ("didn't contain changes", "No updates are to be performed")
        return self.status == "FAILED" and any(each in self.status_reason for each in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedStack:
    """A stack with the template that it was given last: parsed where that is JSON, else its text."""

    stack: Stack
    template: Json | str


# Who holds what only one may do at a time.


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
