"""How a release ended: one value, with the exit code that a pipeline reads and the command that goes on from here."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, Protocol

from platform_sdk.deploy.release.options import Release

# One answer of the preflight.

CheckStatus = Literal["OK", "SKIP", "FAIL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`reason` says what was found, and of a SKIP why it could not be asked; `remedy` of a FAIL is the next step."""

    name: str
    status: CheckStatus
    reason: str
    remedy: str = ""


# What the driver asks of whoever explains failures: to look while AWS still knows, and to say why in the end.


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a release failed, in words: `cause` is the likely one, `evidence` are lines that show it."""

    what: str
    cause: str
    remedy: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is new and may fail. Empty texts where a stage has no such thing.

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
    """Neither method raises an error of AWS: what cannot be read is missing from the evidence."""

    def observe(self, watched: Watched) -> tuple[str, ...]:
        """Looks once. Answers one signature for each task of the new revision that stopped so far; tasks that failed in
        the same way have the same one.
        """

    def explain(self, watched: Watched) -> Explanation | None:
        """After the failure. None where nothing was found."""


class NoEvidence:
    """Sees nothing."""

    def observe(self, watched: Watched) -> tuple[str, ...]:
        return ()

    def explain(self, watched: Watched) -> Explanation | None:
        return None


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
"""Of all but an interruption, which ends as the shell says: 128 and the signal's number."""

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
    """`what` is one sentence that says what runs now. Revisions are ARNs, and empty where it did not come to one.

    `resume` is the command that goes on, `signal_number` the signal of an interruption.
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
