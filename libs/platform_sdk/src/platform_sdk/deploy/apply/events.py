"""What apply is given, and what it emits, asks and raises: its context, events, questions and errors."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from platform_sdk.deploy.release.context import Context
from platform_sdk.deploy.state import ResourceChange, StackEvent
from platform_sdk.errors import PlatformError


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A wait for something that takes a while: `subject` completes "waiting for"."""

    stack: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changing:
    """A change set that is about to be executed."""

    stack: str
    kind: Literal["create", "update"]
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMoved:
    """A resource, or the stack itself, has another status."""

    stack: str
    event: StackEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something that the reader should know, and that does not end the command."""

    stack: str
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOutcome:
    """What happened to a stack. `repaired` only ended an operation that had stopped halfway."""

    stack: str
    action: Literal["created", "updated", "repaired", "unchanged"]
    changes: tuple[ResourceChange, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last event of a stack."""

    outcome: StackOutcome


ApplyEvent = Waiting | Changing | ResourceMoved | Warned | Ended
Emit = Callable[[ApplyEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToChange:
    """Make these changes?"""

    stack: str
    kind: Literal["create", "update"]
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDelete:
    """Delete what a failed creation left? `resources` are the logical ids of resources that exist."""

    stack: str
    status: str
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToContinueRollback:
    """Continue a rollback that stopped halfway?"""

    stack: str


Question = ToChange | ToDelete | ToContinueRollback
Agree = Callable[[Question], bool]


@dataclass(slots=True, kw_only=True)
class ApplyContext(Context):
    """The world of one run of `platform apply`.

    Args:
        agree: asked before anything is changed.
        replaceable: logical ids of resources that may be replaced or deleted although they hold data.
        skippable: logical ids of resources that a rollback may skip where it stops at them.
        outages_allowed: logical ids of resources whose change may make running tasks unhealthy.
        run: tells this run's change sets from those of others.
    """

    emit: Emit
    agree: Agree
    replaceable: frozenset[str] = frozenset()
    skippable: frozenset[str] = frozenset()
    outages_allowed: frozenset[str] = frozenset()
    run: str = field(default_factory=lambda: uuid4().hex[:12])

    def warn(self, what: str, hint: str) -> None:
        self.emit(Warned(stack="AWS", what=what, hint=hint))


# Errors.


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedResource:
    """The first resource that failed; the others were only cancelled. `reason` is CloudFormation's sentence."""

    logical_id: str
    type: str
    status: str
    reason: str


class StackFailed(PlatformError):
    """A stack could not be changed. `status` is the one it has now; `resource` is None where none failed."""

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
    """A change would delete data, and nobody allowed it. Nothing was changed."""

    def __init__(self, what: str, *, losses: tuple[ResourceChange, ...], because: str, hint: str) -> None:
        super().__init__(what, because=because, hint=hint)
        self.losses = losses


class WouldBeOutage(PlatformError):
    """A change would make the running tasks unhealthy at once, and nobody allowed it. Nothing was changed."""


class Declined(PlatformError):
    """The answer to a question was no."""


class TemplateTooLarge(PlatformError):
    """CloudFormation does not take it in one call."""


class ReleaseUnderWay(PlatformError):
    """A deployment is changing what would be changed."""

    exit_code = 16
