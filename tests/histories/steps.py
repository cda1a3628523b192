"""The text of a history: a place, and the steps that operators, faults and time take there, one word each.

    orders@production deploy=good deploy=crashes!kill@120 sleep=600 rollback

A step may be disturbed: `deploy=good!lost@40*3` loses the answers of three calls, `deploy=good!meanwhile@300:stop=back`
takes another step while it runs.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

WORD: Final = re.compile(
    r"(?P<name>[a-z_]+)(=(?P<argument>[^!]+))?"
    r"(!(?P<kind>[a-z_]+)@(?P<at>\d+)(\*(?P<times>\d+))?(:(?P<meanwhile>.+))?)?"
)


class NotAHistory(ValueError):
    """The text cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What happens to a command while it runs.

    Args:
        kind: `kill` before a call, `term` after seconds, `meanwhile` after seconds, or how calls fail.
        at: the number of the call from 1, or seconds.
        times: how many calls fail.
        meanwhile: the step that somebody else takes.
    """

    kind: str
    at: int
    times: int = 1
    meanwhile: "Step | None" = None

    def __str__(self) -> str:
        times = f"*{self.times}" if self.times > 1 else ""
        return f"{self.kind}@{self.at}{times}{f':{self.meanwhile}' if self.meanwhile else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation of operations.py. `argument` is a list, separated by commas."""

    name: str
    argument: str = ""
    disturbance: Disturbance | None = None

    def __str__(self) -> str:
        argument = f"={self.argument}" if self.argument else ""
        return f"{self.name}{argument}{f'!{self.disturbance}' if self.disturbance else ''}"

    @classmethod
    def parse(cls, word: str) -> Self:
        """Raise NotAHistory if it is no step."""
        found = WORD.fullmatch(word)
        if found is None:
            raise NotAHistory(f"`{word}` is no step; one is written as in `deploy=good` or `deploy=good!kill@40`")
        disturbance = None
        if found["kind"]:
            disturbance = Disturbance(
                kind=found["kind"],
                at=int(found["at"]),
                times=int(found["times"] or 1),
                meanwhile=Step.parse(found["meanwhile"]) if found["meanwhile"] else None,
            )
        return cls(name=found["name"], argument=found["argument"] or "", disturbance=disturbance)

    @property
    def undisturbed(self) -> "Step":
        return replace(self, disturbance=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Steps in one service of one environment."""

    service: str
    environment: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return " ".join([f"{self.service}@{self.environment}", *map(str, self.steps)])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise NotAHistory if it is none."""
        place, *words = text.split()
        service, separator, environment = place.partition("@")
        if not separator:
            raise NotAHistory(f"`{place}` is no place; a history begins with one, such as orders@production")
        return cls(service=service, environment=environment, steps=tuple(map(Step.parse, words)))
