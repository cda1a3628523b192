"""For a pipeline's log: a line for each change of state, and one a minute so that silence means something."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.progress.wording import (
    check_line,
    doing,
    duration,
    left,
    outcome_lines,
    revision_name,
    tasks,
    time_left,
    title,
    traffic,
    worker_tasks,
)
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
