"""What the driver asks of whoever explains failures: to look while AWS still knows, and to say why in the end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


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
