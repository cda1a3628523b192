"""What is told while stacks are brought about, and what they have become."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from platform_sdk.deploy.state import ResourceChange, StackEvent
from platform_sdk.errors import PlatformError


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


# How applying ends where it does not end well.


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedResource:
    """The first one that failed; the others were only cancelled. `reason` is CloudFormation's sentence."""

    logical_id: str
    type: str
    status: str
    reason: str


class StackFailed(PlatformError):
    """A stack did not become what it shall be. `status` is what it has now; `resource` is None where none failed."""

    def __init__(
        self,
        what: str,
        *,
        stack: str,
        status: str = "",
        resource: FailedResource | None = None,
        because: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what, because=because, hint=hint)
        self.stack = stack
        self.status = status
        self.resource = resource


class WouldBeLost(PlatformError):
    """A change would delete what nobody can make again, and nobody said that it may. Nothing was changed."""

    def __init__(self, what: str, *, losses: tuple[ResourceChange, ...], because: str, hint: str) -> None:
        super().__init__(what, because=because, hint=hint)
        self.losses = losses


class Declined(PlatformError):
    """Whoever was asked did not agree."""


class TemplateTooLarge(PlatformError):
    """More than CloudFormation takes in a call."""


class ReleaseUnderWay(PlatformError):
    """A deployment runs, and what it changes is to be changed."""

    exit_code = 16
