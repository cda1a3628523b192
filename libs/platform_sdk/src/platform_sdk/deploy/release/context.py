"""What every stage of one release works with, and how it waits: patient with AWS, never deaf to a signal."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import FrameType
from typing import Final, Protocol

from platform_sdk.deploy.aws import AwsCallFailed, Retry, best_effort
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.observe import observe_service
from platform_sdk.deploy.release.events import Ended, StageEnded, Tell, Warned
from platform_sdk.deploy.release.options import IsAncestor, Order, Release
from platform_sdk.deploy.release.outcome import (
    Check,
    EvidenceCollector,
    Explanation,
    Outcome,
    OutcomeKind,
    Stage,
    StageName,
    StageStatus,
)
from platform_sdk.deploy.render.names import cluster_name, service_name, worker_service_name
from platform_sdk.deploy.state import LockItem, ServiceState, Suspended
from platform_sdk.errors import PlatformError

# What a release has done so far: filled in stage by stage, and in the end the outcome is read off it.


class Ending(Exception):
    """A release that ends here, well or badly. `what` says in one sentence what runs now."""

    def __init__(
        self,
        kind: OutcomeKind,
        what: str,
        *,
        explanation: Explanation | None = None,
        resume: str | None = None,
        signal_number: int = 0,
    ) -> None:
        super().__init__(what)
        self.kind: OutcomeKind = kind
        self.what = what
        self.explanation = explanation
        self.resume = resume
        self.signal_number = signal_number


@dataclass(slots=True, kw_only=True)
class Journal:
    """Revisions are ARNs; `worker_before` is the one to which the worker goes back, empty where it stays.

    `under_way` names what goes on at AWS whether or not anybody follows it, but for CodeDeploy's deployment;
    `still_suspended` is the command that lets scaling go on, where AWS refused it.
    """

    release: Release
    clock: Clock
    tell: Tell
    started_at: datetime
    checks: list[Check] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    revision: str = ""
    previous_revision: str = ""
    worker_revision: str = ""
    worker_before: str = ""
    deployment_id: str = ""
    rollback_deployment_id: str = ""
    under_way: str = ""
    worker_rolled: bool = False
    still_suspended: str = ""

    @property
    def again(self) -> str:
        """The command that goes on where this release ends: every stage may be repeated."""
        release = self.release
        if release.kind == "rollback":
            revision = self.revision.rsplit(":", 1)[-1]
            return f"platform rollback {release.service} --env {release.environment} --to {revision or release.version}"
        return f"platform deploy {release.service} --env {release.environment} --image {release.version}"

    @property
    def look(self) -> str:
        """The command that shows what goes on without this release."""
        release = self.release
        if self.deployment_id:
            return f"platform wait {self.deployment_id} --env {release.environment}"
        return f"platform status {release.service} --env {release.environment}"

    @contextmanager
    def stage(self, name: StageName) -> Iterator[None]:
        began = self.clock.now()
        try:
            yield
        except Ending as ending:
            failed = ending.kind not in ("released", "traffic_shifted", "detached")
            self.stage_ended(name, "failed" if failed else "done", began, ending.what if failed else "")
            raise
        except Exception as error:
            self.stage_ended(name, "failed", began, error.what if isinstance(error, PlatformError) else str(error))
            raise
        self.stage_ended(name, "done", began)

    def skip(self, name: StageName, reason: str) -> None:
        self.stage_ended(name, "skipped", self.clock.now(), reason)

    def stage_ended(self, name: StageName, status: StageStatus, began: datetime, reason: str = "") -> None:
        seconds = (self.clock.now() - began).total_seconds()
        stage = Stage(name=name, status=status, seconds=seconds, reason=reason)
        self.stages.append(stage)
        self.tell(StageEnded(stage=stage))

    def outcome(self, ending: Ending) -> Outcome:
        """Told as the last event."""
        outcome = Outcome(
            kind=ending.kind,
            what=f"{ending.what}; but its scaling is still suspended" if self.still_suspended else ending.what,
            release=self.release,
            started_at=self.started_at,
            ended_at=self.clock.now(),
            checks=tuple(self.checks),
            stages=tuple(self.stages),
            revision=self.revision,
            previous_revision=self.previous_revision,
            worker_revision=self.worker_revision,
            deployment_id=self.deployment_id,
            rollback_deployment_id=self.rollback_deployment_id,
            explanation=ending.explanation,
            resume=ending.resume or self.still_suspended or None,
            signal_number=ending.signal_number,
        )
        self.tell(Ended(outcome=outcome))
        return outcome


# Ctrl-C and the signal with which a build is cancelled: heard at once, obeyed where a release can be left or undone.
#
# A handler that raised in the middle of a call could leave a deployment behind that nobody knows. So the first signal
# is only remembered, and every wait and every step asks for it; the second one ends the process at once.

HEARD: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """Raised once, at the next step after the signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class Interrupts:
    """
    Args:
        leave: what a second signal does; it does not return.
    """

    def __init__(self, leave: Callable[[int], None] = os._exit) -> None:
        self.signal_number: int | None = None
        self.obeyed = False
        self.leave = leave

    def arrive(self, signal_number: int) -> None:
        if self.signal_number is not None:
            self.leave(128 + signal_number)
        self.signal_number = signal_number

    def check(self) -> None:
        """
        Raises:
            Interrupted: a signal came. Once: what is done about it is not interrupted again.
        """
        if self.signal_number is not None and not self.obeyed:
            self.obeyed = True
            raise Interrupted(self.signal_number)


@contextmanager
def heard(interrupts: Interrupts) -> Iterator[None]:
    """While it is open, signals arrive there."""

    def arrive(signal_number: int, _frame: FrameType | None) -> None:
        interrupts.arrive(signal_number)

    before = {number: signal.signal(number, arrive) for number in HEARD}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Lock(Protocol):
    """What a release needs of the lock that it holds."""

    def renew_when_due(self) -> None: ...

    def renew(self) -> None: ...

    def note(self, *, deployment_id: str | None = None, scaling: Suspended | None = None) -> None: ...

    def stay(self) -> None: ...

    def forget_scaling(self) -> None: ...

    @property
    def scaling(self) -> Suspended | None: ...

    @property
    def before(self) -> LockItem | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a release needs of the world. `appspec` is the repository's template."""

    aws: Aws
    clock: Clock
    tell: Tell
    evidence: EvidenceCollector
    interrupts: Interrupts
    appspec: str
    is_ancestor: IsAncestor


@dataclass(frozen=True, slots=True, kw_only=True)
class Releasing:
    """One release under way. `lock` is that of whoever only looks, until it is this release's turn."""

    spec: ServiceSpec
    environment: Environment
    order: Order
    tools: Tools
    lock: Lock
    journal: Journal

    @property
    def aws(self) -> Aws:
        """With retries. What may fail, or waits longer, uses `aws_once`."""
        return self.tools.aws.with_retries(self.retry)

    @property
    def aws_once(self) -> Aws:
        """Without retries."""
        return self.tools.aws

    @property
    def retry(self) -> Retry:
        return Retry(self.on_retry)

    @property
    def tell(self) -> Tell:
        return self.tools.tell

    @property
    def release(self) -> Release:
        return self.journal.release

    @property
    def cluster(self) -> str:
        return cluster_name(self.environment)

    @property
    def api(self) -> str:
        """Of the ECS service, of CodeDeploy's application and of its deployment group."""
        return service_name(self.spec, self.environment)

    @property
    def worker(self) -> str:
        return worker_service_name(self.spec, self.environment)

    def now(self) -> datetime:
        return self.tools.clock.now()

    def observe(self) -> ServiceState:
        return observe_service(self.spec, self.environment, self.aws)

    def go_on(self) -> None:
        """Before each step. Raises as `pause` does."""
        self.pause(0)

    def pause(self, seconds: float) -> None:
        """In steps of a second.

        Raises:
            Interrupted: a signal came meanwhile.
            LockLost: somebody took the release over.
        """
        until = self.now() + timedelta(seconds=seconds)
        while (left := (until - self.now()).total_seconds()) > 0:
            self.tools.interrupts.check()
            self.tools.clock.sleep(min(1, left))
        self.tools.interrupts.check()
        self.lock.renew_when_due()

    def check_turn(self) -> None:
        """Before each write. A lock that cannot be asked now is ours until its time is over.

        Raises:
            LockLost
        """
        best_effort(self.lock.renew, None)

    def on_retry(self, error: AwsCallFailed, pause: int) -> None:
        """Wait before another attempt. Raises as `pause` does."""
        self.tell(Warned(what=error.what, hint=f"asking again in {pause} s"))
        self.pause(pause)
