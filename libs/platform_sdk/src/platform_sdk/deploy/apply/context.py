"""What applying needs of the world, and how it waits: patient with AWS, and never deaf to a signal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from platform_sdk.deploy.apply.events import Agree, Tell, Warned
from platform_sdk.deploy.aws import AwsCallFailed, Retry
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.release.context import Interrupts


def nothing() -> None:
    """Where no lock is to be renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """
    Args:
        agree: asked before anything is changed.
        replaceable: logical ids of what may be replaced or deleted although it holds what nobody can make again.
        skippable: logical ids of what may be left as it is where a rollback stops at it.
        pulse: called about once a second while waiting; what it raises ends the wait.
        run: tells this run's change sets from those of others.
    """

    aws_once: Aws
    clock: Clock
    tell: Tell
    agree: Agree
    interrupts: Interrupts
    replaceable: frozenset[str] = frozenset()
    skippable: frozenset[str] = frozenset()
    pulse: Callable[[], None] = nothing
    run: str = field(default_factory=lambda: uuid4().hex[:12])

    def wait(self, seconds: float) -> None:
        """
        Raises:
            Interrupted: a signal came meanwhile.
            LockLost: somebody else took the lock of the service over.
        """
        until = self.clock.now() + timedelta(seconds=seconds)
        while (left := (until - self.clock.now()).total_seconds()) > 0:
            self.interrupts.check()
            self.clock.sleep(min(1, left))
            self.pulse()
        self.interrupts.check()

    @property
    def aws(self) -> Aws:
        """With retries; `aws_once` is without."""
        return self.aws_once.with_retries(Retry(self.on_retry))

    def on_retry(self, error: AwsCallFailed, pause: int) -> None:
        """Wait before another attempt. Raises as `wait` does."""
        self.tell(Warned(stack="AWS", what=error.what, hint=f"asking again in {pause} s"))
        self.wait(pause)
