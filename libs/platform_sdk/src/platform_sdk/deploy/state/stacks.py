"""CloudFormation's stacks and change sets, and the release lock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from platform_sdk.deploy.state.ecs import Json
from platform_sdk.deploy.state.traffic import Suspended

REVIEW: Final = "REVIEW_IN_PROGRESS"
"""A stack with nothing but a first change set."""
NOT_CREATED: Final = frozenset({REVIEW, "CREATE_FAILED", "ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED"})
"""CloudFormation updates no stack whose creation failed: it must be deleted first."""
FAILED: Final = "UPDATE_FAILED"
"""An update without rollback failed: the next one continues from there."""
ROLLBACK_FAILED: Final = "UPDATE_ROLLBACK_FAILED"
"""It takes no update before its rollback has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackResource:
    """A resource of a stack. `physical_id` is empty until AWS has created it."""

    logical_id: str
    physical_id: str
    type: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    """A change of status of a resource, or of the stack itself (`logical_id` is then its name)."""

    id: str
    at: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack. `parameters` are as given, `template` as the stack has it now, parsed where it is JSON or YAML."""

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
        """Whether it can be updated: not after a failed creation or deletion, and not with a first change set only."""
        return self.status not in NOT_CREATED

    @property
    def is_stuck(self) -> bool:
        """Whether it stopped halfway between two templates and needs a repair."""
        return self.status in (FAILED, ROLLBACK_FAILED)

    is_protected: bool = False
    """Against deletion."""


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
    """What happens to a removed resource: Delete, Retain, Snapshot, ReplaceAndDelete and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """A prepared update of a stack. It changes nothing until it is executed."""

    name: str
    stack: str
    status: str
    status_reason: str
    execution_status: str
    changes: tuple[ResourceChange, ...]

    @property
    def is_empty(self) -> bool:
        """CloudFormation fails a change set that changes nothing, and says so only in its message."""
        words = ("didn't contain changes", "No updates are to be performed")
        return self.status == "FAILED" and any(each in self.status_reason for each in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedStack:
    """A stack with its last template: parsed if that is JSON, else its text."""

    stack: Stack
    template: Json | str


# The release lock.


@dataclass(frozen=True, slots=True, kw_only=True)
class LockItem:
    """A lock as it is stored. It is free after `expires_at`.

    Args:
        name: `release/<service>`.
        token: unique to this holding of the lock.
        owner: for people: a build's id, or user and machine.
        purpose: for people: what the holder does.
        deployment_id: of the deployment that the holder created, if any.
        scaling: the state of scaling to restore; None where there is nothing to restore.
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
    """The lock is ours. `before` is the expired lock that was taken over; `item` keeps what it left unfinished."""

    item: LockItem
    before: LockItem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Somebody else holds the lock."""

    by: LockItem
