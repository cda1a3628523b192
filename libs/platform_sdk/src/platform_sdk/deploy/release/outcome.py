"""The outcome of a release: what happened, the exit code that a pipeline reads, and the command that resumes.

execute returns it, output/ prints it.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, Protocol

from platform_sdk.deploy.release.options import Release

CheckStatus = Literal["OK", "SKIP", "FAIL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the preflight. `reason` says what was found, or why it was skipped; `remedy` is the next step after
    a FAIL.
    """

    name: str
    status: CheckStatus
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a release failed: `cause` is the likely one, `evidence` are lines that show it."""

    what: str
    cause: str
    remedy: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What an EvidenceCollector observes. Texts are empty where a stage has no such thing.

    `service` is the ECS service's name, `revision` the new task definition's ARN, `task` the ARN of the migration's
    task, `target_group` that of the replacement task set's target group.
    """

    stage: Literal["migration", "worker", "api"]
    cluster: str
    revision: str
    since: datetime
    service: str = ""
    deployment_id: str = ""
    task: str = ""
    target_group: str = ""


class EvidenceCollector(Protocol):
    """Collects evidence while AWS still has it: ECS forgets stopped tasks. What cannot be read is left out, so neither
    method raises AwsCallFailed.
    """

    def observe(self, watched: Watched) -> tuple[str, ...]:
        """Look once. Return a signature for each task of the new revision that failed so far: the same one for tasks
        that failed in the same way.
        """

    def explain(self, watched: Watched) -> Explanation | None:
        """Explain the failure. None where nothing was found."""


OutcomeKind = Literal[
    "released",
    "traffic_shifted",
    "detached",
    "failed_unchanged",
    "nothing_to_do",
    "refused",
    "failed_rolled_back",
    "rollback_failed",
    "timed_out",
    "superseded",
    "locked",
    "interrupted",
]

EXIT_CODES: Final[Mapping[OutcomeKind, int]] = MappingProxyType(
    {
        "released": 0,
        "traffic_shifted": 0,
        "detached": 0,
        "failed_unchanged": 1,
        "nothing_to_do": 10,
        "refused": 11,
        "failed_rolled_back": 12,
        "rollback_failed": 13,
        "timed_out": 14,
        "superseded": 15,
        "locked": 16,
    }
)
"""An interruption ends with 128 + the signal's number, as shells do."""

StageName = Literal["register", "migrate", "worker", "shift", "bake", "roll back"]
StageStatus = Literal["done", "skipped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a release; `reason` says why it was skipped or how it failed."""

    name: StageName
    status: StageStatus
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`what` is one sentence that says what runs now. Revisions are ARNs, empty where there is none.

    `resume` is the command to run next, `signal_number` the signal of an interruption.
    """

    kind: OutcomeKind
    what: str
    release: Release
    started_at: datetime
    ended_at: datetime
    checks: tuple[Check, ...] = ()
    stages: tuple[Stage, ...] = ()
    revision: str = ""
    previous_revision: str = ""
    worker_revision: str = ""
    deployment_id: str = ""
    rollback_deployment_id: str = ""
    explanation: Explanation | None = None
    resume: str | None = None
    signal_number: int = signal.SIGINT

    @property
    def exit_code(self) -> int:
        return 128 + self.signal_number if self.kind == "interrupted" else EXIT_CODES[self.kind]

    @property
    def duration_seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()
