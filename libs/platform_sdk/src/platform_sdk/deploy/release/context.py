"""The context of one release: AWS, the time, signals, the lock that it holds, and what it has done so far.

cli builds it; execute, wait and rollback pass it to every stage. `apply` shares the base class.
"""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import FrameType
from typing import Any, Final

from platform_sdk.deploy.aws import AwsCallFailed, Retry, best_effort
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.observe import observe_service
from platform_sdk.deploy.release.events import Emit, Ended, StageEnded, Started, Warned
from platform_sdk.deploy.release.lock import NoLock, ReleaseLock
from platform_sdk.deploy.release.outcome import (
    Check,
    EvidenceCollector,
    ExistingRevisions,
    Explanation,
    IsAncestor,
    Outcome,
    OutcomeKind,
    Release,
    ReleaseOptions,
    Stage,
    StageName,
    StageStatus,
)
from platform_sdk.deploy.render.codedeploy import AppSpec, appspec_of
from platform_sdk.deploy.render.names import cluster_name, service_name, worker_service_name
from platform_sdk.deploy.state import ServiceState
from platform_sdk.errors import PlatformError

# Signals. An exception raised by a handler in the middle of a call could leave an unknown deployment.
# So the first signal is only remembered, and every wait and every step checks for it. The second one ends the process.

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """Raised once, at the next step after the signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class Interrupts:
    """The signals that this process received.

    Args:
        leave: what a second signal does; it does not return.
    """

    def __init__(self, leave: Callable[[int], None] = os._exit) -> None:
        self.signal_number: int | None = None
        self.raised = False
        self.leave = leave

    def arrive(self, signal_number: int) -> None:
        """Remember a signal, for the next `check`. A second one ends the process at once, as 128 plus its number."""
        if self.signal_number is not None:
            self.leave(128 + signal_number)
        self.signal_number = signal_number

    def check(self) -> None:
        """Raise Interrupted if a signal came. Only once: the reaction to it is not interrupted again."""
        if self.signal_number is not None and not self.raised:
            self.raised = True
            raise Interrupted(self.signal_number)


@contextmanager
def catching_signals(interrupts: Interrupts) -> Iterator[None]:
    """Send SIGINT and SIGTERM to `interrupts` while the block runs."""

    def arrive(signal_number: int, _frame: FrameType | None) -> None:
        interrupts.arrive(signal_number)

    before = {number: signal.signal(number, arrive) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(slots=True, kw_only=True)
class Context(ABC):
    """What `apply` and `release` share.

    `aws` retries temporary failures. `aws_once` does not: for best-effort reads, and for loops with their own deadline.
    """

    aws_once: Aws
    clock: Clock
    emit: Callable[[Any], None]
    interrupts: Interrupts
    lock: ReleaseLock | NoLock = field(default_factory=NoLock)
    aws: Aws = field(init=False)

    def __post_init__(self) -> None:
        self.aws = self.aws_once.with_retries(self.retry)

    @property
    def retry(self) -> Retry:
        """For calls that must not be made twice, and for writes to the lock."""
        return Retry(self.on_retry)

    def on_retry(self, error: AwsCallFailed, pause: int) -> None:
        """Report the error and wait. Raises as `pause` does."""
        self.warn(error.what, f"retrying in {pause} s")
        self.pause(pause)

    @abstractmethod
    def warn(self, what: str, hint: str) -> None:
        """Report what went wrong and what happens next."""

    def now(self) -> datetime:
        return self.clock.now()

    def pause(self, seconds: float) -> None:
        """Wait, in steps of a second.

        Raises:
            Interrupted: a signal came meanwhile.
            LockLost: somebody else took the lock over.
        """
        until = self.now() + timedelta(seconds=seconds)
        while (left := (until - self.now()).total_seconds()) > 0:
            self.interrupts.check()
            self.clock.sleep(min(1, left))
        self.interrupts.check()
        self.lock.renew_when_due()

    def checkpoint(self) -> None:
        """Check for signals and renew the lock before a step. Raises as `pause` does."""
        self.pause(0)

    def confirm_lock(self) -> None:
        """Raise LockLost before a write if the lock is no longer ours. A lock that cannot be read is ours until it
        expires.
        """
        best_effort(self.lock.renew, None)


class ReleaseEnded(Exception):
    """Raised where a release ends, well or badly. `what` says in one sentence what runs now."""

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
    """What a release has done so far. The outcome is read from it.

    Revisions are ARNs. `worker_before` is the one that the worker returns to, empty where it stays. `running` names
    what continues on AWS without us, other than CodeDeploy's deployment. `still_suspended` is the command that resumes
    scaling, where AWS refused to. `idle_tasks` is what to say of tasks that a failed rollback has left behind,
    `users_before` how users were served where no version served all of them.
    """

    started_at: datetime
    checks: list[Check] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    revision: str = ""
    previous_revision: str = ""
    worker_revision: str = ""
    worker_before: str = ""
    deployment_id: str = ""
    rollback_deployment_id: str = ""
    running: str = ""
    worker_rolled: bool = False
    still_suspended: str = ""
    idle_tasks: str = ""
    users_before: str = ""


@dataclass(slots=True, kw_only=True)
class ReleaseContext(Context):
    """What every step of a release shares. `release` and `outcome` are set by `start` and `finish`."""

    emit: Emit
    spec: ServiceSpec
    environment: Environment
    options: ReleaseOptions
    evidence: EvidenceCollector
    appspec_template: str
    is_ancestor: IsAncestor
    release: Release = field(init=False)
    journal: Journal = field(init=False)
    outcome: Outcome = field(init=False)

    def start(self, release: Release) -> None:
        """Begin the journal of a release."""
        self.release = release
        self.journal = Journal(started_at=self.now())

    def report_start(self) -> None:
        self.emit(Started(release=self.release))

    def warn(self, what: str, hint: str) -> None:
        self.emit(Warned(what=what, hint=hint))

    @property
    def cluster(self) -> str:
        return cluster_name(self.environment)

    @property
    def api(self) -> str:
        """The name of the ECS service, of CodeDeploy's application and of its deployment group."""
        return service_name(self.spec, self.environment)

    @property
    def worker(self) -> str:
        return worker_service_name(self.spec, self.environment)

    @property
    def starts_anew(self) -> bool:
        """Return whether tasks are replaced although their revision stays."""
        return self.release.kind == "restart" or self.options.force

    @property
    def keeps_revision(self) -> bool:
        """Return whether original and replacement tasks run one revision, so that only task sets distinguish them."""
        return bool(self.journal.revision) and self.journal.revision == self.journal.previous_revision

    @property
    def original_serves(self) -> str:
        """Return a sentence that says that the release has changed nothing for users."""
        if self.journal.users_before:
            return self.journal.users_before
        if self.release.kind == "restart":
            return f"the original tasks of {self.release.version} serve all users"
        return "the original version serves all users"

    @property
    def appspec(self) -> AppSpec:
        """What the revision is deployed with."""
        target = self.release.target
        recorded = target.appspec if isinstance(target, ExistingRevisions) else None
        return recorded or appspec_of(self.spec, self.environment)

    def observe(self) -> ServiceState:
        return observe_service(self.spec, self.environment, self.aws)

    # The commands that a person may run next.

    @property
    def status_command(self) -> str:
        return f"platform status {self.spec.name} --env {self.environment.name}"

    @property
    def history_command(self) -> str:
        return f"platform history {self.spec.name} --env {self.environment.name}"

    def wait_command(self, deployment_id: str) -> str:
        return f"platform wait {deployment_id} --env {self.environment.name}"

    @property
    def repeat_command(self) -> str:
        """Resumes where this release ends: every stage may be repeated."""
        service, environment = self.spec.name, self.environment.name
        if self.release.kind == "restart":
            return self.restart_command
        if self.release.kind == "rollback":
            revision = self.journal.revision.rsplit(":", 1)[-1]
            return f"platform rollback {service} --env {environment} --to {revision or self.release.version}"
        force = " --force" if self.options.force else ""
        return f"platform deploy {service} --env {environment} --image {self.release.version}{force}"

    @property
    def restart_command(self) -> str:
        return f"platform restart {self.spec.name} --env {self.environment.name}"

    @property
    def rollback_command(self) -> str:
        """Brings API and worker back to one version that served well."""
        return f"platform rollback {self.spec.name} --env {self.environment.name}"

    def release_command(self, version: str) -> str:
        """Releases a version that served before, like a rollback. What was deregistered is registered again."""
        options = f"--env {self.environment.name} --image {version} --allow-older --ignore-alarms"
        return f"platform deploy {self.spec.name} {options}"

    @property
    def look_command(self) -> str:
        """Shows what continues without this release."""
        id = self.journal.deployment_id
        return self.wait_command(id) if id else self.status_command

    # Stages, and the end.

    @contextmanager
    def stage(self, name: StageName) -> Iterator[None]:
        """Time a stage and report how it ended, also when it raises."""
        began = self.now()
        try:
            yield
        except ReleaseEnded as ended:
            failed = ended.kind not in ("released", "traffic_shifted", "detached")
            self.end_stage(name, "failed" if failed else "done", began, ended.what if failed else "")
            raise
        except Exception as error:
            self.end_stage(name, "failed", began, error.what if isinstance(error, PlatformError) else str(error))
            raise
        self.end_stage(name, "done", began)

    def skip(self, name: StageName, reason: str) -> None:
        self.end_stage(name, "skipped", self.now(), reason)

    def end_stage(self, name: StageName, status: StageStatus, began: datetime, reason: str = "") -> None:
        """Record a stage in the journal and emit its end."""
        stage = Stage(name=name, status=status, seconds=(self.now() - began).total_seconds(), reason=reason)
        self.journal.stages.append(stage)
        self.emit(StageEnded(stage=stage))

    def finish(self, ended: ReleaseEnded) -> None:
        """Set the outcome and emit it as the last event."""
        journal = self.journal
        self.outcome = Outcome(
            kind=ended.kind,
            what=f"{ended.what}; but its scaling is still suspended" if journal.still_suspended else ended.what,
            release=self.release,
            started_at=journal.started_at,
            ended_at=self.now(),
            checks=tuple(journal.checks),
            stages=tuple(journal.stages),
            revision=journal.revision,
            previous_revision=journal.previous_revision,
            worker_revision=journal.worker_revision,
            deployment_id=journal.deployment_id,
            rollback_deployment_id=journal.rollback_deployment_id,
            explanation=ended.explanation,
            resume=ended.resume or journal.still_suspended or None,
            signal_number=ended.signal_number,
        )
        self.emit(Ended(outcome=self.outcome))
