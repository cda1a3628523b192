"""What is wrong with a file that a person wrote: collected, all of it, before anything is refused."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from platform_sdk.errors import PlatformError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing to put right.

    `line` is 1-based and None where the whole file is at fault; `key` is dotted, as one would write it in TOML.
    """

    file: str
    line: int | None
    key: str | None
    reason: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        said = self.reason if self.suggestion is None else f"{self.reason}; {self.suggestion}"
        return visible(": ".join(part for part in (place, self.key, said) if part))


def visible(text: str) -> str:
    """What files say may be repeated, but may not steer the terminal that it is printed on."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class InvalidConfiguration(PlatformError):
    """Files that cannot be used; `faults` holds every reason, in the order of the files' lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(
            sorted(set(faults), key=lambda fault: (fault.file, fault.line or 0, fault.key or "", fault.reason))
        )
        files = len({fault.file for fault in self.faults})
        super().__init__(
            f"{counted(len(self.faults), 'fault')} in {counted(files, 'file')}",
            hint="`platform explain KEY` tells what a key does",
        )

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class InvalidSpec(InvalidConfiguration):
    """platform.toml files that cannot be used."""


def error_document(error: PlatformError) -> dict[str, object]:
    """For programs. Of files, `faults` are the lines that a person would see."""
    told: dict[str, object] = {
        "kind": type(error).__name__,
        "what": error.what,
        "because": error.because,
        "hint": error.hint,
    }
    return told | ({"faults": str(error).splitlines()} if isinstance(error, InvalidConfiguration) else {})


def counted(number: int, noun: str) -> str:
    """`1 fault`, `2 faults`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A question that names the closest of the known words, or None where none is close."""
    known = list(known)
    begun = [name for name in known if word and name.startswith(word)]
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6) or begun
    return f"did you mean {close[0]}?" if close else None


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    *most, last = list(words) or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last
