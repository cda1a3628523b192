"""A TOML file that a person wrote, read key by key; every fault is noted with its line and reading goes on.

A reader asks a `Table` for the keys that it knows. What nobody asked for is an unknown key, so the reader is the one
description of what the file may hold. A faulty value is replaced by a placeholder of its type: the reader needs no
second path, and whoever combines values asks `is_sound` first. `Document.refuse_faults` ends it.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from platform_sdk.deploy.faults import Fault, InvalidConfiguration, did_you_mean, listed
from platform_sdk.deploy.toml_lines import TomlPath, line_index

D = TypeVar("D")


class Required:
    """The default of a key without default."""


REQUIRED: Final = Required()


@dataclass(frozen=True, slots=True)
class Form:
    """What a text may look like; `description` completes "must be …"."""

    pattern: re.Pattern[str]
    description: str

    def fits(self, text: str) -> bool:
        return self.pattern.fullmatch(text) is not None


ANY_TEXT: Final = Form(re.compile(r"[^\x00]+"), "a text that is not empty")

NAMES_OF_TYPES: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    list: "a list",
    dict: "a table",
}


def name_of_type(value: object) -> str:
    return NAMES_OF_TYPES.get(type(value), "a date or time")


@dataclass(slots=True)
class Document:
    """One file: its values, the lines of its keys, and the faults found so far."""

    file: str
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[TomlPath, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    tables: list["Table"] = field(default_factory=list)
    faulty: set[TomlPath] = field(default_factory=set)
    readable: bool = True

    def root(self) -> "Table":
        """The file's outermost table; of a file that could not be read, nothing is reported as missing."""
        return self.open((), self.values, absent=not self.readable)

    def open(self, path: TomlPath, values: Mapping[str, Any], *, absent: bool = False) -> "Table":
        table = Table(self, path, values, absent=absent)
        self.tables.append(table)
        return table

    def fault(
        self, path: TomlPath, reason: str, suggestion: str | None = None, *, beside: TomlPath | None = None
    ) -> None:
        """Notes a fault at the path; its line is that of `beside`, or of the nearest place that the file does have."""
        place = beside or path
        line = next((self.lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in self.lines), None)
        self.faulty.add(path)
        self.faults.append(
            Fault(file=self.file, line=line, key=dotted(path) or None, reason=reason, suggestion=suggestion)
        )

    def is_sound(self, *path: str | int) -> bool:
        """Whether the file could be read and nothing at or below the path is at fault."""
        return self.readable and not any(faulty[: len(path)] == path for faulty in self.faulty)

    def reject_unknown_keys(self) -> None:
        for table in self.tables:
            table.reject_unknown_keys()

    def known_keys(self) -> set[str]:
        """Every key that a reader has asked for, dotted, with `*` for names that the team chooses."""
        return {
            dotted((*table.path, key))
            for table in self.tables
            for key in ({"*"} if "*" in table.known else table.known)
        }

    def refuse_faults(self, error: type[InvalidConfiguration]) -> None:
        if self.faults:
            raise error(self.faults)


class Table:
    """One table of a document; every method notes the key as known and never raises."""

    def __init__(self, document: Document, path: TomlPath, values: Mapping[str, Any], *, absent: bool) -> None:
        self.document = document
        self.path = path
        self.values = values
        self.absent = absent
        self.known: set[str] = set()

    def fault(self, key: str | tuple[str | int, ...], reason: str, suggestion: str | None = None) -> None:
        self.document.fault((*self.path, *((key,) if isinstance(key, str) else key)), reason, suggestion)

    def are_sound(self, *keys: str) -> bool:
        return not self.absent and all(self.document.is_sound(*self.path, key) for key in keys)

    def integer(self, key: str, *, legal: range | None = None, default: D | Required = REQUIRED) -> int | D:
        value = self._value(key, int, default)
        if value is None:
            return 0 if isinstance(default, Required) else default
        if legal is not None and value not in legal:
            self.fault(key, f"{value} is outside {legal.start} to {legal.stop - 1}")
        return int(value)

    def text(self, key: str, form: Form = ANY_TEXT, *, default: D | Required = REQUIRED) -> str | D:
        value = self._value(key, str, default)
        if value is None:
            return "" if isinstance(default, Required) else default
        if not form.fits(value):
            self.fault(key, f"must be {form.description}")
        return str(value)

    def choice(self, key: str, legal: Sequence[str], *, default: str | Required = REQUIRED) -> str:
        value = self._value(key, str, default)
        if value is None:
            return legal[0] if isinstance(default, Required) else default
        if value not in legal:
            self.fault(key, f"must be one of {listed(map(quoted, legal))}", did_you_mean(value, legal))
            return legal[0]
        return str(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        value = self._value(key, bool, default)
        return default if value is None else bool(value)

    def texts(
        self, key: str, form: Form = ANY_TEXT, *, may_be_empty: bool = False, default: D | Required = REQUIRED
    ) -> tuple[str, ...] | D:
        """A list of texts, in the order of the file."""
        value = self._value(key, list, default)
        if value is None:
            return () if isinstance(default, Required) else default
        if not value and not may_be_empty:
            self.fault(key, "must not be empty")
        return tuple(self._elements(key, value, form))

    def _elements(self, key: str, elements: list[object], form: Form) -> Iterator[str]:
        for index, element in enumerate(elements):
            if not isinstance(element, str):
                self.fault((key, index), f"must be a text in quotes, not {name_of_type(element)}")
            elif not form.fits(element):
                self.fault((key, index), f"must be {form.description}")
            else:
                yield element

    def table(self, key: str) -> "Table":
        """A table that must be there; where it is missing, one fault stands for all that it should hold."""
        return self.optional_table(key) or self._missing_table(key)

    def _missing_table(self, key: str) -> "Table":
        if key not in self.values and not self.absent:
            self.fault(key, f"the table [{dotted((*self.path, key))}] is missing")
        return self.document.open((*self.path, key), {}, absent=True)

    def optional_table(self, key: str) -> "Table | None":
        value = self._value(key, dict, None)
        return None if value is None else self.document.open((*self.path, key), value)

    def names(self, form: Form) -> Iterator[str]:
        """The keys of a table whose names the team chooses."""
        self.known.add("*")
        for name in self.values:
            if not form.fits(name):
                self.fault(name, f"the name must be {form.description}")
            yield name

    def reject_unknown_keys(self) -> None:
        if "*" in self.known:
            return
        for key, value in self.values.items():
            if key not in self.known:
                kind = "table" if isinstance(value, dict) else "key"
                known = did_you_mean(key, self.known) or f"known here: {listed(sorted(self.known))}"
                self.fault(key, f"unknown {kind}", known)

    def _value(self, key: str, kind: type, default: object) -> Any:
        """The value where it is there and of its type; else None, with the fault noted."""
        self.known.add(key)
        if key not in self.values:
            if isinstance(default, Required) and not self.absent:
                self.fault(key, "is missing")
            return None
        value = self.values[key]
        if type(value) is kind:
            return value
        self.fault(key, f"must be {NAMES_OF_TYPES[kind]}, not {name_of_type(value)}", conversion(value, kind))
        return None


def conversion(value: object, kind: type) -> str | None:
    """How to write the value in the type that is wanted, where that is plain. What may be a secret is not repeated."""
    if kind is int and isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        return f"did you mean {int(value)}, without quotes?"
    if kind is str and type(value) in (int, float):
        return "put it in quotes"
    if kind is list and isinstance(value, str):
        return "put it in brackets"
    return None


def quoted(text: str) -> str:
    return f'"{text}"'


_BARE_KEY = re.compile(r"[A-Za-z0-9_*-]+")


def dotted(path: Iterable[str | int]) -> str:
    """The path as TOML writes it: `publishes."order.placed"`, `queues.orders.consumes[0]`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            step = step if _BARE_KEY.fullmatch(step) else quoted(step.encode("unicode_escape").decode())
            written += f".{step}" if written else step
    return written


def read_document(path: Path, file: str) -> Document:
    """Reads and parses a file; `file` is its name in faults. Whatever stands at the path, nothing is raised."""
    document = Document(file)
    try:
        text = path.read_bytes().decode()
        document.values = tomllib.loads(text)
        document.lines = line_index(text.replace("\r\n", "\n"))
    except FileNotFoundError:
        _unreadable(document, None, "there is no such file")
    except OSError as error:
        _unreadable(document, None, f"cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        _unreadable(document, None, f"is not UTF-8 text: byte {error.start} cannot be decoded")
    except tomllib.TOMLDecodeError as error:
        _unreadable(document, *_place_of(str(error)))
    except (ValueError, RecursionError):
        # tomllib lets a number with thousands of digits and endless nesting through as what they are to Python.
        _unreadable(document, None, "is not TOML that can be read: a number is too long, or the nesting too deep")
    return document


def _unreadable(document: Document, line: int | None, reason: str) -> None:
    document.readable = False
    document.values = {}
    document.faults.append(Fault(file=document.file, line=line, key=None, reason=reason))


def _place_of(message: str) -> tuple[int | None, str]:
    """tomllib says where in words: `Invalid value (at line 3, column 7)`, or `(at end of document)`."""
    match = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if match is None:
        return None, f"is not TOML: {message}"
    return int(match[1]), f"is not TOML: {message[: match.start()]} at column {match[2]}"
