"""The one line that a release leaves with CodeDeploy, for people in the console and for us to read again.

`4f2a9c1 of 0123456789ab as production-orders:42 by ci [release 1f2e3d4c, worker from 7]`. Nothing else that AWS keeps
as free text is ever read.
"""

import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 256
"""What CodeDeploy keeps (docs.aws.amazon.com/codedeploy, "Quotas")."""

LINE: Final = re.compile(
    r"(?P<version>\S+)( of (?P<commit>[0-9a-f]+))? as (?P<family>[\w-]+):(?P<revision>\d+) by (?P<by>.*) "
    r"\[release (?P<release_id>\w+)(, worker from (?P<worker_before>\d+))?\]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`worker_before` is the number of the worker's revision to go back to, None where there is none."""

    version: str
    commit: str | None
    family: str
    revision: int
    by: str
    release_id: str
    worker_before: int | None = None

    def line(self) -> str:
        commit = f" of {self.commit[:12]}" if self.commit else ""
        head = f"{self.version}{commit} as {self.family}:{self.revision} by "
        worker = "" if self.worker_before is None else f", worker from {self.worker_before}"
        tail = f" [release {self.release_id}{worker}]"
        return head + " ".join(self.by.split())[: LONGEST - len(head) - len(tail)] + tail


def read_description(text: str) -> Description | None:
    """None of a deployment that somebody else made, or AWS."""
    found = LINE.fullmatch(text)
    if found is None:
        return None
    worker = found["worker_before"]
    return Description(
        version=found["version"],
        commit=found["commit"],
        family=found["family"],
        revision=int(found["revision"]),
        by=found["by"],
        release_id=found["release_id"],
        worker_before=None if worker is None else int(worker),
    )
