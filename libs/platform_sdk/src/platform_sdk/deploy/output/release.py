"""For a pipeline's log: a line for each change of state, and one a minute so that silence means something."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from platform_sdk.deploy.release.events import (
    Checked,
    DeploymentCreated,
    Ended,
    InterruptedBySignal,
    Migrating,
    Registered,
    ReleaseEvent,
    RollingBack,
    ScalingHeld,
    ScalingRestored,
    Shifting,
    StageEnded,
    Started,
    TrafficShifted,
    Waiting,
    Warned,
    WorkerProgress,
)
from platform_sdk.deploy.release.options import Release
from platform_sdk.deploy.release.outcome import Check, Outcome, OutcomeKind
from platform_sdk.deploy.state import LifecycleEvent, TaskSetProgress

# Events in words, alike for a terminal and a pipeline.

MARKS: Final = {"OK": "ok  ", "SKIP": "skip", "FAIL": "FAIL"}
NAME_WIDTH: Final = 26
"""Of a preflight check; a longer one pushes its reason to the right."""
BAR_WIDTH: Final = 20
ENDINGS: Final[Mapping[OutcomeKind, str]] = MappingProxyType(
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
"""How the last line begins; `failed` is said of failures alone."""


def duration(time: timedelta) -> str:
    """`4:05`, and `1:04:05` from an hour on."""
    minutes, seconds = divmod(max(0, round(time.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def revision_name(arn: str) -> str:
    """`production-orders:8` of an ARN."""
    return arn.rsplit("/", 1)[-1]


def title(release: Release) -> str:
    what = "roll back to" if release.kind == "rollback" else "release"
    commit = f", commit {release.commit[:12]}" if release.commit else ""
    return f"{release.service} in {release.environment}: {what} {release.version}{commit}, by {release.by}"


def check_line(check: Check) -> str:
    return f"{MARKS[check.status]}  {check.name:<{NAME_WIDTH}}  {check.reason}".rstrip()


def traffic(shifting: Shifting) -> str:
    """`10 % new, 90 % former`; empty before CodeDeploy tells. What takes a deployment back is not new to anybody."""
    new, former = sets_of(shifting)
    if new is None:
        return ""
    if shifting.rolls_back:
        return f"{new.traffic_percent:g} % back on the former version"
    return f"{new.traffic_percent:g} % new, {former.traffic_percent if former else 0:g} % former"


def tasks(shifting: Shifting) -> str:
    """`1 of 2 new tasks run, 1 is healthy`."""
    new, _ = sets_of(shifting)
    if new is None:
        return ""
    kind = "former" if shifting.rolls_back else "new"
    running = f"{new.running} of {new.desired} {kind} tasks run"
    if shifting.healthy_tasks is None:
        return running
    return f"{running}, {shifting.healthy_tasks} {'is' if shifting.healthy_tasks == 1 else 'are'} healthy"


def sets_of(shifting: Shifting) -> tuple[TaskSetProgress | None, TaskSetProgress | None]:
    """The replacement and the original."""
    target = shifting.target
    return (None, None) if target is None else (target.task_set("Green"), target.task_set("Blue"))


def current_event(shifting: Shifting) -> LifecycleEvent | None:
    events = shifting.target.lifecycle if shifting.target else ()
    return next((event for event in events if event.status == "InProgress"), None)


def doing(shifting: Shifting) -> str:
    """The life-cycle event that is under way, or what comes before and after them."""
    event = current_event(shifting)
    if event is not None:
        return event.name
    new, _ = sets_of(shifting)
    return "the bake time" if new is not None and new.traffic_percent == 100 else shifting.deployment.status


def worker_tasks(progress: WorkerProgress) -> str:
    deployment = progress.deployment
    former = sum(each.running for each in progress.former)
    if deployment is None or deployment.rollout_state == "FAILED":
        return f"worker: no new task runs, {former} former"
    if not deployment.desired:
        return "worker: waiting for ECS to begin"
    failed = f", {deployment.failed} failed" if deployment.failed else ""
    beside = f", {former} former" if former else ""
    return f"worker: {deployment.running} of {deployment.desired} new tasks run{beside}{failed}"


def left(deadline: datetime, at: datetime) -> str:
    return f"at most {duration(deadline - at)} left"


def time_left(shifting: Shifting) -> str:
    """Of the bake time, which is known; of everything else, the longest that it can take."""
    new, _ = sets_of(shifting)
    events = [shifting.target.event(name) for name in ("AllowTraffic", "AfterAllowTraffic")] if shifting.target else []
    shifted = max((event.ended_at for event in events if event and event.ended_at), default=None)
    bakes = not shifting.rolls_back and new is not None and new.traffic_percent == 100
    if shifted is None or not bakes or current_event(shifting) is not None:
        return left(shifting.deadline, shifting.at)
    return f"{duration(shifted + timedelta(minutes=shifting.deployment.bake_minutes) - shifting.at)} left"


def bar(percent: float) -> str:
    filled = round(BAR_WIDTH * percent / 100)
    return f"[{'#' * filled}{'-' * (BAR_WIDTH - filled)}]"


def outcome_lines(outcome: Outcome) -> list[str]:
    """What happened, why, and the next useful command."""
    word, kind = ENDINGS.get(outcome.kind, "failed"), outcome.kind.replace("_", " ")
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


HEARTBEAT: Final = timedelta(minutes=1)


class LinePainter:
    """`write` takes a line without its end; `now` is read when an event brings no time of its own."""

    def __init__(self, write: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self.write = write
        self.now = now
        self.started_at: datetime | None = None
        self.last_line_at: datetime | None = None
        self.told: dict[str, str] = {}
        """The last line of each subject, so that only a change makes another."""

    def paint(self, event: ReleaseEvent) -> None:
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
            self.write("")
            for line in outcome_lines(event.outcome):
                self.write(line)

    def lines_of(self, event: ReleaseEvent) -> Iterator[str]:
        match event:
            case Shifting():
                yield from self.of_shift(event)
            case WorkerProgress():
                yield from self.changed("worker", worker_tasks(event))
            case Migrating():
                yield from self.changed("migration", f"migration: the task is {event.last_status.lower()}")
                yield from (f"  | {line.text}" for line in event.new_lines)
            case Waiting():
                yield from self.changed("waiting", f"waiting for {event.subject}")
            case RollingBack(deployment_id=id) if f"taking {id} back" in self.told:
                return
            case RollingBack():
                what = event.deployment_id or "the worker"
                yield from self.changed(f"taking {event.deployment_id} back", f"rolling back {what}: {event.because}")
            case _:
                yield from once(event)

    def of_shift(self, event: Shifting) -> Iterator[str]:
        of = f"{event.deployment.id}: "
        for each in event.target.lifecycle if event.target else ():
            if each.status in ("Succeeded", "Failed"):
                said = f": {each.message}" if each.status == "Failed" and each.message else ""
                yield from self.changed(f"{of}{each.name}", f"{of}{each.name} {each.status.lower()}{said}")
        yield from self.changed(f"{of}tasks", f"{of}{tasks(event)}" if tasks(event) else "")
        yield from self.changed(f"{of}traffic", f"{of}traffic {traffic(event)}" if traffic(event) else "")
        for alarm in event.alarms:
            was_told = f"alarm {alarm.name}" in self.told
            if alarm.state == "ALARM" or was_told:
                said = f": {alarm.reason}" if alarm.state == "ALARM" and alarm.reason else ""
                yield from self.changed(f"alarm {alarm.name}", f"alarm {alarm.name} is {alarm.state}{said}")

    def changed(self, subject: str, line: str) -> Iterator[str]:
        if line and self.told.get(subject) != line:
            self.told[subject] = line
            yield line


def once(event: ReleaseEvent) -> Iterator[str]:
    """Lines of what happens only once."""
    match event:
        case Started(release=release):
            yield title(release)
        case Checked(check=check):
            yield check_line(check)
            if check.status == "FAIL" and check.remedy:
                yield f"      hint: {check.remedy}"
        case Registered():
            how = "has run before" if event.reused else "registered"
            yield f"{event.role}: {revision_name(event.revision)} {how}"
        case ScalingHeld():
            yield "scaling is held while traffic shifts"
        case ScalingRestored():
            yield "scaling is as it was"
        case DeploymentCreated():
            how = "goes on from before" if event.adopted else "created"
            yield f"deployment {event.deployment_id} {how}: {revision_name(event.revision)}"
        case TrafficShifted():
            yield f"all users are on the new version; the former tasks stay for {event.bake_minutes} min"
        case _:
            yield from at_the_end(event)


def at_the_end(event: ReleaseEvent) -> Iterator[str]:
    match event:
        case Warned():
            yield f"warning: {event.what}"
            if event.hint:
                yield f"      hint: {event.hint}"
        case InterruptedBySignal():
            yield f"interrupted by signal {event.signal_number}: {'rolling back' if event.rolls_back else 'leaving it'}"
        case StageEnded(stage=stage) if stage.status == "skipped":
            yield f"{stage.name}: skipped, {stage.reason}"


def heartbeat(event: ReleaseEvent) -> str | None:
    """That it is still going on, how far it is, and how long it may take."""
    match event:
        case Shifting() if not event.deployment.has_ended:
            how = ", ".join(filter(None, (traffic(event), tasks(event))))
            far = f" ({how})" if how else ""
            return f"{event.deployment.id}: still at {doing(event)}{far}, {time_left(event)}"
        case WorkerProgress():
            return f"{worker_tasks(event)}, {left(event.deadline, event.at)}"
        case Waiting():
            return f"still waiting for {event.subject}"
        case Migrating():
            return f"migration: the task is still {event.last_status.lower()}"
        case _:
            return None


# For a person at a terminal: the lines of a pipeline, and below them a view that moves.

LIFECYCLE_MARKS: Final = {"Succeeded": "ok", "InProgress": "..", "Failed": "FAILED", "Pending": "  ", "Skipped": "--"}
REFRESHES_PER_SECOND: Final = 2


class TerminalPainter:
    """Context manager; the view is gone when it ends, and the lines stay. NO_COLOR and the width are rich's to heed."""

    def __init__(self, console: Console, now: Callable[[], datetime]) -> None:
        self.lines = LinePainter(self.print_line, now)
        self.console = console
        self.live = Live(console=console, transient=True, refresh_per_second=REFRESHES_PER_SECOND)

    def __enter__(self) -> Self:
        self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.__exit__(kind, error, trace)

    def paint(self, event: ReleaseEvent) -> None:
        self.lines.paint(event)
        shown = list(view(event))
        if shown or isinstance(event, Ended):
            self.live.update(Text("\n".join(shown)))

    def print_line(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


def view(event: ReleaseEvent) -> Iterator[str]:
    """What moves right now; nothing for an event that happens once."""
    match event:
        case Shifting():
            yield from of_shift(event)
        case WorkerProgress():
            yield f"  {worker_tasks(event)}, {left(event.deadline, event.at)}"
        case Migrating():
            yield f"  migration: the task is {event.last_status.lower()}"
        case Waiting():
            yield f"  waiting for {event.subject}"


def of_shift(event: Shifting) -> Iterator[str]:
    what = "taking back" if event.rolls_back else "deployment"
    head = f"{what} {event.deployment.id}  {event.deployment.status}"
    yield f"  {head}  {duration(event.at - event.started_at)}, {time_left(event)}"
    new, _ = sets_of(event)
    if new is not None:
        yield f"  traffic  {bar(new.traffic_percent)}  {traffic(event)}"
        yield f"  tasks    {tasks(event)}"
    if event.target is not None:
        yield f"  life     {'  '.join(lifecycle(each) for each in event.target.lifecycle)}"
    fired = [alarm.name for alarm in event.alarms if alarm.state == "ALARM"]
    if event.alarms:
        quiet = len(event.alarms) - len(fired)
        loud = f", in ALARM: {', '.join(fired)}" if fired else ""
        yield f"  alarms   {quiet} quiet{loud}"


def lifecycle(event: LifecycleEvent) -> str:
    return f"{event.name} {LIFECYCLE_MARKS.get(event.status, '?')}".rstrip()
