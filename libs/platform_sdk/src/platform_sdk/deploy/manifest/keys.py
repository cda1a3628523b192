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


# Schedules in the form of AWS: cron(…) with six fields, rate(…) and at(…), and the names of time zones.
#
# Rules: docs.aws.amazon.com/scheduler, "Schedule types"; Application Auto Scaling takes the same expressions.

TIMEZONE: Final = Key(
    Text(TIMEZONE_NAME),
    default="UTC",
    example='"Europe/Berlin"',
    becomes="`Timezone`, or `ScheduleExpressionTimezone` of a scheduled task",
    meaning="The time zone of the schedule, by its IANA name.",
)

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS: Final[tuple[tuple[str, int, int, tuple[str, ...], str], ...]] = (
    ("minute", 0, 59, (), r"(?!)"),
    ("hour", 0, 23, (), r"(?!)"),
    ("day of month", 1, 31, (), r"\?|L|LW|([1-9]|[12]\d|3[01])W"),
    ("month", 1, 12, MONTHS, r"(?!)"),
    ("day of week", 1, 7, DAYS, r"\?|L|[1-7]L|[1-7]#[1-5]"),
    ("year", 1970, 2199, (), r"(?!)"),
)
"""Name, smallest, largest, names for numbers, and what else is legal."""

RATE: Final = re.compile(r"([1-9]\d{0,5}) (minute|hour|day)(s?)")
MOMENT: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})")


def check_schedule(table: Table, schedule: str | None, timezone: str) -> None:
    """Check the keys `schedule` and `timezone` of a table; None is no schedule."""
    if schedule and table.are_sound("schedule"):
        kind, _, rest = schedule.rstrip(")").partition("(")
        error = {"cron": error_in_cron, "rate": _error_in_rate, "at": _error_in_moment}[kind](rest)
        if error is not None:
            table.error("schedule", *error)
    if table.are_sound("timezone") and not is_timezone(timezone):
        table.error("timezone", f'"{timezone}" is not a time zone', 'for example timezone = "Europe/Berlin"')


def error_in_cron(text: str) -> tuple[str, str] | None:
    """Return reason and suggestion."""
    fields = text.split()
    if len(fields) == 5:
        return "AWS's cron has six fields: the last is the year", _with_question_mark([*fields, "*"])
    if len(fields) != 6:
        return f"cron needs six fields, not {len(fields)}", "for example cron(30 2 * * ? *)"
    for value, (name, low, high, names, special) in zip(fields, FIELDS, strict=True):
        if not re.fullmatch(special, value) and not all(
            is_item(item, low, high, names, special) for item in value.split(",")
        ):
            return f'the {name} "{value}" is not within {low} to {high}', "for example cron(30 2 * * ? *)"
    if (fields[2] == "?") == (fields[4] == "?"):
        return "exactly one of day of month and day of week must be ?", _with_question_mark(fields)
    return None


def _with_question_mark(fields: list[str]) -> str:
    place = 2 if fields[2] == "*" and fields[4] != "*" else 4
    fields = ["?" if index == place else "*" if field == "?" else field for index, field in enumerate(fields)]
    return f"did you mean cron({' '.join(fields)})?"


def is_item(item: str, low: int, high: int, names: tuple[str, ...], special: str) -> bool:
    """Accept `*`, a value or `first-last`, each with `/step`; or what only this field takes, except `?`."""
    if item != "?" and re.fullmatch(special, item):
        return True
    span, slash, step = item.partition("/")
    if slash and not (step.isascii() and step.isdecimal() and len(step) < 4 and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [_value_of(end, names) for end in span.split("-")]
    return len(ends) <= 2 and all(end is not None and low <= end <= high for end in ends)


def _value_of(text: str, names: tuple[str, ...]) -> int | None:
    if text.upper() in names:
        return names.index(text.upper()) + 1
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else None


def _error_in_rate(text: str) -> tuple[str, str] | None:
    match = RATE.fullmatch(text)
    if match is None:
        return f'"{text}" is not a rate', "for example rate(5 minutes)"
    number, unit, plural = match.groups()
    if (number == "1") == bool(plural):
        return f'"{text}" has the wrong number', f"did you mean rate({number} {unit}{'' if number == '1' else 's'})?"
    return None


def _error_in_moment(text: str) -> tuple[str, str] | None:
    match = MOMENT.fullmatch(text)
    example = "for example at(2026-11-27T06:00:00)"
    if match is None:
        return f'"{text}" is not a moment', example
    year, month, day, hour, minute, second = map(int, match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not (1 <= month <= 12 and 1 <= day <= days[month - 1] and hour < 24 and minute < 60 and second < 60):
        return f'"{text}" is not in the calendar', example
    return None


def is_timezone(name: str) -> bool:
    """Return whether this machine's time zone database has the name; without one, accept every name."""
    if name == "UTC":
        return True
    from zoneinfo import ZoneInfo

    def exists(zone: str) -> bool:
        try:
            return bool(ZoneInfo(zone).key)
        except (KeyError, ValueError, OSError):
            return False

    return exists(name) or not exists("Europe/London")
