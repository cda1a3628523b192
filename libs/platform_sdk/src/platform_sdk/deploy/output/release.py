"""What a release prints: the events that the driver emits, as lines for a log or as a live view for a terminal."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from platform_sdk.deploy.output.plan_words import short_arn
from platform_sdk.deploy.release.events import (
    Checked,
    DeploymentCreated,
    Ended,
    InterruptedBySignal,
    Migrating,
    Registered,
    ReleaseEvent,
    RollingBack,
    ScalingRestored,
    ScalingSuspended,
    Shifting,
    StageEnded,
    Started,
    TrafficShifted,
    Waiting,
    Warned,
    WorkerProgress,
)
from platform_sdk.deploy.release.outcome import Check, Outcome, OutcomeKind, Release
from platform_sdk.deploy.state import LifecycleEvent, TaskSetProgress

# The sentences that lines and live view share.

CHECK_MARKS: Final = {"OK": "ok  ", "SKIP": "skip", "FAIL": "FAIL"}
CHECK_WIDTH: Final = 26
"""Of a preflight check's name; a longer one pushes its reason to the right."""
BAR_WIDTH: Final = 20
FIRST_WORDS: Final[Mapping[OutcomeKind, str]] = MappingProxyType(
    {
        "released": "done",
        "traffic_shifted": "done",
        "detached": "done",
        "nothing_to_do": "done",
        "refused": "not done",
        "locked": "not done",
        "superseded": "superseded",
        "timed_out": "not done",
        "interrupted": "interrupted",
    }
)
"""How the line with the outcome begins; `failed` for every other kind."""


def duration(time: timedelta) -> str:
    """Return a duration as `4:05`, or as `1:04:05` from an hour on."""
    minutes, seconds = divmod(max(0, round(time.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _title(release: Release) -> str:
    what = "roll back to" if release.kind == "rollback" else release.kind
    commit = f", commit {release.commit[:12]}" if release.commit else ""
    return f"{release.service} in {release.environment}: {what} {release.version}{commit}, by {release.by}"


def _check_line(check: Check) -> str:
    return f"{CHECK_MARKS[check.status]}  {check.name:<{CHECK_WIDTH}}  {check.reason}".rstrip()


def traffic(shifting: Shifting) -> str:
    """Return a text such as `10 % replacement, 90 % original`. Empty until CodeDeploy reports task sets.

    The replacement task set of a rollback runs the original version.
    """
    replacement, original = task_sets_of(shifting)
    if replacement is None:
        return ""
    if shifting.rolls_back:
        return f"{replacement.traffic_percent:g} % back on the original version"
    rest = original.traffic_percent if original else 0
    return f"{replacement.traffic_percent:g} % replacement, {rest:g} % original"


def tasks(shifting: Shifting) -> str:
    """Return a text such as `1 of 2 replacement tasks running, 1 healthy`."""
    replacement, _ = task_sets_of(shifting)
    if replacement is None:
        return ""
    kind = "original" if shifting.rolls_back else "replacement"
    running = f"{replacement.running} of {replacement.desired} {kind} tasks running"
    return running if shifting.healthy_tasks is None else f"{running}, {shifting.healthy_tasks} healthy"


def task_sets_of(shifting: Shifting) -> tuple[TaskSetProgress | None, TaskSetProgress | None]:
    """Return the replacement and the original, which CodeDeploy calls green and blue."""
    target = shifting.target
    return (None, None) if target is None else (target.task_set("Green"), target.task_set("Blue"))


def _current_event(shifting: Shifting) -> LifecycleEvent | None:
    events = shifting.target.lifecycle if shifting.target else ()
    return next((event for event in events if event.status == "InProgress"), None)


def current_step(shifting: Shifting) -> str:
    """Return the lifecycle event in progress, or what comes before and after the events."""
    event = _current_event(shifting)
    if event is not None:
        return event.name
    replacement, _ = task_sets_of(shifting)
    all_shifted = replacement is not None and replacement.traffic_percent == 100
    return "the bake time" if all_shifted else shifting.deployment.status


def _worker_tasks(progress: WorkerProgress) -> str:
    deployment = progress.deployment
    original = sum(each.running for each in progress.others)
    if deployment is None or deployment.rollout_state == "FAILED":
        return f"worker: no replacement task running, {original} original"
    if not deployment.desired:
        return "worker: waiting for ECS to start"
    failed = f", {deployment.failed} failed" if deployment.failed else ""
    rest = f", {original} original" if original else ""
    return f"worker: {deployment.running} of {deployment.desired} replacement tasks running{rest}{failed}"


def _at_most_left(deadline: datetime, at: datetime) -> str:
    return f"at most {duration(deadline - at)} left"


def time_left(shifting: Shifting) -> str:
    """Return the exact time left of the bake time, or the longest time that everything else can take."""
    replacement, _ = task_sets_of(shifting)
    events = [shifting.target.event(name) for name in ("AllowTraffic", "AfterAllowTraffic")] if shifting.target else []
    shifted = max((event.ended_at for event in events if event and event.ended_at), default=None)
    bakes = not shifting.rolls_back and replacement is not None and replacement.traffic_percent == 100
    if shifted is None or not bakes or _current_event(shifting) is not None:
        return _at_most_left(shifting.deadline, shifting.at)
    return f"{duration(shifted + timedelta(minutes=shifting.deployment.bake_minutes) - shifting.at)} left"


def outcome_lines(outcome: Outcome) -> list[str]:
    """Return what happened, why, and the next command."""
    word, kind = FIRST_WORDS.get(outcome.kind, "failed"), outcome.kind.replace("_", " ")
    lines = [f"{word}: {outcome.what} ({kind}, {duration(outcome.ended_at - outcome.started_at)})"]
    if outcome.explanation is not None:
        lines += [
            f"what:    {outcome.explanation.what}",
            f"because: {outcome.explanation.cause}",
            f"remedy:  {outcome.explanation.remedy}",
            *(f"  {line}" for line in outcome.explanation.evidence),
        ]
    if outcome.resume:
        lines.append(f"next:    {outcome.resume}")
    return lines


# Lines, for the log of a pipeline.

HEARTBEAT: Final = timedelta(minutes=1)


class LineRenderer:
    """Print a line for each change of state, and one a minute while nothing changes.

    Args:
        write: takes a line without its end.
        now: returns the current time.
    """

    def __init__(self, write: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self.write = write
        self.now = now
        self.started_at: datetime | None = None
        self.last_line_at: datetime | None = None
        self.printed: dict[str, str] = {}
        """The last line of each subject: only a change prints another."""

    def render(self, event: ReleaseEvent) -> None:
        """Write the lines of an event, each after the time since the start. Without news, write a line a minute."""
        moment = self.now()
        self.started_at = self.started_at or moment
        self.last_line_at = self.last_line_at or moment
        lines = list(self.lines_of(event))
        if not lines and moment - self.last_line_at >= HEARTBEAT:
            lines = [beat for beat in (heartbeat(event),) if beat]
        for line in lines:
            self.write(f"{duration(moment - self.started_at):>7}  {line}")
            self.last_line_at = moment
        if isinstance(event, Ended):
            for line in ("", *outcome_lines(event.outcome)):
                self.write(line)

    def lines_of(self, event: ReleaseEvent) -> Iterator[str]:
        """Yield the lines of an event, without those that repeat what was written about their subject."""
        match event:
            case Shifting():
                yield from self.shift_lines(event)
            case WorkerProgress():
                yield from self.changed("worker", _worker_tasks(event))
            case Migrating():
                yield from self.changed("migration", f"migration: the task is {event.last_status.lower()}")
                yield from (f"  | {line.text}" for line in event.new_lines)
            case Waiting():
                yield from self.changed("waiting", f"waiting for {event.subject}")
            case RollingBack(deployment_id=id) if f"rollback of {id}" in self.printed:
                return
            case RollingBack():
                what = event.deployment_id or "the worker"
                yield from self.changed(f"rollback of {event.deployment_id}", f"rolling back {what}: {event.because}")
            case _:
                yield from single_lines(event)

    def shift_lines(self, event: Shifting) -> Iterator[str]:
        """Yield a line for each lifecycle event that ended, and for changes of tasks, traffic and alarms."""
        of = f"{event.deployment.id}: "
        for each in event.target.lifecycle if event.target else ():
            if each.status in ("Succeeded", "Failed"):
                reason = f": {each.message}" if each.status == "Failed" and each.message else ""
                yield from self.changed(f"{of}{each.name}", f"{of}{each.name} {each.status.lower()}{reason}")
        yield from self.changed(f"{of}tasks", f"{of}{tasks(event)}" if tasks(event) else "")
        yield from self.changed(f"{of}traffic", f"{of}traffic {traffic(event)}" if traffic(event) else "")
        for alarm in event.alarms:
            subject = f"alarm {alarm.name}"
            if alarm.state == "ALARM" or subject in self.printed:
                reason = f": {alarm.reason}" if alarm.state == "ALARM" and alarm.reason else ""
                yield from self.changed(subject, f"{subject} is {alarm.state}{reason}")

    def changed(self, subject: str, line: str) -> Iterator[str]:
        """Yield the line unless it is empty, or the last about this subject."""
        if line and self.printed.get(subject) != line:
            self.printed[subject] = line
            yield line


def single_lines(event: ReleaseEvent) -> Iterator[str]:
    """Yield the lines of events that happen once."""
    match event:
        case Started(release=release):
            yield _title(release)
        case Checked(check=check):
            yield _check_line(check)
            if check.status == "FAIL" and check.remedy:
                yield f"      hint: {check.remedy}"
        case Registered():
            yield f"{event.role}: {short_arn(event.revision)} {'reused' if event.reused else 'registered'}"
        case ScalingSuspended():
            yield "scaling is suspended while traffic shifts"
        case ScalingRestored():
            yield "scaling is restored"
        case DeploymentCreated():
            how = "resumed" if event.adopted else "created"
            yield f"deployment {event.deployment_id} {how}: {short_arn(event.revision)}"
        case TrafficShifted():
            yield f"all users are on the replacement tasks; the original tasks stay for {event.bake_minutes} min"
        case _:
            yield from _warning_lines(event)


def _warning_lines(event: ReleaseEvent) -> Iterator[str]:
    match event:
        case Warned():
            yield f"warning: {event.what}"
            if event.hint:
                yield f"      hint: {event.hint}"
        case InterruptedBySignal():
            then = "rolling back" if event.rolls_back else "leaving the release as it is"
            yield f"interrupted by signal {event.signal_number}: {then}"
        case StageEnded(stage=stage) if stage.status == "skipped":
            yield f"{stage.name}: skipped, {stage.reason}"


def heartbeat(event: ReleaseEvent) -> str | None:
    """Return that work continues, how far it is, and how long it may take."""
    match event:
        case Shifting() if not event.deployment.has_ended:
            progress = ", ".join(filter(None, (traffic(event), tasks(event))))
            how_far = f" ({progress})" if progress else ""
            return f"{event.deployment.id}: still at {current_step(event)}{how_far}, {time_left(event)}"
        case WorkerProgress():
            return f"{_worker_tasks(event)}, {_at_most_left(event.deadline, event.at)}"
        case Waiting():
            return f"still waiting for {event.subject}"
        case Migrating():
            return f"migration: the task is still {event.last_status.lower()}"
        case _:
            return None


# A live view below the lines, for a person at a terminal.

LIFECYCLE_MARKS: Final = {"Succeeded": "ok", "InProgress": "..", "Failed": "FAILED", "Pending": "  ", "Skipped": "--"}
REFRESHES_PER_SECOND: Final = 2


class TerminalRenderer:
    """Print lines and a live view below them. The view disappears at the end of the context, the lines stay.

    rich decides about NO_COLOR and the width.
    """

    def __init__(self, console: Console, now: Callable[[], datetime]) -> None:
        self.lines = LineRenderer(self.print_line, now)
        self.console = console
        self.live = Live(console=console, transient=True, refresh_per_second=REFRESHES_PER_SECOND)

    def __enter__(self) -> Self:
        self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.__exit__(kind, error, trace)

    def render(self, event: ReleaseEvent) -> None:
        """Write the lines of an event above the live view, and repaint that."""
        self.lines.render(event)
        shown = list(view(event))
        if shown or isinstance(event, Ended):
            self.live.update(Text("\n".join(shown)))

    def print_line(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


def view(event: ReleaseEvent) -> Iterator[str]:
    """Yield the lines of the live view. Events that happen once have none."""
    match event:
        case Shifting():
            yield from _shift_view(event)
        case WorkerProgress():
            yield f"  {_worker_tasks(event)}, {_at_most_left(event.deadline, event.at)}"
        case Migrating():
            yield f"  migration: the task is {event.last_status.lower()}"
        case Waiting():
            yield f"  waiting for {event.subject}"


def _shift_view(event: Shifting) -> Iterator[str]:
    what = "rollback" if event.rolls_back else "deployment"
    head = f"{what} {event.deployment.id}  {event.deployment.status}"
    yield f"  {head}  {duration(event.at - event.started_at)}, {time_left(event)}"
    replacement, _ = task_sets_of(event)
    if replacement is not None:
        yield f"  traffic  {_bar(replacement.traffic_percent)}  {traffic(event)}"
        yield f"  tasks    {tasks(event)}"
    if event.target is not None:
        events = (f"{each.name} {LIFECYCLE_MARKS.get(each.status, '?')}".rstrip() for each in event.target.lifecycle)
        yield f"  events   {'  '.join(events)}"
    if event.alarms:
        firing = [alarm.name for alarm in event.alarms if alarm.state == "ALARM"]
        yield f"  alarms   {len(event.alarms) - len(firing)} quiet" + (
            f", in ALARM: {', '.join(firing)}" if firing else ""
        )


def _bar(percent: float) -> str:
    filled = round(BAR_WIDTH * percent / 100)
    return f"[{'#' * filled}{'-' * (BAR_WIDTH - filled)}]"
