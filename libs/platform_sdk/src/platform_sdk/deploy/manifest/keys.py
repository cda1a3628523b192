"""How a key of platform.toml is declared: as a field of a frozen type, whose docstring says what the key means.

    interval_seconds: int = key(Integer(5, 300), default=10, becomes="`HealthCheckIntervalSeconds` of …")
    \"""Seconds from one check to the next.\"""

That is all there is to write down. The reader (`reader.py`), the JSON Schema, `platform reference` and
`platform explain` all work from the fields, so they cannot disagree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from platform_sdk.deploy.toml_document import REQUIRED, Form, Required, Table

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
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
    default: Any = REQUIRED
    default_text: str = ""
    example: str = ""
    becomes: str = ""
    meaning: str = ""

    @property
    def is_required(self) -> bool:
        return isinstance(self.default, Required)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """A table: one, a list of them (`[[tasks]]`), or one for each name that the team chooses (`[queues.orders]`).

    Args:
        keys: by name; of a table with names of the team's only `ANY_NAME`.
        type: what the table is read into; without one, into a mapping.
        before: notes mistakes before anything is read: what is better said than that a value has no legal form.
        check: of the value that was read, notes what several keys together break.
        is_optional: the table is read as None where the file does not have it. Others are read with their defaults.
        names: what the team may choose as a name, and `example` the one that the reference chooses.
    """

    keys: "Mapping[str, Key | Group]"
    type: Callable[..., Any] | None = None
    form: Literal["table", "list", "named"] = "table"
    is_required: bool = False
    is_optional: bool = False
    names: Form | None = None
    example: str = ""
    before: Callable[[Table], None] | None = None
    check: Callable[[Any, Table], None] | None = None
    meaning: str = ""


def key(kind: Kind, *, default: Any = REQUIRED, default_text: str = "", example: str = "", becomes: str = "") -> Any:
    """Declare a field as a key; its docstring is the key's meaning."""
    return declared(
        Key(
            kind=kind,
            default=default,
            default_text=default_text,
            example=example or written(default),
            becomes=becomes,
        )
    )


def table(
    type: type[Any],
    *,
    form: Literal["table", "list", "named"] = "table",
    is_required: bool = False,
    is_optional: bool = False,
    names: Form | None = None,
    example: str = "",
    before: Callable[[Table], None] | None = None,
) -> Any:
    """Declare a field as a table with the keys of the type; its docstring is the table's meaning.

    The method `check` of the type, if there is one, notes what several keys together break.
    """
    return declared(
        Group(
            keys=keys_of(type),
            type=type,
            form=form,
            is_required=is_required,
            is_optional=is_optional,
            names=names,
            example=example,
            before=before,
            check=getattr(type, "check", None),
        )
    )


def mapping(
    names: Form,
    value: Kind,
    *,
    example: tuple[str, str],
    becomes: str,
    meaning: str,
    before: Callable[[Table], None] | None = None,
    check: Callable[[Any, Table], None] | None = None,
) -> Any:
    """Declare a field as a table in which the team chooses the names, all with values of one kind.

    Args:
        example: a name and its value as TOML.
        meaning: of one key; the field's docstring is the table's.
    """
    name, text = example
    only = Key(kind=value, example=text, becomes=becomes, meaning=meaning)
    return declared(Group(keys={ANY_NAME: only}, names=names, example=name, before=before, check=check))


def declared(member: Key | Group) -> Any:
    return field(metadata={"member": member})


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
