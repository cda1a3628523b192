"""What is told while stacks are brought about, and what they have become."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from platform_sdk.deploy.state import ResourceChange, StackEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """For something that takes a while: `subject` completes "waiting for"."""

    stack: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changing:
    """A change set that is about to be carried out."""

    stack: str
    kind: Literal["create", "update"]
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMoved:
    """A resource, or the stack itself, has got another status."""

    stack: str
    event: StackEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    stack: str
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOutcome:
    """`changes` are those that were carried out. `repaired` only ended what had stopped halfway."""

    stack: str
    action: Literal["created", "updated", "repaired", "unchanged"]
    changes: tuple[ResourceChange, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    outcome: StackOutcome


ApplyEvent = Waiting | Changing | ResourceMoved | Warned | Ended
Tell = Callable[[ApplyEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToChange:
    """May these changes be made?"""

    stack: str
    kind: Literal["create", "update"]
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDelete:
    """May what a failed creation has left be deleted? `left` are the logical ids of resources that are there."""

    stack: str
    status: str
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToGoOn:
    """May a rollback that stopped halfway go on?"""

    stack: str


Question = ToChange | ToDelete | ToGoOn
Agree = Callable[[Question], bool]
