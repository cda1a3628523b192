"""How applying ends where it does not end well."""

from dataclasses import dataclass

from platform_sdk.deploy.state import ResourceChange
from platform_sdk.errors import PlatformError


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
