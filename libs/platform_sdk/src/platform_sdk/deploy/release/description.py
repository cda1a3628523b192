"""The one line of our own that every deployment carries: who released what, for the history and for recognising it."""

import re
from dataclasses import dataclass
from typing import Final, Literal

MAX_LENGTH: Final = 256
"""CodeDeploy's, for a deployment's description."""

LINE: Final = re.compile(
    r"(?P<kind>release|rollback) (?P<version>\S+) of (?P<commit>\S+) as (?P<revision>\S+:\d+) by (?P<by>.+) \((?P<id>\w+)\)"
)
UNKNOWN: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`version` is the image's tag, `revision` is `family:number`, `id` is the release's own and unlike any other's."""

    kind: Literal["release", "rollback"]
    version: str
    commit: str | None
    revision: str
    by: str
    id: str

    def text(self) -> str:
        """At most 256 characters; a long name gives way, the id never does."""
        head = f"{self.kind} {self.version} of {(self.commit or UNKNOWN)[:12]} as {self.revision} by "
        tail = f" ({self.id})"
        return f"{head}{self.by[: MAX_LENGTH - len(head) - len(tail)]}{tail}"


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
    )
