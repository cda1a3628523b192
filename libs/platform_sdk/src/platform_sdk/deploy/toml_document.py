"""Read a TOML file key by key. Errors are collected with their lines, and reading continues.

A reader gets the keys that it knows from a `Table`. All other keys are errors, so the reader alone defines what a file
may have. A wrong value is replaced by a placeholder of its type, so that the reader needs no second path; code that
combines values calls `is_sound` first. At the end, `Document.raise_errors` raises all errors.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from platform_sdk.deploy.config_errors import (
    ConfigError,
    InvalidConfiguration,
    TomlPath,
    did_you_mean,
    line_index,
    listed,
    moved_lines,
)

D = TypeVar("D")


class Required:
    """The default of a key without default."""


REQUIRED: Final = Required()


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a text; `description` completes "must be …"."""

    pattern: re.Pattern[str]
    description: str
    lengths: tuple[int, int] | None = None

    def fits(self, text: str) -> bool:
        """Return whether the whole text matches the pattern, and its length is allowed."""
        low, high = self.lengths or (0, len(text))
        return low <= len(text) <= high and self.pattern.fullmatch(text) is not None


ANY_TEXT: Final = Form(re.compile(r"[^\x00]+"), "a text that is not empty")

NAMES_OF_TYPES: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    list: "a list",
    dict: "a table",
}


def _name_of_type(value: object) -> str:
    return NAMES_OF_TYPES.get(type(value), "a date or time")


@dataclass(slots=True)
class Document:
    """One file: its values, the lines of its keys, and the errors found so far.

    `written` maps a path to the path that the file has for it, where those differ: see `overlaid`.
    """

    file: str
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[TomlPath, int] = field(default_factory=dict)
    written: Mapping[TomlPath, TomlPath] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)
    tables: list["Table"] = field(default_factory=list)
    error_paths: set[TomlPath] = field(default_factory=set)
    readable: bool = True

    def root(self) -> "Table":
        """Return the outermost table. If the file could not be read, nothing is reported as missing."""
        return self.open((), self.values, absent=not self.readable)

    def open(self, path: TomlPath, values: Mapping[str, Any], *, absent: bool = False) -> "Table":
        """Return a reader of one table, remembered so that its unknown keys can be reported."""
        table = Table(self, path, values, absent=absent)
        self.tables.append(table)
        return table

    def error(
        self, path: TomlPath, reason: str, suggestion: str | None = None, *, beside: TomlPath | None = None
    ) -> None:
        """Add an error at the path, unless there is one already.

        Its line is that of `beside`, or of the nearest part of the path that the file has.
        """
        if path in self.error_paths:
            return
        self.error_paths.add(path)
        key = dotted(self.place_of(path)) or None
        self.errors.append(
            ConfigError(file=self.file, line=self.line(beside or path), key=key, reason=reason, suggestion=suggestion)
        )

    def place_of(self, path: TomlPath) -> TomlPath:
        """Return the path that the file has for this one."""
        heads = (path[:end] for end in range(len(path), 0, -1))
        head = next((head for head in heads if head in self.written), ())
        return (*self.written.get(head, ()), *path[len(head) :])

    def line(self, path: TomlPath) -> int | None:
        """Return the line of a path, or of the closest table around it; None if the text could not be parsed."""
        heads = (path[:end] for end in range(len(path), 0, -1))
        return next((self.lines[head] for head in heads if head in self.lines), 1 if self.lines else None)

    def is_sound(self, *path: str | int) -> bool:
        """Return whether the file could be read and has no error at or below the path."""
        return self.readable and not any(wrong[: len(path)] == path for wrong in self.error_paths)

    def reject_unknown_keys(self) -> None:
        """Report the keys that no reader asked for. Call it when everything is read."""
        for table in self.tables:
            table.reject_unknown_keys()

    def overlaid(self, layer: TomlPath) -> "Document":
        """Return the same file with its table `layer` merged over the rest, and without that table."""
        values = {key: value for key, value in self.values.items() if key != layer[0]}
        document = Document(self.file, values, dict(self.lines), readable=self.readable, errors=list(self.errors))
        over = _value_at(self.values, layer)
        if isinstance(over, dict):
            over = {key: value for key, value in over.items() if key != layer[0]}
            document.values, document.written = _overlay(values, over, layer)
            document.lines = moved_lines(self.lines, document.written)
        return document

    def raise_errors(self, error: type[InvalidConfiguration]) -> None:
        """Raise the error with every reason, if anything was reported."""
        if self.errors:
            raise error(self.errors)


def _value_at(values: Mapping[str, Any], path: TomlPath) -> object:
    value: object = values
    for step in path:
        value = value.get(str(step)) if isinstance(value, dict) else None
    return value


def _overlay(
    base: Mapping[str, Any], over: Mapping[str, Any], layer: TomlPath, path: TomlPath = ()
) -> tuple[dict[str, Any], dict[TomlPath, TomlPath]]:
    """Merge tables key by key and replace everything else. Return also where the file has what was replaced."""
    merged, written = dict(base), {}
    for key, value in over.items():
        own = (*path, key)
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key], deeper = _overlay(below, value, layer, own)
            written.update(deeper)
        else:
            merged[key] = value
            written[own] = (*layer, *own)
    return merged, written


class Table:
    """One table of a document. Every method adds the key to `known`, and none raises."""

    def __init__(self, document: Document, path: TomlPath, values: Mapping[str, Any], *, absent: bool) -> None:
        self.document = document
        self.path = path
        self.values = values
        self.absent = absent
        self.known: set[str] = set()
        self.examples: Mapping[str, str] = {}
        """Assignments such as `cpu = 512`, by key."""

    def error(self, key: str | tuple[str | int, ...], reason: str, suggestion: str | None = None) -> None:
        self.document.error((*self.path, *((key,) if isinstance(key, str) else key)), reason, suggestion)

    def example(self, key: str) -> str | None:
        """Return a suggestion. The example named `*` is for tables in which the team chooses the names."""
        written = self.examples.get(key) or self.examples.get("*")
        return f"for example {written}" if written else None

    def are_sound(self, *keys: str) -> bool:
        return not self.absent and all(self.document.is_sound(*self.path, key) for key in keys)

    def is_sound(self) -> bool:
        return self.document.is_sound(*self.path)

    def is_overridden(self, key: str) -> bool:
        """Return whether the value comes from the part of the file that was merged over the rest."""
        path = (*self.path, key)
        return self.document.place_of(path) != path

    def integer(self, key: str, *, legal: range | None = None, default: D | Required = REQUIRED) -> int | D:
        """Read an integer and report one outside `legal`. After a mistake, return a value to continue with."""
        value = self._value(key, int, default)
        if value is None:
            return 0 if isinstance(default, Required) else default
        if legal is not None and value not in legal:
            closest = legal.start if value < legal.start else legal.stop - 1
            self.error(key, f"{value} is outside {legal.start} to {legal.stop - 1}", f"did you mean {closest}?")
        return int(value)

    def number(self, key: str, low: float, high: float, *, default: float) -> float:
        """Read an integer or a float and report one outside the limits, which are both included."""
        value = self.values.get(key)
        kind = int if type(value) is int else float
        value = self._value(key, kind, default)
        if value is None:
            return default
        if not low <= value <= high:
            self.error(key, f"{value} is outside {low} to {high}", self.example(key))
        return float(value)

    def text(self, key: str, form: Form = ANY_TEXT, *, default: D | Required = REQUIRED) -> str | D:
        """Read a text and report one that does not have the form. A required text that is missing reads as ""."""
        value = self._value(key, str, default)
        if value is None:
            return "" if isinstance(default, Required) else default
        if not form.fits(value):
            self.error(key, f"must be {form.description}", self.example(key))
        return str(value)

    def choice(self, key: str, legal: Sequence[str], *, default: str | Required = REQUIRED) -> str:
        """Read one of a few words and report another with the closest. After a mistake, return the first word."""
        value = self._value(key, str, default)
        if value is None:
            return legal[0] if isinstance(default, Required) else default
        if value not in legal:
            meant = did_you_mean(value, legal) or f'for example {dotted((key,))} = "{legal[0]}"'
            self.error(key, f"must be one of {listed(map(_quoted, legal))}", meant)
            return legal[0]
        return str(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        """Read true or false. After a mistake, return the default."""
        value = self._value(key, bool, default)
        return default if value is None else bool(value)

    def texts(
        self, key: str, form: Form = ANY_TEXT, *, may_be_empty: bool = False, default: D | Required = REQUIRED
    ) -> tuple[str, ...] | D:
        """Return a list of texts, in the order of the file."""
        value = self._value(key, list, default)
        if value is None:
            return () if isinstance(default, Required) else default
        if not value and not may_be_empty:
            self.error(key, "must not be empty", self.example(key))
        return tuple(self._elements(key, value, form))

    def _elements(self, key: str, elements: list[object], form: Form) -> Iterator[str]:
        for index, element in enumerate(elements):
            if not isinstance(element, str):
                reason = f"must be a text in quotes, not {_name_of_type(element)}"
                self.error((key, index), reason, conversion(element, str) or self.example(key))
            elif not form.fits(element):
                self.error((key, index), f"must be {form.description}", self.example(key))
            else:
                yield element

    def table(self, key: str) -> "Table":
        """Return a required table. If it is missing, there is one error, and none for its keys."""
        if key not in self.values and not self.absent:
            self.error(key, f"the table [{dotted((*self.path, key))}] is missing", self.example(key))
        return self.table_or_defaults(key)

    def table_or_defaults(self, key: str) -> "Table":
        """Return an optional table; if it is missing, an empty one, so that every key has its default."""
        return self.optional_table(key) or self.document.open((*self.path, key), {}, absent=True)

    def knows(self, key: str) -> bool:
        """Return whether the file has the key."""
        self.known.add(key)
        return key in self.values

    def optional_table(self, key: str) -> "Table | None":
        """Return a reader of the table below this one; None if the file does not have it."""
        value = self._value(key, dict, None)
        return None if value is None else self.document.open((*self.path, key), value)

    def tables(self, key: str) -> "Iterator[Table]":
        """Yield the tables of a list, `[[key]]`."""
        value = self._value(key, list, None)
        for index, element in enumerate(value or ()):
            if isinstance(element, dict):
                yield self.document.open((*self.path, key, index), element)
            else:
                self.error((key, index), f"must be a table, not {_name_of_type(element)}", f"write [[{key}]]")

    def names(self, form: Form) -> Iterator[str]:
        """Yield the keys of a table in which the team chooses the names."""
        self.known.add("*")
        for name in self.values:
            if not form.fits(name):
                self.error(name, f"the name must be {form.description}", self.example("*"))
            yield name

    def reject_unknown_keys(self) -> None:
        """Report the keys of this table that no reader asked for, with the closest known word."""
        if "*" in self.known:
            return
        for key, value in self.values.items():
            if key not in self.known:
                kind = "table" if isinstance(value, dict) else "key"
                known = sorted(self.known)  # so that of two equally close words, the suggestion is always the same
                others = f"known here: {listed(known)}" if known else "remove it"
                self.error(key, f"unknown {kind}", did_you_mean(key, known) or others)

    def _value(self, key: str, kind: type, default: object) -> Any:
        """Return the value if it is there and has the type; else None, after adding the error."""
        self.known.add(key)
        if key not in self.values:
            if isinstance(default, Required) and not self.absent:
                self.error(key, "is missing", self.example(key))
            return None
        value = self.values[key]
        if type(value) is int and abs(value) >= 2**63:
            # TOML promises 64 bits, and Python refuses to print numbers of thousands of digits.
            self.error(key, "is too large a number", self.example(key))
            return None
        if type(value) is kind:
            return value
        suggestion = conversion(value, kind) or self.example(key)
        self.error(key, f"must be {NAMES_OF_TYPES[kind]}, not {_name_of_type(value)}", suggestion)
        return None


def conversion(value: object, kind: type) -> str | None:
    """Suggest how to write the value in the right type, if that is clear. Never repeats what may be a secret."""
    if kind is int and isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        return f"did you mean {int(value)}, without quotes?"
    if kind is str and type(value) in (int, float):
        return "put it in quotes"
    if kind is list and isinstance(value, str):
        return "put it in brackets"
    return None


def _quoted(text: str) -> str:
    return f'"{text}"'


_BARE_KEY = re.compile(r"[A-Za-z0-9_*-]+")


def dotted(path: Iterable[str | int]) -> str:
    """Return the path as TOML writes it: `publishes."order.placed"`, `queues.orders.consumes[0]`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            step = step if _BARE_KEY.fullmatch(step) else _quoted(step.encode("unicode_escape").decode())
            written += f".{step}" if written else step
    return written


def read_document(path: Path, file: str) -> Document:
    """Read and parse a file; `file` is its name in errors. Whatever is at the path, nothing is raised."""
    try:
        return parse_document(path.read_bytes(), file)
    except FileNotFoundError:
        return _unreadable(Document(file), None, "there is no such file")
    except OSError as error:
        return _unreadable(Document(file), None, f"cannot be read: {error.strerror or error}")


def parse_document(content: bytes, file: str) -> Document:
    """Parse TOML and find the line of each key. What cannot be parsed is reported, not raised."""
    document = Document(file)
    try:
        text = content.decode()
        document.values = tomllib.loads(text)
        document.lines = line_index(text.replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        _unreadable(document, None, f"is not UTF-8 text: byte {error.start} cannot be decoded")
    except tomllib.TOMLDecodeError as error:
        _unreadable(document, *_place_of(str(error)))
    except (ValueError, RecursionError):
        # tomllib passes on what Python raises for a number of thousands of digits, and for endless nesting.
        _unreadable(document, None, "is not TOML that can be read: a number is too long, or the nesting too deep")
    return document


def _unreadable(document: Document, line: int | None, reason: str) -> Document:
    document.readable, document.values = False, {}
    document.errors.append(ConfigError(file=document.file, line=line, key=None, reason=reason))
    return document


def _place_of(message: str) -> tuple[int | None, str]:
    """Return line and reason of a message such as `Invalid value (at line 3, column 7)`."""
    match = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if match is None:
        return None, f"is not TOML: {message}"
    return int(match[1]), f"is not TOML: {message[: match.start()]} at column {match[2]}"
