"""Who released what, when, and how it ended: read from the deployments of a service and of its worker.

`platform history` prints it; rollback and recovery read from it what ran before.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import COMMIT_TAG, VERSION_TAG
from platform_sdk.deploy.release.context import ReleaseContext
from platform_sdk.deploy.release.outcome import EndedEarly, ReleaseKind
from platform_sdk.deploy.render.names import arn, worker_service_name
from platform_sdk.deploy.state import Deployment, ServiceDeployment, ServiceState, TaskDefinition

# The description of every deployment that a release creates. It identifies the release.

MAX_LENGTH: Final = 256
"""Of a deployment's description (CodeDeploy API Reference, CreateDeployment)."""

LINE: Final = re.compile(
    r"(?P<kind>release|rollback|restart) (?P<version>\S+) of (?P<commit>\S+) "
    r"as (?P<revision>\S+:\d+)"
    r"(?: with worker (?P<worker>\d+)(?: after (?P<worker_before>\d+))?)? by (?P<by>.+) \((?P<id>\w+)\)"
)
UNKNOWN: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The text of a deployment, parsed: `version` is the image's tag, `revision` `family:number`, `id` the release's.

    `worker` is the number of the worker's revision, `worker_before` the one that it returns to with the API.
    """

    kind: ReleaseKind
    version: str
    commit: str | None
    revision: str
    by: str
    id: str
    worker: int | None = None
    worker_before: int | None = None

    def text(self) -> str:
        """Return at most 256 characters. A long name is cut, the id never is."""
        head = (
            f"{self.kind} {self.version} of {(self.commit or UNKNOWN)[:12]} as {self.revision}{self.worker_text()} by "
        )
        tail = f" ({self.id})"
        return f"{head}{self.by[: MAX_LENGTH - len(head) - len(tail)]}{tail}"

    def worker_text(self) -> str:
        """Return the worker's part of the text; empty without a worker."""
        if self.worker is None:
            return ""
        return f" with worker {self.worker}" + (f" after {self.worker_before}" if self.worker_before else "")


def parse_description(text: str) -> Description | None:
    """Return None for a deployment that was not made by a release."""
    found = LINE.fullmatch(text)
    if found is None:
        return None
    kinds: dict[str, ReleaseKind] = {"rollback": "rollback", "restart": "restart"}
    return Description(
        kind=kinds.get(found["kind"], "release"),
        version=found["version"],
        commit=None if found["commit"] == UNKNOWN else found["commit"],
        revision=found["revision"],
        by=found["by"],
        id=found["id"],
        worker=number(found["worker"]),
        worker_before=number(found["worker_before"]),
    )


def number(digits: str | None) -> int | None:
    """Return the digits of a matched group as a number; None if the group did not match."""
    return None if digits is None else int(digits)


BY_CODEDEPLOY: Final = "codeDeployRollback"
"""The creator of an automatic rollback."""

HEADINGS: Final = ("WHEN", "DEPLOYMENT", "WHAT", "VERSION", "COMMIT", "REVISION", "ENDED", "TOOK", "BY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One deployment, or the update of a worker that no deployment followed. Unknown texts are empty; `is_live` says
    that its revision has the traffic now; `detail` is the outcome's sentence where it is known.
    """

    at: datetime
    deployment_id: str
    what: str
    version: str
    commit: str
    revision: str
    ended: str
    took: timedelta | None
    by: str
    is_live: bool
    detail: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the entry for `platform history --json`: UTC times in ISO 8601, durations in whole seconds."""
        return {
            "at": self.at.isoformat(),
            "deployment_id": self.deployment_id,
            "what": self.what,
            "version": self.version,
            "commit": self.commit,
            "revision": self.revision,
            "ended": self.ended,
            "took_seconds": None if self.took is None else round(self.took.total_seconds()),
            "by": self.by,
            "is_live": self.is_live,
            "detail": self.detail,
        }


def history(deployments: Sequence[Deployment], live_revision: str) -> Iterator[Entry]:
    """Yield entries, newest first. `live_revision` is `family:number` of the primary task set, or empty."""
    for deployment in sorted(deployments, key=lambda each: each.created_at, reverse=True):
        yield _entry_of(deployment, live_revision)


def _entry_of(deployment: Deployment, live_revision: str) -> Entry:
    description = parse_description(deployment.description)
    automatic = deployment.creator == BY_CODEDEPLOY
    return Entry(
        at=deployment.created_at,
        deployment_id=deployment.id,
        what=f"rolls back {deployment.rolls_back}" if automatic else description.kind if description else "manual",
        version=description.version if description else "",
        commit=(description.commit or "") if description else "",
        revision=description.revision if description else "",
        ended=ended(deployment),
        took=deployment.completed_at - deployment.created_at if deployment.completed_at else None,
        by="CodeDeploy" if automatic else description.by if description else deployment.creator,
        is_live=bool(live_revision) and description is not None and description.revision == live_revision,
    )


def worker_updates(deployments: Sequence[Deployment], rolled: Sequence[ServiceDeployment]) -> list[ServiceDeployment]:
    """Return updates of the worker by releases that made no deployment: of revisions that no listed deployment names.

    Only since the oldest of these, and only revisions newer than the first one that they name: earlier ones cannot be
    distinguished.
    """
    descriptions = [parse_description(deployment.description) for deployment in deployments]
    released = {each.worker for each in descriptions if each and each.worker}
    known = released | {each.worker_before for each in descriptions if each}
    if not released:
        return []
    since = min(deployment.created_at for deployment in deployments)
    return [
        each
        for each in rolled
        if each.started_at is not None
        and each.started_at >= since
        and number_of(each) not in known
        and number_of(each) > min(released)
    ]


def number_of(rolled: ServiceDeployment) -> int:
    """Return the number of its revision."""
    return int(rolled.target_revision.rpartition(":")[2] or 0)


def entry_of_worker(rolled: ServiceDeployment, revision: TaskDefinition | None) -> Entry:
    """Return the entry for a rolling update of a worker. Its version comes from the tags of the revision."""
    assert rolled.started_at is not None, "worker_updates returns started ones only"
    tags = revision.tags if revision else {}
    return Entry(
        at=rolled.started_at,
        deployment_id="",
        what="release",
        version=tags.get(VERSION_TAG, ""),
        commit=tags.get(COMMIT_TAG, "")[:12],
        revision=rolled.target_revision.rsplit("/", 1)[-1],
        ended=f"{rolled.status} at the worker",
        took=rolled.finished_at - rolled.started_at if rolled.finished_at else None,
        by="",
        is_live=False,
    )


def entry_of_early(early: EndedEarly) -> Entry:
    """Return the entry for a release that ended before it had a deployment."""
    return Entry(
        at=early.at,
        deployment_id="",
        what=early.kind,
        version=early.version,
        commit=early.commit,
        revision=early.worker,
        ended=f"{early.ended.replace('_', ' ')} at {early.at_stage}",
        took=timedelta(seconds=early.seconds),
        by=early.by,
        is_live=False,
        detail=early.what,
    )


def ended(deployment: Deployment) -> str:
    """Return AWS's status, its error, and what rolled it back."""
    words = [deployment.status, deployment.error_code, deployment.rolled_back_by and f"by {deployment.rolled_back_by}"]
    return " ".join(filter(None, words))


def as_table(entries: Sequence[Entry]) -> str:
    """Return columns; `*` marks the live revision."""
    rows = [HEADINGS, *(_row_of(entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row_of(entry: Entry) -> tuple[str, ...]:
    minutes, seconds = divmod(round(entry.took.total_seconds()), 60) if entry.took is not None else (0, 0)
    return (
        f"{entry.at:%Y-%m-%d %H:%M}",
        entry.deployment_id or "-",
        entry.what,
        entry.version or "-",
        entry.commit or "-",
        f"{entry.revision or '-'}{' *' if entry.is_live else ''}",
        entry.ended,
        f"{minutes}:{seconds:02}" if entry.took is not None else "-",
        entry.by or "-",
    )


# What ran before: the revisions that the worker, or a rollback, returns to.

IN_APPSPEC: Final = re.compile(r"TaskDefinition\"?:\s*\"?(?P<arn>arn:[^\s\"]+)")
MAX_DEPLOYMENTS: Final = 25
"""Deployments to search, where no version is named."""
MORE_DEPLOYMENTS: Final = (100, 400, 1600)
"""Deployments to search for a named version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A revision that served all users well. `version` is empty where it is unknown; `is_rollback` says that it came
    by a rollback from another one; `worker` is the number of the worker's revision that was released with it.
    """

    revision: str
    version: str
    deployment_id: str
    at: datetime
    is_rollback: bool
    worker: int | None


def served(context: ReleaseContext, *, most: int = MAX_DEPLOYMENTS) -> Iterator[Served]:
    """Yield revisions, newest first. A deployment that was rolled back did not succeed, so it is left out."""
    deployments = context.aws.codedeploy.newest(context.api, context.now(), most=most, statuses=("Succeeded",))
    return (each for each in (served_by(context, deployment) for deployment in deployments) if each is not None)


def served_by(context: ReleaseContext, deployment: Deployment) -> Served | None:
    """Return None where AWS does not keep what the deployment released."""
    description = parse_description(deployment.description)
    if description is None:
        revision = revision_in_appspec(context, deployment)
    else:
        revision = arn(context.environment, "ecs", f"task-definition/{description.revision}")
    if not revision:
        return None
    return Served(
        revision=revision,
        version=description.version if description else version_at(context, revision),
        deployment_id=deployment.id,
        at=deployment.created_at,
        is_rollback=description is not None and description.kind == "rollback",
        worker=description.worker if description else None,
    )


def served_with(context: ReleaseContext, version: str) -> Served | None:
    """Return the newest deployment that released a version to all users, however long ago."""
    looked_at = 0
    for most in (MAX_DEPLOYMENTS, *MORE_DEPLOYMENTS):
        known = list(served(context, most=most))
        match = next((each for each in known[looked_at:] if each.version == version), None)
        if match is not None or len(known) == looked_at:
            return match
        looked_at = len(known)
    return None


def rolled_back_from(newest_first: Sequence[Served]) -> frozenset[str]:
    """Return the revisions that were rolled back from, and have not been released again since."""
    rejected: set[str] = set()
    live = ""
    for each in reversed(newest_first):
        if each.is_rollback and live != each.revision:
            rejected.add(live)
        rejected.discard(each.revision)
        live = each.revision
    return frozenset(rejected - {""})


def revision_in_appspec(context: ReleaseContext, deployment: Deployment) -> str:
    """Return the ARN that a deployment made outside this tool released; empty where AWS does not keep it."""
    text = context.aws.codedeploy.appspec_of(deployment.id)
    named = IN_APPSPEC.search(text or "")
    return named["arn"] if named else ""


def version_at(context: ReleaseContext, revision: str) -> str:
    """Return the version of a revision, by ARN or `family:number`; empty if it is unknown."""
    return version_of(context.aws.ecs.revision(revision))


def paired_worker_revision(context: ReleaseContext, state: ServiceState, new: str) -> str:
    """Return the worker's revision (ARN) that belongs to the API that serves now; empty where the worker need not
    return. That is what the worker runs, unless a release that did not end has changed it.
    """
    if state.worker is None or state.api is None:
        return ""
    version = version_of(state.api_revision)
    if version_of(state.worker_revision) == version:
        return "" if state.worker.task_definition == new else state.worker.task_definition
    if is_placeholder(context, state.api.task_definition):
        return state.api.task_definition
    paired = worker_of(context, version)
    if paired or state.worker.task_definition != new:
        return paired or state.worker.task_definition
    deployments = context.aws.ecs.service_deployments(context.cluster, context.worker, most=MAX_DEPLOYMENTS)
    before = (each.target_revision for each in deployments if each.status == "SUCCESSFUL")
    return next((revision for revision in before if revision not in ("", new)), "")


def is_placeholder(context: ReleaseContext, revision: str) -> bool:
    """Return whether this is what a service is created with, for API and worker: it answers 503."""
    return revision.rsplit("/", 1)[-1].partition(":")[0] == f"{context.api}-placeholder"


def worker_of(context: ReleaseContext, version: str) -> str | None:
    """Return the newest of the worker's revisions that ran with a version; None where there is none, or no worker.

    AWS decides whether there is a worker: an edit of platform.toml that is not applied changes nothing.
    """
    if not version or context.aws.ecs.service(context.cluster, context.worker) is None:
        return None
    looked_at: set[str] = set()
    for most in (MAX_DEPLOYMENTS, *MORE_DEPLOYMENTS):
        new = [revision for revision in rolled_out(context, most) if revision not in looked_at]
        for revision in new:
            if version_at(context, revision) == version:
                return revision
        looked_at.update(new)
        if not new:
            break
    # ECS forgets; the description of the release names the worker's revision.
    known = served_with(context, version)
    if known is None or known.worker is None:
        return None
    return worker_revision(known.worker, context.spec, context.environment)


def rolled_out(context: ReleaseContext, most: int) -> list[str]:
    """Return the worker's revisions (ARNs), the newest deployment's first."""
    deployments = context.aws.ecs.service_deployments(context.cluster, context.worker, most=most)
    return list(dict.fromkeys(each.target_revision for each in deployments if each.target_revision))


def worker_revision(number: int, spec: ServiceSpec, environment: Environment) -> str:
    """Return the ARN of a revision of the worker's task definition."""
    return arn(environment, "ecs", f"task-definition/{worker_service_name(spec, environment)}:{number}")


def version_of(revision: TaskDefinition | None) -> str:
    """Return the version in a revision's tags; empty for one that no release registered."""
    return revision.tags.get(VERSION_TAG, "") if revision else ""
