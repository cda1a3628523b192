"""What must hold between services: their paths and names, and which events reach which queue."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from platform_sdk.deploy.config_errors import did_you_mean, listed
from platform_sdk.deploy.manifest.described import Described
from platform_sdk.deploy.manifest.types import Queue, ServiceSpec
from platform_sdk.deploy.toml_document import Document, dotted

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A spec with the document that it was read from, so that an error between two services has a line."""

    spec: ServiceSpec
    document: Document

    def place(self, *path: str | int) -> str:
        line = self.document.lines.get(path)
        return self.document.file if line is None else f"{self.document.file}:{line}"

    def events_are_known(self) -> bool:
        """Whether all that the file says of events could be read, whatever else is wrong with it."""
        hidden = any(path[0] == "queues" and path[2:3] in ((), ("consumes",)) for path in self.document.error_paths)
        return self.document.is_sound("publishes") and not hidden

    def queue(self, name: str) -> Queue:
        return next(queue for queue in self.spec.queues if queue.name == name)


def check_topology(sources: Sequence[Source]) -> None:
    """Notes the errors in the documents. What cannot be judged while a file is broken is left for the next time."""
    all_events_are_known = all(source.events_are_known() for source in sources)
    for source in sources:
        check_folder(source)
    check_priorities(sources)
    check_families(sources)
    for earlier, later in pairs(sources):
        check_paths(earlier, later)
        check_owners(earlier, later)
    if all_events_are_known:
        for source in sources:
            check_publications(source, sources)
            check_consumption(source, sources)


def pairs(values: Sequence[T]) -> Iterator[tuple[T, T]]:
    return ((earlier, later) for place, later in enumerate(values) for earlier in values[:place])


def check_priorities(sources: Sequence[Source]) -> None:
    """Of the rules on the listener that all services share. Which is first does not matter: no paths overlap."""
    taken: dict[int, Source] = {}
    for source in sources:
        priority = source.spec.priority
        other = taken.setdefault(priority, source)
        if other is not source and source.spec.name != other.spec.name and source.document.is_sound("service"):
            free = next(number for number in range(priority + 1, 100_000) if number not in taken)
            reason = f"the rule's priority would be {priority}, as that of {other.place('service', 'priority')}"
            source.document.error(("service", "priority"), reason, f"give priority = {free % 50_000 or 1}")


def check_families(sources: Sequence[Source]) -> None:
    """The worker of `orders` and a service `orders-worker` would both be the family <environment>-orders-worker."""
    taken = {source.spec.name: source for source in sources if source.spec.name}
    for source in sources:
        name = source.spec.name
        for part, path in parts_of(source.spec):
            other = taken.get(f"{name}-{part}")
            if other is not None:
                reason = f"its task definition would have the name of the service at {other.place('service', 'name')}"
                source.document.error(path, reason, f"rename one of the two: both are {name}-{part}")


def parts_of(spec: ServiceSpec) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """What has a task definition of its own beside the service, and where it says so."""
    if spec.worker is not None:
        yield "worker", ("worker",)
    for index, task in enumerate(spec.tasks):
        yield task.name, ("tasks", index, "name")


def check_folder(source: Source) -> None:
    """The command line finds a service by the name of its folder."""
    folder = source.spec.directory.name
    if source.document.is_sound("service", "name") and source.spec.name not in ("", folder):
        reason = f'"{source.spec.name}" is not the name of its folder, which is "{folder}"'
        source.document.error(("service", "name"), reason, f"did you mean {folder}?")


def check_paths(earlier: Source, later: Source) -> None:
    """A listener rule takes a path and all below it, so no service may stand below another."""
    first, second = f"{earlier.spec.path}/", f"{later.spec.path}/"
    if "/" in (first, second) or not (first.startswith(second) or second.startswith(first)):
        return
    how = "is also" if first == second else "overlaps"
    reason = f'"{later.spec.path}" {how} "{earlier.spec.path}" of {earlier.place("service", "path")}'
    later.document.error(("service", "path"), reason, "choose a path that no other service contains")


def check_owners(earlier: Source, later: Source) -> None:
    for name in sorted({queue.name for queue in earlier.spec.queues} & {queue.name for queue in later.spec.queues}):
        reason = f"the queue is owned by {earlier.place('queues', name)} as well"
        later.document.error(("queues", name), reason, "choose another name")


def check_publications(source: Source, sources: Sequence[Source]) -> None:
    """Every queue that an event goes to exists, and its owner consumes the event."""
    owners = {queue.name: other for other in sources for queue in other.spec.queues}
    for event, queues in source.spec.publishes.items():
        for index, name in enumerate(queues):
            path = ("publishes", event, index)
            if name not in owners:
                known = did_you_mean(name, owners) or f"the queues are {listed(sorted(owners))}"
                source.document.error(path, f'no service owns a queue "{name}"', known)
            elif event not in owners[name].queue(name).consumes:
                place = owners[name].place("queues", name, "consumes")
                reason = f'"{event}" is not among what the owner of the queue "{name}" consumes'
                source.document.error(path, reason, f"add it at {place}, or remove the queue here")


def check_consumption(source: Source, sources: Sequence[Source]) -> None:
    """Every event that a queue consumes is published to it by somebody."""
    for queue in source.spec.queues:
        arriving = {
            event for other in sources for event, queues in other.spec.publishes.items() if queue.name in queues
        }
        if not arriving:
            hint = f'list "{queue.name}" in the [publishes] of some service'
            source.document.error(("queues", queue.name), "nobody publishes to this queue", hint)
            continue
        for index, event in enumerate(queue.consumes):
            if event not in arriving:
                reason = f'nobody publishes "{event}" to the queue "{queue.name}"'
                suggestion = how_to_receive(event, queue.name, arriving, sources)
                source.document.error(("queues", queue.name, "consumes", index), reason, suggestion)


def how_to_receive(event: str, queue: str, arriving: set[str], sources: Sequence[Source]) -> str | None:
    for other in sources:
        if event in other.spec.publishes:
            return f'add "{queue}" to {dotted(("publishes", event))} at {other.place("publishes", event)}'
    return did_you_mean(event, arriving) or f"arriving there: {listed(sorted(arriving))}"


# Schedules as AWS writes them: cron(…) with six fields, rate(…) and at(…), and the names of time zones.
#
# Rules: docs.aws.amazon.com/scheduler, "Schedule types"; Application Auto Scaling takes the same expressions.

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
"""Name, smallest, largest, names in place of numbers, and what else may stand there."""

RATE: Final = re.compile(r"([1-9]\d{0,5}) (minute|hour|day)(s?)")
MOMENT: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})")


def check_schedule(entry: Described) -> str | None:
    """The keys `schedule` and `timezone` of an entry; None where it may be left out and is."""
    schedule = entry.text_or_default("schedule") if entry.has_default("schedule") else entry.text("schedule")
    if schedule and entry.are_sound("schedule"):
        kind, _, rest = schedule.rstrip(")").partition("(")
        reason = {"cron": error_in_cron, "rate": error_in_rate, "at": error_in_moment}[kind](rest)
        if reason is not None:
            entry.error("schedule", *reason)
    zone = entry.text("timezone")
    if entry.are_sound("timezone") and not is_timezone(zone):
        entry.error("timezone", f'"{zone}" is not a time zone', 'for example timezone = "Europe/Berlin"')
    return schedule


def error_in_cron(text: str) -> tuple[str, str] | None:
    """Reason and suggestion."""
    fields = text.split()
    if len(fields) == 5:
        return "AWS's cron has six fields: the last is the year", with_question_mark([*fields, "*"])
    if len(fields) != 6:
        return f"cron needs six fields, not {len(fields)}", "for example cron(30 2 * * ? *)"
    for value, (name, low, high, names, special) in zip(fields, FIELDS, strict=True):
        if not re.fullmatch(special, value) and not all(
            is_item(item, low, high, names, special) for item in value.split(",")
        ):
            return f'the {name} "{value}" is not within {low} to {high}', "for example cron(30 2 * * ? *)"
    if (fields[2] == "?") == (fields[4] == "?"):
        return "exactly one of day of month and day of week must be ?", with_question_mark(fields)
    return None


def with_question_mark(fields: list[str]) -> str:
    place = 2 if fields[2] == "*" and fields[4] != "*" else 4
    fields = ["?" if index == place else "*" if field == "?" else field for index, field in enumerate(fields)]
    return f"did you mean cron({' '.join(fields)})?"


def is_item(item: str, low: int, high: int, names: tuple[str, ...], special: str) -> bool:
    """`*`, a value, `first-last`, each with `/step`; or what only this field takes, but `?`."""
    if item != "?" and re.fullmatch(special, item):
        return True
    span, slash, step = item.partition("/")
    if slash and not (step.isascii() and step.isdecimal() and len(step) < 4 and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [value_of(end, names) for end in span.split("-")]
    return len(ends) <= 2 and all(end is not None and low <= end <= high for end in ends)


def value_of(text: str, names: tuple[str, ...]) -> int | None:
    if text.upper() in names:
        return names.index(text.upper()) + 1
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else None


def error_in_rate(text: str) -> tuple[str, str] | None:
    match = RATE.fullmatch(text)
    if match is None:
        return f'"{text}" is not a rate', "for example rate(5 minutes)"
    number, unit, plural = match.groups()
    if (number == "1") == bool(plural):
        return f'"{text}" has the wrong number', f"did you mean rate({number} {unit}{'' if number == '1' else 's'})?"
    return None


def error_in_moment(text: str) -> tuple[str, str] | None:
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
    """Whether this machine's time zone database has it; where there is none, every name is taken for good."""
    if name == "UTC":
        return True
    from zoneinfo import ZoneInfo

    def exists(zone: str) -> bool:
        try:
            return bool(ZoneInfo(zone).key)
        except (KeyError, ValueError, OSError):
            return False

    return exists(name) or not exists("Europe/London")
