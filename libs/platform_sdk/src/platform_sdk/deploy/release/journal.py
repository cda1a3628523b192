"""What a release has done so far: filled in stage by stage, and in the end the outcome is read off it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.release.check import Check
from platform_sdk.deploy.release.events import Ended, StageEnded, Tell
from platform_sdk.deploy.release.evidence import Explanation
from platform_sdk.deploy.release.outcome import Outcome, OutcomeKind, Stage, StageName, StageStatus
from platform_sdk.deploy.release.target import Release
from platform_sdk.errors import PlatformError


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
