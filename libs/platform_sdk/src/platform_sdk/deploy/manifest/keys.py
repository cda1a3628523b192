"""How a key of platform.toml is declared: as a field of a frozen type, whose docstring says what the key means.

    interval_seconds: int = key(Integer(5, 300), default=10, becomes="`HealthCheckIntervalSeconds` of …")
    \"""Seconds from one check to the next.\"""

That is all there is to write down. The reader (`reader.py`), the JSON Schema, `platform reference` and
`platform explain` all work from the fields, so they cannot disagree.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal, ParamSpec

from platform_sdk.deploy.toml_document import REQUIRED, Form, Required, Table

P = ParamSpec("P")

ANY_NAME: Final = "*"
"""The one key of a table in which the team chooses the names, such as `[environment]`."""


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
    """A list of texts; `unique` where none may occur twice."""

    form: Form
    may_be_empty: bool = False
    unique: bool = False


Kind = Integer | Number | Boolean | Text | Choice | Texts


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One key.

    Args:
        default: a value, or a function of the values that are read before it: those of the same table and, where that
            has none of the name, those of the whole file.
        default_text: how the default follows from other keys.
        example: its value as TOML; the default, unless given.
        becomes: the property of AWS that it sets, as completes "Becomes: …".
        meaning: only where there is no field that could have a docstring.
    """

    kind: Kind
    _: KW_ONLY
    default: Any = REQUIRED
    default_text: str = ""
    example: str = ""
    becomes: str = ""
    meaning: str = ""

    @property
    def is_required(self) -> bool:
        return isinstance(self.default, Required)

    @property
    def assigned(self) -> str:
        """What the example assigns, as TOML."""
        return self.example or written(self.default)


@dataclass(frozen=True, eq=False)
class Group:
    """A table: one, a list of them (`[[tasks]]`), or one for each name that the team chooses (`[queues.orders]`).

    Args:
        of: the type that it is read into and that declares its keys; or, to read it into a mapping, its keys by name.
            Of a mapping in which the team chooses the names, `ANY_NAME` is the only key.
        is_optional: the table is read as None where the file does not have it. Others are read with their defaults.
        names: what the team may choose as a name, and `example` the one that the reference chooses.
        before: notes mistakes before anything is read: what is better said than that a value has no legal form.
        check: notes what several keys together break. Of a type, the method `check` does.
    """

    of: "type[Any] | Mapping[str, Key | Group]"
    _: KW_ONLY
    form: Literal["table", "list", "named"] = "table"
    is_required: bool = False
    is_optional: bool = False
    names: Form | None = None
    example: str = ""
    before: Callable[[Table], None] | None = None
    check: Callable[[Any, Table], None] | None = None
    meaning: str = ""

    @cached_property
    def keys(self) -> "Mapping[str, Key | Group]":
        return keys_of(self.of) if isinstance(self.of, type) else self.of

    def checked(self, values: Mapping[str, Any], table: Table) -> Any:
        """Return the values in the type, or as a mapping, after its check."""
        value = self.of(**values) if isinstance(self.of, type) else MappingProxyType(values)
        check = getattr(self.of, "check", self.check)
        if check is not None:
            check(value, table)
        return value


def declared(member: Key | Group) -> Any:
    """Declare a field as the key or table."""
    return field(metadata={"member": member})


def declaring(member: Callable[P, Key | Group]) -> Callable[P, Any]:
    def declare(*args: P.args, **kwargs: P.kwargs) -> Any:
        return declared(member(*args, **kwargs))

    return declare


key = declaring(Key)
table = declaring(Group)


def keys_of(type: type[Any]) -> Mapping[str, Key | Group]:
    """The keys and tables among the fields of the type; other fields are not in the file."""
    return {one.name: one.metadata["member"] for one in fields(type) if one.metadata}


def written(value: object) -> str:
    """The value as TOML."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
    return str(value)
