"""For a person at a terminal: the lines of a pipeline, and below them a view that moves."""

from collections.abc import Callable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from platform_sdk.deploy.output.release import (
    LinePainter,
    bar,
    duration,
    left,
    sets_of,
    tasks,
    time_left,
    traffic,
    worker_tasks,
)
from platform_sdk.deploy.release.events import Ended, Migrating, ReleaseEvent, Shifting, Waiting, WorkerProgress
from platform_sdk.deploy.state import LifecycleEvent

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
