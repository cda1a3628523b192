"""What is to run: a new revision of an image, or one that exists; a rollback differs from a release in nothing else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ReleaseKind = Literal["release", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """Documents are rendered around it and registered."""

    uri: str
    """With its digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRevisions:
    """ARNs of task definitions that ran before; `worker` is None where the service has none."""

    api: str
    worker: str | None


Target = NewImage | ExistingRevisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version's way to the users. `version` is the image's tag; `id` tells this attempt from every other one."""

    id: str
    kind: ReleaseKind
    service: str
    environment: str
    version: str
    target: Target
    commit: str | None
    committed_at: datetime | None
    by: str
