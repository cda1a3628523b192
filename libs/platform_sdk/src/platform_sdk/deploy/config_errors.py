"""Errors in files that a person wrote. All are collected before any is raised."""

import bisect
import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from platform_sdk.errors import PlatformError


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigError:
    """One mistake in a file.

    `line` is 1-based, and None if it concerns the whole file; `key` is dotted, as in TOML.
    """

    file: str
    line: int | None
    key: str | None
    reason: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        text = self.reason if self.suggestion is None else f"{self.reason}; {self.suggestion}"
        return visible(": ".join(part for part in (place, self.key, text) if part))


def visible(text: str) -> str:
    """Escape control characters: a text from a file must not control the terminal that it is printed on."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class InvalidConfiguration(PlatformError):
    """Files that cannot be used; `errors` holds every reason, in the order of the files' lines."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(
            sorted(set(errors), key=lambda error: (error.file, error.line or 0, error.key or "", error.reason))
        )
        files = len({error.file for error in self.errors})
        super().__init__(
            f"{counted(len(self.errors), 'mistake')} in {counted(files, 'file')}",
            hint="`platform explain KEY` shows what a key does",
        )

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class InvalidManifest(InvalidConfiguration):
    """platform.toml files that cannot be used."""


def error_document(error: PlatformError) -> dict[str, object]:
    """Return the error for programs. If files are wrong, `errors` has the lines that a person would see."""
    document: dict[str, object] = {
        "kind": type(error).__name__,
        "what": error.what,
        "because": error.because,
        "hint": error.hint,
    }
    return document | ({"errors": str(error).splitlines()} if isinstance(error, InvalidConfiguration) else {})


def counted(number: int, noun: str) -> str:
    """Return a count in words: `1 mistake`, `2 mistakes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a question that names the closest of the known words, or None if none is close."""
    known = list(known)
    begun = [name for name in known if word and name.startswith(word)]
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6) or begun
    return f"did you mean {close[0]}?" if close else None


def listed(words: Iterable[str]) -> str:
    """Return `a, b and c`."""
    *most, last = list(words) or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last


# The line of each key of a TOML text, which tomllib does not keep.
#
# Only for text that tomllib has accepted: the walk below does not check the syntax again.

TomlPath = tuple[str | int, ...]

_TRIVIA = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'  # a multi-line string may end in up to two quotation marks of its own
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def line_index(text: str) -> Mapping[TomlPath, int]:
    """Return the 1-based line of every table, key and array element, by path: `("queues", "orders", "consumes", 0)`."""
    walk = _Walk(text)
    walk.document()
    return walk.lines


def moved_lines(lines: Mapping[TomlPath, int], written: Mapping[TomlPath, TomlPath]) -> dict[TomlPath, int]:
    """Return the lines of an overlaid document: a replaced value has the line of what replaces it."""
    origins = {origin: path for path, origin in written.items()}
    moved: dict[TomlPath, int] = {}
    for path, line in lines.items():
        heads = [path[:end] for end in range(1, len(path) + 1)]
        origin = next((head for head in heads if head in origins), None)
        if origin is not None:
            moved[(*origins[origin], *path[len(origin) :])] = line
        elif not any(head in written for head in heads):
            moved.setdefault(path, line)
    return moved


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.newlines = [match.start() for match in re.finditer("\n", text)]
        self.lines: dict[TomlPath, int] = {}
        self.last_of_array: dict[TomlPath, int] = {}

    def document(self) -> None:
        table: TomlPath = ()
        while not self.at_end():
            table = self.header() if self.looking_at("[") else self.pair(table)

    def header(self) -> TomlPath:
        """Read `[a.b]` or `[[a.b]]`; return the path of the pairs that follow."""
        line = self.line()
        is_array = self.text.startswith("[[", self.position)
        self.position += 2 if is_array else 1
        path: TomlPath = ()
        keys = list(self.dotted_key())
        for depth, key in enumerate(keys, 1):
            path += (key,)
            if is_array and depth == len(keys):
                self.last_of_array[path] = self.last_of_array.get(path, -1) + 1
            self.lines.setdefault(path, line)
            if path in self.last_of_array:
                path += (self.last_of_array[path],)
        self.lines[path] = line
        self.position += 2 if is_array else 1
        return path

    def pair(self, table: TomlPath) -> TomlPath:
        """Read `a.b = value`; return the same table."""
        line = self.line()
        path = table
        for key in self.dotted_key():
            path += (key,)
            self.lines.setdefault(path, line)
        self.position += 1  # the equals sign, at which the key ended
        self.value(path)
        return table

    def dotted_key(self) -> Iterator[str]:
        while True:
            self.skip(_TRIVIA)
            quoted = _STRING.match(self.text, self.position)
            raw = self.skip(_STRING if quoted else _BARE_KEY)
            yield tomllib.loads(f"key = {raw}")["key"] if quoted else raw
            self.skip(_TRIVIA)
            if not self.looking_at("."):
                return
            self.position += 1

    def value(self, path: TomlPath) -> None:
        self.skip(_TRIVIA)
        if self.looking_at("["):
            self.array(path)
        elif self.looking_at("{"):
            self.inline_table(path)
        else:
            self.skip(_STRING if self.text[self.position] in "\"'" else _BARE_VALUE)

    def array(self, path: TomlPath) -> None:
        self.position += 1
        for index in self.items("]"):
            self.lines[(*path, index)] = self.line()
            self.value((*path, index))

    def inline_table(self, path: TomlPath) -> None:
        self.position += 1
        for _ in self.items("}"):
            self.pair(path)

    def items(self, end: str) -> Iterator[int]:
        """Move to each item in turn, and behind the closing bracket after the last."""
        index = 0
        while not (self.skip(_TRIVIA), self.looking_at(end))[1]:
            yield index
            index += 1
            self.skip(_TRIVIA)
            if self.looking_at(","):
                self.position += 1
        self.position += 1

    def at_end(self) -> bool:
        self.skip(_TRIVIA)
        return self.position >= len(self.text)

    def looking_at(self, mark: str) -> bool:
        return self.text.startswith(mark, self.position)

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        assert match is not None, f"tomllib accepted the text at offset {self.position}"
        self.position = match.end()
        return match.group()

    def line(self) -> int:
        return bisect.bisect_left(self.newlines, self.position) + 1
