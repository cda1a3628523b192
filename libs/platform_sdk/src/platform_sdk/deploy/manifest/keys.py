"""Declare a key of platform.toml as a field of a frozen type. The field's docstring says what the key means.

    interval_seconds: int = key(Integer(5, 300), default=10, becomes="`HealthCheckIntervalSeconds` of …")
    \"""Seconds from one check to the next.\"""

Nothing else needs to be written: the reader (`reader.py`), the JSON Schema, `platform reference` and
`platform explain` all use the fields, so they cannot disagree.
"""

import re
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
    """A text of the given form: a pattern, lengths, and words for people."""

    form: Form


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words, spelled exactly so."""

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
        default: a value, or a function of the values that were read before: those of the table, then those of the file.
        default_text: how the default depends on other keys.
        example: a value as TOML; the default, unless given.
        becomes: the property of AWS that it sets; completes "Becomes: …".
        meaning: for a key that several types share, or that is no field.
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
        """Return the value of the example, as TOML."""
        return self.example or written(self.default)


@dataclass(frozen=True, eq=False)
class Group:
    """A table: one, a list of them (`[[tasks]]`), or one for each name that the team chooses (`[queues.orders]`).

    Args:
        of: the type that declares its keys, and that it is read into. Or the keys by name, to read it into a mapping;
            if the team chooses the names, `ANY_NAME` is the only key.
        is_optional: a missing table is read as None. Other missing tables are read with their defaults.
        names: the form of names that the team chooses. `example` is the name in the reference.
        before: adds errors before anything is read, where the general message would help less.
        check: adds errors about several keys. A type has a method `check` instead.
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
        """Return the values in the type, or as a mapping, and check rules about several of them."""
        value = self.of(**values) if isinstance(self.of, type) else MappingProxyType(values)
        check = getattr(self.of, "check", self.check)
        if check is not None:
            check(value, table)
        return value


def declared(member: Key | Group) -> Any:
    """Declare a field as the key or table."""
    return field(metadata={"member": member})


def _declaring(member: Callable[P, Key | Group]) -> Callable[P, Any]:
    def declare(*args: P.args, **kwargs: P.kwargs) -> Any:
        return declared(member(*args, **kwargs))

    return declare


key = _declaring(Key)
table = _declaring(Group)


def keys_of(type: type[Any]) -> Mapping[str, Key | Group]:
    """Return the keys and tables among the fields of the type. Other fields are not in the file."""
    return {one.name: one.metadata["member"] for one in fields(type) if one.metadata}


def written(value: object) -> str:
    """Return the value as TOML."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
    return str(value)


# What names, paths and other texts may look like.

# The service's name becomes part of names whose limits are 32 (target group) and 63 (database role) characters.
SERVICE_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 20 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 20),
)
# A listener rule's path pattern holds 128 characters and treats `*` and `?` as wildcards.
PATH: Final = Form(
    re.compile(r"(/[a-z0-9]([a-z0-9_-]*[a-z0-9])?)+"),
    'lower-case segments such as "/orders", without a slash at the end',
    lengths=(3, 100),
)
# SQS allows 80 characters, of which environment, prefix and "-dead-letter" take their part.
QUEUE_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 40 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 40),
)
EVENT_TYPE: Final = Form(
    re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"), 'an event type such as "order.placed"', lengths=(3, 100)
)
ARGUMENT: Final = Form(re.compile(r"[^\x00]+"), "a text that is not empty")
VARIABLE_NAME: Final = Form(
    re.compile(r"[A-Z][A-Z0-9_]*"),
    "capital letters, digits and underscores, starting with a letter",
    lengths=(1, 128),
)
VARIABLE_VALUE: Final = Form(re.compile(r"[^\x00]*"), "a text without NUL")
SECRET_NAME: Final = Form(
    re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*(:[A-Za-z0-9_.-]+)?|(/[A-Za-z0-9_.-]+)+"),
    '"name" or "name:json_key" of Secrets Manager (letters, digits, _ and /), or "/path" of Parameter Store',
    lengths=(1, 400),
)
SHORT_NAME: Final = Form(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "2 to 24 lower-case letters, digits and single hyphens, starting with a letter",
    lengths=(2, 24),
)
FUNCTION_NAME: Final = Form(
    re.compile(r"[A-Za-z0-9_-]+"),
    'the name of a Lambda function (letters, digits, - and _), "smoke_test" or "none"',
    lengths=(1, 64),
)
HEALTH_PATH: Final = Form(re.compile(r"(/[A-Za-z0-9._~-]+)+"), 'a path such as "/readyz"', lengths=(2, 200))
SCHEDULE: Final = Form(
    re.compile(r"(cron|rate|at)\([^()]+\)"),
    '"cron(…)", "rate(…)" or "at(…)", as AWS writes schedules',
    lengths=(1, 256),
)
TIMEZONE_NAME: Final = Form(
    re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*"), 'a time zone such as "Europe/Berlin"', lengths=(2, 50)
)
ACTION: Final = Form(re.compile(r"[a-z0-9-]+:[A-Z][A-Za-z0-9]*"), 'an action of IAM such as "s3:GetObject"')
RESOURCE: Final = Form(
    re.compile(r"\*|arn:aws(-cn|-us-gov)?:[a-z0-9-]+:[a-z0-9{}_-]*:[a-z0-9{}_]*:[^\s\x00]+"),
    'an ARN such as "arn:aws:s3:::receipts-{environment}/*"',
    lengths=(1, 500),
)

CONTAINS_A_SECRET: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS access key ids
    r"|\bgh[pousr]_[A-Za-z0-9]{36}"  # GitHub tokens
    r"|\b[rs]k_live_[A-Za-z0-9]{16}"  # Stripe keys
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."  # signed JWTs
    r"|^[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"  # URLs with a password
)
