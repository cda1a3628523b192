"""What one key of platform.toml is: the vocabulary in which the table of all keys is written.

Reading, the JSON Schema, the reference and `platform explain` all work from that table, so none can say otherwise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from platform_sdk.deploy.document import REQUIRED, Form, Required


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from `low` to `high`; `legal` names the few that are legal, and `or_zero` lets 0 mean "off"."""

    low: int
    high: int
    legal: tuple[int, ...] = ()
    or_zero: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or not, from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Text:
    form: Form


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts; `unique` where none may stand twice."""

    form: Form
    may_be_empty: bool = False
    unique: bool = False


Kind = Integer | Number | Boolean | Text | Choice | Texts
Default = Required | bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key, or with the name `*` every key of a table whose names the team chooses.

    Args:
        example: its value as TOML.
        default: None where there is none, or where it follows from other keys; `default_text` then says how.
        becomes: the property of AWS that it sets, as completes "Becomes: …".
    """

    name: str
    kind: Kind
    meaning: str
    example: str
    default: Default = REQUIRED
    default_text: str = ""
    becomes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """A table: one, a list of them (`[[tasks]]`), or one for each name that the team chooses (`[queues.orders]`)."""

    name: str
    meaning: str
    keys: "tuple[Key | Group, ...]" = ()
    form: Literal["table", "list", "named"] = "table"
    required: bool = False
    names: Form | None = None
    example: str = ""
    """The name that the reference chooses, of a group with names of the team's."""

    def members(self) -> "Mapping[str, Key | Group]":
        return _members(self)


@cache
def _members(group: Group) -> Mapping[str, Key | Group]:
    return {member.name: member for member in group.keys}


ANY_NAME: Final = "*"


def walk(group: Group, path: str = "") -> "Iterator[tuple[str, Key | Group]]":
    """Every key and table by its dotted path, such as `queues.*.consumes`, in the order of the table."""
    for member in group.keys:
        own = f"{path}.{member.name}" if path else member.name
        yield own, member
        if isinstance(member, Group):
            yield from walk(member, f"{own}.{ANY_NAME}" if member.form == "named" else own)
