"""Who released what, when, and how it ended: from the deployments of a service and of its worker, as values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.canonical import COMMIT_TAG, VERSION_TAG
from platform_sdk.deploy.release.description import parse_description
from platform_sdk.deploy.state import Deployment, ServiceDeployment, TaskDefinition

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
