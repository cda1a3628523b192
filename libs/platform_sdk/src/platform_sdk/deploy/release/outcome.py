"""The outcome of a release: what happened, the exit code that a pipeline reads, and the command that resumes.

execute returns it, output/ prints it.
"""

import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, Protocol

from platform_sdk.deploy.render.codedeploy import AppSpec
from platform_sdk.deploy.state import Task

# What a caller asks for: a release, and the options that say how to run it.

Until = Literal["traffic", "done"]
IfBusy = Literal["wait", "supersede", "fail"]
OnInterrupt = Literal["leave", "rollback"]

IsAncestor = Callable[[str, str], bool | None]
"""Whether the first commit is in the history of the second one; None where git does not know one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOptions:
    """How to release. `detach` returns once the deployment is created, and does not suspend scaling. `ignore_alarms`
    releases a fix while its alarm is firing. `force` releases a version that serves already.
    """

    until: Until = "done"
    detach: bool = False
    if_busy: IfBusy = "wait"
    lock_wait_minutes: int = 60
    on_interrupt: OnInterrupt = "leave"
    allow_older: bool = False
    ignore_alarms: bool = False
    force: bool = False


ReleaseKind = Literal["release", "rollback", "restart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """Documents are rendered around it and registered. `uri` includes the digest."""

    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRevisions:
    """ARNs of task definitions that ran before; `worker` is None where the service has none.

    `appspec` is what the API's revision is deployed with. It belongs to the revision, not to today's platform.toml.
    None where platform.toml has just been rendered, or no deployment is created.
    """

    api: str
    worker: str | None
    appspec: AppSpec | None = None


Target = NewImage | ExistingRevisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version's way to all users. `version` is the image's tag; `id` is unique to this attempt.

    A rollback is a release whose target are revisions that exist. A restart's target are those that serve.
    """

    id: str
    kind: ReleaseKind
    service: str
    environment: str
    version: str
    target: Target
    commit: str | None
    committed_at: datetime | None
    by: str


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
    task, `target_group` that of the replacement task set's target group. `since` is AWS's time of the deployment.
    `refusal` is why ECS started no task for the migration. `started_by` is the id of the task set or update that starts
    the tasks. It is empty where the revision alone distinguishes them, so in all but a restart.
    """

    stage: Literal["migration", "worker", "api"]
    cluster: str
    revision: str
    since: datetime
    service: str = ""
    deployment_id: str = ""
    task: str = ""
    target_group: str = ""
    started_by: str = ""
    refusal: str = ""

    def includes(self, task: Task) -> bool:
        """Return whether the deployment started the task. An earlier one may have run the same revision, and failed."""
        is_new = task.created_at is None or task.created_at >= self.since
        is_own = not self.started_by or task.started_by == self.started_by
        return is_new and is_own and task.task_definition == self.revision


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
    """How a release ended. `what` says what runs now. Revisions are ARNs, empty where there is none.

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


# Releases that ended before they created a deployment: AWS records nothing of them that `platform history` could list.


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedEarly:
    """A release without a deployment. `ended` is an outcome's kind, `at_stage` is lock, checks, or a stage's name.
    `worker` is the worker's revision, empty if it was not updated. Times are in UTC.
    """

    at: datetime
    seconds: int
    kind: str
    version: str
    commit: str
    by: str
    ended: str
    at_stage: str
    what: str
    worker: str = ""

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "at": self.at.isoformat()}


def ended_early(outcome: Outcome, worker: str) -> EndedEarly | None:
    """Return None for a release that created a deployment, or that had nothing to do."""
    if outcome.deployment_id or outcome.kind in ("released", "nothing_to_do"):
        return None
    release = outcome.release
    return EndedEarly(
        at=outcome.started_at,
        seconds=round(outcome.duration_seconds),
        kind=release.kind,
        version=release.version,
        commit=(release.commit or "")[:12],
        by=release.by,
        ended=outcome.kind,
        at_stage=outcome.stages[-1].name if outcome.stages else "checks" if outcome.checks else "lock",
        what=outcome.what,
        worker=worker.rsplit("/", 1)[-1],
    )


def parse_ended_early(text: str) -> tuple[EndedEarly, ...]:
    """Return what is written in a text of `as_json`, the newest first. Empty for an empty text."""
    found = json.loads(text) if text else []
    return tuple(EndedEarly(**{**each, "at": datetime.fromisoformat(each["at"])}) for each in found)
