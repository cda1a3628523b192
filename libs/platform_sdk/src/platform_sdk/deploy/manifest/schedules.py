"""Check schedules in the form of AWS: cron(…) with six fields, rate(…) and at(…), and the names of time zones.

Rules: docs.aws.amazon.com/scheduler, "Schedule types"; Application Auto Scaling takes the same expressions.
"""

import re
from typing import Final

from platform_sdk.deploy.manifest.keys import TIMEZONE_NAME, Key, Text
from platform_sdk.deploy.toml_document import Table

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
