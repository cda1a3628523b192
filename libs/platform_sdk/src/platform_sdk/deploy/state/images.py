"""What ECR holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """In ECR. `architectures` is empty where the manifest does not tell."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime | None
    size_bytes: int
    architectures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    severity: str
    package: str
    version: str
    fixed_in: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """`status` is COMPLETE, IN_PROGRESS, PENDING, ACTIVE (of a continuous scan), FAILED, or NONE."""

    status: str
    description: str
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
