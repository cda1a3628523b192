"""A table of platform.toml, read by what the table of keys says of it: types, ranges and defaults stand there alone."""

from collections.abc import Iterator
from functools import cache
from typing import TypeVar

from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.manifest.keys import ANY_NAME, ROOT
from platform_sdk.deploy.manifest.keys.key import Boolean, Choice, Group, Integer, Key, Number, Text, Texts
from platform_sdk.deploy.toml_document import REQUIRED, Document, Required, Table, dotted

D = TypeVar("D", int, str)
K = TypeVar("K", Integer, Number, Boolean, Text, Choice, Texts)


class Described:
    """Asks a Table for keys; like the Table it never raises, and answers placeholders for what is wrong."""

    def __init__(self, table: Table, group: Group) -> None:
        self.table = table
        self.group = group
        table.examples = examples_of(group, dotted(step for step in table.path if isinstance(step, str)))

    def error(self, key: str | tuple[str | int, ...], reason: str, suggestion: str | None = None) -> None:
        self.table.error(key, reason, suggestion)

    def are_sound(self, *keys: str) -> bool:
        return self.table.are_sound(*keys)

    def says(self, key: str) -> bool:
        return key in self.table.values

    def has_default(self, key: str) -> bool:
        return not isinstance(self._key(key).default, Required)

    def is_overridden(self, key: str) -> bool:
        """Whether what counts is said in the environment's part of the file."""
        path = (*self.table.path, key)
        return self.table.document.place_of(path) != path

    def integer(self, key: str) -> int:
        return self._integer(key, self._default(key, int, 0))

    def optional_integer(self, key: str) -> int | None:
        """None where the key is left out and has no default of its own."""
        return self._integer(key, None) if self.table.knows(key) else None

    def target(self, key: str) -> int | None:
        """A number of which 0 says that there is none."""
        return self.integer(key) or None

    def number(self, key: str) -> float:
        if isinstance(self._key(key).kind, Integer):
            return self.integer(key)
        kind, default = self._kind(key, Number), self._key(key).default
        assert isinstance(default, int | float), f"{key} has a default"
        return self.table.number(key, kind.low, kind.high, default=default)

    def boolean(self, key: str) -> bool:
        self._kind(key, Boolean)
        return self.table.boolean(key, default=bool(self._key(key).default))

    def text(self, key: str) -> str:
        return self.table.text(key, self._kind(key, Text).form, default=self._default(key, str, ""))

    def text_or_default(self, key: str) -> str | None:
        """Of a key that may be missing; None where it has no default either."""
        default = self._key(key).default
        return self.table.text(key, self._kind(key, Text).form, default=default if isinstance(default, str) else None)

    def choice(self, key: str) -> str:
        return self.table.choice(key, self._kind(key, Choice).values, default=self._default(key, str, ""))

    def texts(self, key: str) -> tuple[str, ...]:
        return self._texts(key, REQUIRED) or ()

    def optional_texts(self, key: str) -> tuple[str, ...] | None:
        return self._texts(key, None)

    def part(self, key: str) -> "Described":
        """The table of the name; where it is missing, its keys have their defaults, or one error stands for them."""
        group = self._group(key)
        if group.required:
            return Described(self.table.table(key), group)
        return self.present(key) or Described(self.table.absent_table(key), group)

    def present(self, key: str) -> "Described | None":
        table = self.table.optional_table(key)
        return None if table is None else Described(table, self._group(key))

    def parts(self, key: str) -> "Iterator[Described]":
        """The tables of a list, or of a table with names of the team's."""
        group = self._group(key)
        if group.form == "list":
            yield from (Described(table, group) for table in self.table.tables(key))
            return
        named = self.table.optional_table(key)
        if named is None or group.names is None:
            return
        named.examples = {ANY_NAME: f"[{key}.{group.example}]"}
        for name in named.names(group.names):
            table = named.optional_table(name)
            if table is not None:
                yield Described(table, group)

    def names(self) -> Iterator[str]:
        """The keys that the team has chosen, each wrong if it may not be called so."""
        assert self.group.names is not None, f"the names in {self.group.name} are given"
        return self.table.names(self.group.names)

    def _integer(self, key: str, default: int | Required | None) -> int:
        kind = self._kind(key, Integer)
        is_off = kind.or_zero and self.table.values.get(key) == 0
        legal = None if kind.legal or is_off else range(kind.low, kind.high + 1)
        value = self.table.integer(key, legal=legal, default=default)
        return kind.low if value is None else value

    def _texts(self, key: str, default: Required | None) -> tuple[str, ...] | None:
        """A list; where the key says so, nothing may stand in it twice."""
        kind = self._kind(key, Texts)
        values = self.table.texts(key, kind.form, may_be_empty=kind.may_be_empty, default=default)
        twice = sorted({value for value in values or () if kind.unique and (values or ()).count(value) > 1})
        if twice:
            self.error(key, f"{listed(twice)} is listed twice", "remove one")
        return values

    def _key(self, name: str) -> Key:
        members = self.group.members()
        found = members.get(name) or members[ANY_NAME]
        assert isinstance(found, Key), f"{name} is a key"
        return found

    def _group(self, name: str) -> Group:
        found = self.group.members()[name]
        assert isinstance(found, Group), f"{name} is a table"
        return found

    def _kind(self, name: str, kind: type[K]) -> K:
        found = self._key(name).kind
        assert isinstance(found, kind), f"{name} is read as what it is"
        return found

    def _default(self, name: str, kind: type[D], placeholder: D) -> D | Required:
        default = self._key(name).default
        return default if isinstance(default, (kind, Required)) else placeholder


@cache
def examples_of(group: Group, path: str) -> dict[str, str]:
    """An assignment, or the head of a table, for each key of the group, which stands at the path."""
    return {name: example_of(member, group, path) for name, member in group.members().items()}


def example_of(member: Key | Group, group: Group, path: str) -> str:
    if isinstance(member, Key):
        return f"{group.example if member.name == ANY_NAME else member.name} = {member.example}"
    own = f"{path}.{member.name}" if path else member.name
    head = f"[[{own}]]" if member.form == "list" else f"[{own}]"
    required = [key.name for key in member.keys if isinstance(key, Key) and isinstance(key.default, Required)]
    return f"{head} with {listed(required)}" if required else head


def described(document: Document) -> Described:
    return Described(document.root(), ROOT)
