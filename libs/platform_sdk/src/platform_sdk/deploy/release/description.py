"""The one line of our own that every deployment carries: who released what, for the history and for recognising it."""

import re
from dataclasses import dataclass
from typing import Final, Literal

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
