"""What `platform apply` prints: a line for each change of state, and a JSON document at the end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from platform_sdk.deploy.apply.events import (
    ApplyEvent,
    Changing,
    Ended,
    ResourceMoved,
    StackFailed,
    StackOutcome,
    Waiting,
    Warned,
    WouldBeLost,
)
from platform_sdk.deploy.apply.stack_recovery import IN_PROGRESS, STACK
from platform_sdk.deploy.config_errors import counted, error_document
from platform_sdk.deploy.output.records import fields_of
from platform_sdk.deploy.output.release import duration
from platform_sdk.deploy.state import Json, ResourceChange
from platform_sdk.errors import PlatformError

FORMAT_VERSION: Final = 1
SIGNS: Final = {"Add": "+", "Modify": "~", "Remove": "-", "Import": "+", "Dynamic": "~"}


class LineRenderer:
    """Print events as lines. Leave out that a resource starts to change: most changes take seconds.

    Args:
        write: takes a line without its end.
        now: returns the current time.
    """

    def __init__(self, write: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self.write = write
        self.now = now
        self.started_at = now()
        self.printed: dict[tuple[str, str], str] = {}
        """The last line of each resource, as CloudFormation reports some states twice."""

    def render(self, event: ApplyEvent) -> None:
        """Write the lines of an event, each after the time since the start."""
        for line in self.lines(event):
            self.write(f"{duration(self.now() - self.started_at):>7}  {line}")

    def lines(self, event: ApplyEvent) -> Iterator[str]:
        """Yield the lines of an event. One that repeats what is on the screen yields none."""
        match event:
            case Waiting():
                yield from self.once(event.stack, "waiting", f"{event.stack}: waiting for {event.subject}")
            case Changing():
                yield f"{event.stack}: {event.kind} with {counted(len(event.changes), 'change')}"
                yield from map(_change_line, event.changes)
            case ResourceMoved(event=moved) if moved.type != STACK and moved.status.endswith(IN_PROGRESS):
                return
            case ResourceMoved():
                moved = event.event
                reason = f": {moved.reason}" if moved.status.endswith("_FAILED") and moved.reason else ""
                line = f"{event.stack}: {moved.logical_id} {moved.status}{reason}"
                yield from self.once(event.stack, moved.logical_id, line)
            case Warned():
                yield f"{event.stack}: warning: {event.what}"
            case Ended():
                yield f"{event.outcome.stack}: {_outcome_words(event.outcome)}"

    def once(self, stack: str, subject: str, line: str) -> Iterator[str]:
        """Yield the line unless it is the last about this subject."""
        if self.printed.get((stack, subject)) != line:
            self.printed[stack, subject] = line
            yield line


def _change_line(change: ResourceChange) -> str:
    sign = "!" if change.replacement == "True" else SIGNS.get(change.action, "~")
    what = f" ({', '.join(change.properties)})" if change.properties else ""
    replaced = {"True": ", replaced", "Conditional": ", may be replaced"}.get(change.replacement, "")
    return f"  {sign} {change.logical_id}  {change.type}{what}{replaced}"


def _outcome_words(outcome: StackOutcome) -> str:
    if not outcome.changes:
        return outcome.action
    return f"{outcome.action}, {counted(len(outcome.changes), 'change')}, {outcome.seconds:.0f} s"


def summary(outcomes: Sequence[StackOutcome]) -> str:
    """Return a line such as `2 created, 1 updated, 9 unchanged`."""
    actions = [outcome.action for outcome in outcomes]
    kinds = ("created", "updated", "repaired", "unchanged")
    return ", ".join(f"{actions.count(kind)} {kind}" for kind in kinds if kind in actions) or "up to date"


def document(
    environment: str,
    service: str | None,
    outcomes: Iterable[StackOutcome],
    *,
    manual_steps: Sequence[str] = (),
    database_roles: Sequence[str] = (),
    grace_period_seconds: int | None = None,
    error: PlatformError | None = None,
    signal_number: int | None = None,
) -> Json:
    """Return what was done as a JSON document.

    Args:
        manual_steps: manual steps that remain.
        signal_number: the signal that ended the command, if one did.
    """
    interrupted = signal_number is not None
    return {
        "format_version": FORMAT_VERSION,
        "outcome": "error" if error else "interrupted" if interrupted else "applied",
        "exit_code": error.exit_code if error else 128 + signal_number if signal_number is not None else 0,
        "environment": environment,
        "service": service,
        "stacks": [
            fields_of(each) | {"changes": [_change_document(change) for change in each.changes]} for each in outcomes
        ],
        "grace_period_seconds": grace_period_seconds,
        "database_roles": list(database_roles),
        "manual_steps": list(manual_steps),
        "interrupted": interrupted,
        "error": None if error is None else _failure_document(error),
    }


def _change_document(change: ResourceChange) -> Json:
    keys = ("action", "logical_id", "physical_id", "type", "replacement", "properties")
    fields = fields_of(change)
    return {key: fields[key] for key in keys}


def _failure_document(error: PlatformError) -> Json:
    document = error_document(error)
    match error:
        case StackFailed():
            failed = error.resource
            resource = failed and {"logical_id": failed.logical_id, "type": failed.type, "reason": failed.reason}
            return document | {"stack": error.stack, "status": error.status, "resource": resource}
        case WouldBeLost():
            return document | {"losses": [_change_document(each) for each in error.losses]}
        case _:
            return document
