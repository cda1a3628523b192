"""Follows what CloudFormation does with a stack, event by event, to its end."""

from collections.abc import Sequence
from typing import Final

from platform_sdk.deploy.apply.errors import FailedResource
from platform_sdk.deploy.apply.events import ResourceMoved, Waiting
from platform_sdk.deploy.apply.tools import Tools
from platform_sdk.deploy.faults import listed
from platform_sdk.deploy.state import StackEvent

POLL_SECONDS: Final = 3.0
IN_PROGRESS: Final = "_IN_PROGRESS"
STACK: Final = "AWS::CloudFormation::Stack"
BEGUN: Final = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"})


def follow(stack: str, tools: Tools, *, after: str | None) -> tuple[StackEvent, ...]:
    """Tells every event that comes after one, until CloudFormation is done.

    Args:
        stack: its name, or its id, by which one that is deleted is still found.

    Raises:
        Interrupted: the update goes on without us.
    """
    seen: list[StackEvent] = []
    while True:
        found = new_events(stack, tools, after=seen[-1].id if seen else after)
        seen += found
        if any(map(is_end, seen)):
            return tuple(seen)
        if not found and (names := under_way(seen)):
            tools.tell(Waiting(stack=stack_name_of(stack), subject=listed(names)))
        tools.wait(POLL_SECONDS)


def under_way(events: Sequence[StackEvent]) -> list[str]:
    """Logical ids of the resources that CloudFormation works on."""
    last = {event.logical_id: event.status for event in events if event.type != STACK}
    return sorted(name for name, status in last.items() if status.endswith(IN_PROGRESS))


def new_events(stack: str, tools: Tools, *, after: str | None) -> tuple[StackEvent, ...]:
    found = tools.ask(lambda: tools.aws.stacks.events(stack, after=after))
    for event in found:
        tools.tell(ResourceMoved(stack=stack_name_of(stack), event=event))
    return found


def is_end(event: StackEvent) -> bool:
    """Of a stack without nested ones."""
    return event.type == STACK and event.status.endswith(("_COMPLETE", "_FAILED"))


def current(events: Sequence[StackEvent]) -> tuple[StackEvent, ...]:
    """Those of the newest operation."""
    begun = [index for index, event in enumerate(events) if event.type == STACK and event.status in BEGUN]
    return tuple(events[begun[-1] :]) if begun else tuple(events)


def first_failure(events: Sequence[StackEvent]) -> FailedResource | None:
    """What failed first: everything else was only cancelled, or rolled back, for its sake."""
    for event in events:
        if event.status.endswith("_FAILED") and event.type != STACK and "cancelled" not in event.reason.lower():
            return FailedResource(
                logical_id=event.logical_id, type=event.type, status=event.status, reason=event.reason
            )
    return None


def stack_name_of(name_or_id: str) -> str:
    return name_or_id.split("/")[1] if name_or_id.startswith("arn:") else name_or_id
