"""Who released what, when, and how it ended: from the deployments of a service and of its worker, as values."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import COMMIT_TAG, COMMITTED_AT_TAG, VERSION_TAG
from platform_sdk.deploy.release.context import Releasing
from platform_sdk.deploy.render.names import arn, service_name
from platform_sdk.deploy.state import Deployment, ServiceDeployment, ServiceState, TaskDefinition

# The one line of our own that every deployment carries: who released what, for the history and for recognising it.

MAX_LENGTH: Final = 256
"""CodeDeploy's, for a deployment's description."""

LINE: Final = re.compile(
    r"(?P<kind>release|rollback) (?P<version>\S+) of (?P<commit>\S+) "
    r"as (?P<revision>\S+:\d+)"
    r"(?: with worker (?P<worker>\d+)(?: after (?P<worker_before>\d+))?)? by (?P<by>.+) \((?P<id>\w+)\)"
)
UNKNOWN: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`version` is the image's tag, `revision` is `family:number`, `id` is the release's own and unlike any other's.

    `worker` is the number of the worker's revision, `worker_before` the one that it goes back to if the API does.
    """

    kind: Literal["release", "rollback"]
    version: str
    commit: str | None
    revision: str
    by: str
    id: str
    worker: int | None = None
    worker_before: int | None = None

    def text(self) -> str:
        """At most 256 characters; a long name gives way, the id never does."""
        head = f"{self.kind} {self.version} of {(self.commit or UNKNOWN)[:12]} as {self.revision}{self.beside()} by "
        tail = f" ({self.id})"
        return f"{head}{self.by[: MAX_LENGTH - len(head) - len(tail)]}{tail}"

    def beside(self) -> str:
        if self.worker is None:
            return ""
        return f" with worker {self.worker}" + (f" after {self.worker_before}" if self.worker_before else "")


def parse_description(text: str) -> Description | None:
    """None for a deployment that was not made by a release of ours."""
    found = LINE.fullmatch(text)
    if found is None:
        return None
    return Description(
        kind="rollback" if found["kind"] == "rollback" else "release",
        version=found["version"],
        commit=None if found["commit"] == UNKNOWN else found["commit"],
        revision=found["revision"],
        by=found["by"],
        id=found["id"],
        worker=number(found["worker"]),
        worker_before=number(found["worker_before"]),
    )


def number(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


BY_CODEDEPLOY: Final = "codeDeployRollback"
"""The creator of a deployment that takes another one back by itself."""

HEADINGS: Final = ("WHEN", "DEPLOYMENT", "WHAT", "VERSION", "COMMIT", "REVISION", "ENDED", "TOOK", "BY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One deployment, or the update of a worker that no deployment followed. Texts are empty where nobody knows;
    `is_live` says that its revision has the traffic now.
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

    def as_json(self) -> dict[str, object]:
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
        }


def history(deployments: Sequence[Deployment], live_revision: str) -> Iterator[Entry]:
    """Newest first. `live_revision` is `family:number` of the primary task set, or empty."""
    for deployment in sorted(deployments, key=lambda each: each.created_at, reverse=True):
        yield entry_of(deployment, live_revision)


def entry_of(deployment: Deployment, live_revision: str) -> Entry:
    said = parse_description(deployment.description)
    automatic = deployment.creator == BY_CODEDEPLOY
    return Entry(
        at=deployment.created_at,
        deployment_id=deployment.id,
        what=f"takes back {deployment.rolls_back}" if automatic else said.kind if said else "by hand",
        version=said.version if said else "",
        commit=(said.commit or "") if said else "",
        revision=said.revision if said else "",
        ended=ended(deployment),
        took=deployment.completed_at - deployment.created_at if deployment.completed_at else None,
        by="CodeDeploy" if automatic else said.by if said else deployment.creator,
        is_live=bool(live_revision) and said is not None and said.revision == live_revision,
    )


def at_the_worker(deployments: Sequence[Deployment], rolled: Sequence[ServiceDeployment]) -> list[ServiceDeployment]:
    """Updates of the worker by releases that made no deployment: of revisions that none of those that are listed names.

    Only since the oldest of these, and only revisions that are newer than the first one that they name: what came
    before, nobody wrote down.
    """
    said = [parse_description(deployment.description) for deployment in deployments]
    brought = {each.worker for each in said if each and each.worker}
    known = brought | {each.worker_before for each in said if each}
    if not brought:
        return []
    since = min(deployment.created_at for deployment in deployments)
    return [
        each
        for each in rolled
        if each.started_at is not None
        and each.started_at >= since
        and number_of(each) not in known
        and number_of(each) > min(brought)
    ]


def number_of(rolled: ServiceDeployment) -> int:
    """Of its revision."""
    return int(rolled.target_revision.rpartition(":")[2] or 0)


def entry_at_the_worker(rolled: ServiceDeployment, revision: TaskDefinition | None) -> Entry:
    assert rolled.started_at is not None, "only those that began are asked for"
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


def ended(deployment: Deployment) -> str:
    """AWS's word for how it ended, or for how far it is, and what took it back."""
    words = [deployment.status, deployment.error_code, deployment.rolled_back_by and f"by {deployment.rolled_back_by}"]
    return " ".join(filter(None, words))


def as_table(entries: Sequence[Entry]) -> str:
    """Columns, the live revision marked by `*`."""
    rows = [HEADINGS, *(row_of(entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def row_of(entry: Entry) -> tuple[str, ...]:
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


# What ran before: where the worker goes back with the API, and to which versions a rollback may go.

IN_APPSPEC: Final = re.compile(r"TaskDefinition\"?:\s*\"?(?P<arn>arn:[^\s\"]+)")
MOST: Final = 25
"""Deployments that are looked at, where nobody names one."""
LONGER: Final = (100, 400, 1600)
"""Deployments that are looked at for a version that was named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A revision that served all users well. `version` is empty where nobody wrote it down; `goes_back` says that it
    was brought back from another one, which somebody wanted to leave; `worker` is the number of the worker's beside it.
    """

    revision: str
    version: str
    deployment_id: str
    at: datetime
    goes_back: bool
    worker: int | None


def served(releasing: Releasing, *, most: int = MOST) -> Iterator[Served]:
    """Newest first; a deployment that was taken back did not succeed, so it is not among them."""
    deployments = releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=most, statuses=("Succeeded",))
    return (each for each in (served_by(releasing, deployment) for deployment in deployments) if each is not None)


def served_by(releasing: Releasing, deployment: Deployment) -> Served | None:
    """None where AWS does not keep what it brought."""
    told = parse_description(deployment.description)
    if told is None:
        revision = found(releasing, deployment)
    else:
        revision = arn(releasing.environment, "ecs", f"task-definition/{told.revision}")
    if not revision:
        return None
    return Served(
        revision=revision,
        version=told.version if told else version_at(releasing, revision),
        deployment_id=deployment.id,
        at=deployment.created_at,
        goes_back=told is not None and told.kind == "rollback",
        worker=told.worker if told else None,
    )


def served_with(releasing: Releasing, version: str) -> Served | None:
    """The newest deployment that brought a version to all users, however long ago."""
    looked_at = 0
    for most in (MOST, *LONGER):
        known = list(served(releasing, most=most))
        match = next((each for each in known[looked_at:] if each.version == version), None)
        if match is not None or len(known) == looked_at:
            return match
        looked_at = len(known)
    return None


def left_behind(newest_first: Sequence[Served]) -> frozenset[str]:
    """Revisions that served all users until somebody went back from them, and that nobody has brought to them since."""
    left: set[str] = set()
    live = ""
    for each in reversed(newest_first):
        if each.goes_back and live != each.revision:
            left.add(live)
        left.discard(each.revision)
        live = each.revision
    return frozenset(left - {""})


def found(releasing: Releasing, deployment: Deployment) -> str:
    """The ARN of what a deployment brought that was made by hand; empty where AWS does not keep it."""
    text = releasing.aws.codedeploy.appspec_of(deployment)
    named = IN_APPSPEC.search(text or "")
    return named["arn"] if named else ""


def version_at(releasing: Releasing, revision: str) -> str:
    return version_of(releasing.aws.ecs.revision(revision))


def worker_beside(releasing: Releasing, state: ServiceState, new: str) -> str:
    """The worker's revision (ARN) that goes with the API that serves now; empty where the worker need not go back.

    That is what it runs, unless a release that did not come to its end has brought it elsewhere.
    """
    if state.worker is None or state.api is None:
        return ""
    version = version_of(state.api_revision)
    if version_of(state.worker_revision) == version:
        return "" if state.worker.task_definition == new else state.worker.task_definition
    if is_placeholder(releasing, state.api.task_definition):
        return state.api.task_definition
    beside = worker_of(releasing, version)
    if beside or state.worker.task_definition != new:
        return beside or state.worker.task_definition
    deployments = releasing.aws.ecs.service_deployments(releasing.cluster, releasing.worker, most=MOST)
    before = (each.target_revision for each in deployments if each.status == "SUCCESSFUL")
    return next((revision for revision in before if revision not in ("", new)), "")


def is_placeholder(releasing: Releasing, revision: str) -> bool:
    """What a service is created with, for API and worker alike: it answers 503."""
    return revision.rsplit("/", 1)[-1].partition(":")[0] == f"{releasing.api}-placeholder"


def worker_of(releasing: Releasing, version: str) -> str | None:
    """The newest of the worker's revisions that ran with a version; None where there is none."""
    if not version or releasing.spec.worker is None:
        return None
    looked_at: set[str] = set()
    for most in (MOST, *LONGER):
        new = [revision for revision in rolled_out(releasing, most) if revision not in looked_at]
        for revision in new:
            if version_at(releasing, revision) == version:
                return revision
        looked_at.update(new)
        if not new:
            break
    # ECS forgets; a release has written down which worker it brought.
    known = served_with(releasing, version)
    if known is None or known.worker is None:
        return None
    return arn(releasing.environment, "ecs", f"task-definition/{releasing.worker}:{known.worker}")


def rolled_out(releasing: Releasing, most: int) -> list[str]:
    """The worker's revisions (ARNs), the newest deployment's first."""
    deployments = releasing.aws.ecs.service_deployments(releasing.cluster, releasing.worker, most=most)
    return list(dict.fromkeys(each.target_revision for each in deployments if each.target_revision))


def version_of(revision: TaskDefinition | None) -> str:
    return revision.tags.get(VERSION_TAG, "") if revision else ""


# Of which commit a version is that is not made of the files here: written down where it was registered before.

COMMIT_LOOKUPS: Final = 100
"""Deployments that are looked at."""


def commit_of_version(
    aws: Aws, spec: ServiceSpec, environment: Environment, version: str
) -> tuple[str | None, datetime | None]:
    """None where no revision of the version is known, or it does not say.

    Raises:
        AwsCallFailed
    """
    revision = revision_of_version(aws, service_name(spec, environment), version)
    if revision is None:
        return None, None
    written = revision.tags.get(COMMITTED_AT_TAG)
    return revision.tags.get(COMMIT_TAG), datetime.fromisoformat(written) if written else None


def revision_of_version(aws: Aws, name: str, version: str) -> TaskDefinition | None:
    """The newest of the family, which may belong to a release that came no further, or what a deployment brought."""
    newest = aws.ecs.revision(name)
    if newest is not None and newest.tags.get(VERSION_TAG) == version:
        return newest
    for deployment in aws.codedeploy.deployments(name, name, most=COMMIT_LOOKUPS):
        told = parse_description(deployment.description)
        if told is not None and told.version == version:
            return aws.ecs.revision(told.revision)
    return None
