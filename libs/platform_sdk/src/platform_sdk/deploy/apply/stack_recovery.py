"""Before a stack is changed: what is under way comes to its end, and what a failure has left is cleared up."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from platform_sdk.deploy.apply.context import Tools
from platform_sdk.deploy.apply.events import (
    Declined,
    FailedResource,
    ResourceMoved,
    StackFailed,
    ToDelete,
    ToGoOn,
    Waiting,
    Warned,
    WouldBeLost,
)
from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.state import ChangeSet, ResourceChange, Stack, StackEvent, StackResource
from platform_sdk.deploy.state.stacks import FAILED, REVIEW, ROLLBACK_FAILED

# Follows what CloudFormation does with a stack, event by event, to its end.

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
    found = tools.aws.stacks.events(stack, after=after)
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


# What a change set would take away for good: data, messages, images, secrets, logs, keys, names.

STATEFUL: Final = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::ECR::Repository",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::Route53::HostedZone",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)
"""Types that hold what nobody can make again."""

KEPT: Final = "Retain"
"""What becomes of a resource that leaves its stack and stays on AWS."""


def refuse_losses(change_set: ChangeSet, replaceable: Iterable[str]) -> None:
    """
    Raises:
        WouldBeLost: naming each, and how to say that it may be.
    """
    allowed = frozenset(replaceable)
    losses = tuple(each for each in losses_of(change_set) if each.logical_id not in allowed)
    if losses:
        raise WouldBeLost(
            f"the change of {change_set.stack} would take away what it holds: nothing was changed",
            losses=losses,
            because="; ".join(map(loss_words, losses)),
            hint="if that is meant: " + " ".join(f"--allow-replace {each.logical_id}" for each in losses),
        )


def losses_of(change_set: ChangeSet) -> Iterator[ResourceChange]:
    """What might be replaced counts as well: CloudFormation finds out when it is too late."""
    for change in change_set.changes:
        is_removed = change.action == "Remove" and change.policy_action != KEPT
        is_replaced = change.action == "Modify" and change.replacement in ("True", "Conditional")
        if change.type in STATEFUL and (is_removed or is_replaced):
            yield change


def loss_words(change: ResourceChange) -> str:
    named = f"{change.logical_id} ({change.type}, {change.physical_id})"
    if change.action == "Remove":
        return f"{named} would be deleted"
    by = f" because of {', '.join(change.properties)}" if change.properties else ""
    return f"{named} {'would' if change.replacement == 'True' else 'might'} be replaced by an empty one{by}"


def sound(stack: Stack | None, tools: Tools, role_arn: str | None = None) -> Stack | None:
    """The stack as it may be updated; None where it is to be created. One that is left as an update failed may be
    updated as it is.

    Args:
        stack: as `settled` found it.
        role_arn: of the role that changes it.

    Raises:
        Declined: something would have to be cleared up.
        StackFailed: it could not be cleared up.
        WouldBeLost
    """
    if stack is None or stack.status == REVIEW:
        return None
    if not stack.is_created:
        delete(stack, tools)
        return None
    if stack.status == ROLLBACK_FAILED:
        return rolled_back(stack, tools, role_arn)
    return stack


def settled(name: str, tools: Tools) -> Stack | None:
    """Waits for what somebody else has begun, or we before we were interrupted."""
    while True:
        stack = tools.aws.stacks.stack(name)
        if stack is None or stack.status == REVIEW or not stack.status.endswith("_IN_PROGRESS"):
            return stack
        tools.tell(Waiting(stack=name, subject=f"what is under way already: {stack.status}"))
        watch(stack, tools)


def watch(stack: Stack, tools: Tools) -> None:
    """An operation of which the beginning was missed; how it failed is told, and is no error of ours."""
    events = current(tools.aws.stacks.events(stack.id, after=None))
    for event in events:
        tools.tell(ResourceMoved(stack=stack.name, event=event))
    if not any(map(is_end, events)):
        events += follow(stack.id, tools, after=events[-1].id if events else None)
    failure = first_failure(events)
    if failure is not None:
        tools.tell(Warned(stack=stack.name, what=f"{failure.logical_id} failed: {failure.reason}"))


def delete(stack: Stack, tools: Tools) -> None:
    left = [each for each in tools.aws.stacks.resources(stack.name) if is_left(each)]
    refuse_to_lose(stack, left, tools)
    question = ToDelete(stack=stack.name, status=stack.status, left=tuple(each.logical_id for each in left))
    if not tools.agree(question):
        raise Declined(
            f"{stack.name} is {stack.status}, and would have to be deleted before it can be created",
            hint=f"`aws cloudformation delete-stack --stack-name {stack.name}` does it by hand",
        )
    after = tools.aws.stacks.last_event(stack.id)
    tools.tell(Waiting(stack=stack.name, subject="the end of what a failed creation has left"))
    tools.aws.stacks.delete(stack.name)
    events = follow(stack.id, tools, after=after)
    if events[-1].status != "DELETE_COMPLETE":
        raise StackFailed(
            f"{stack.name} could not be deleted",
            stack=stack.name,
            status=events[-1].status,
            resource=first_failure(events),
            because=reason_of(events),
        )


def reason_of(events: Sequence[StackEvent]) -> str:
    failure = first_failure(events)
    return failure.reason if failure else events[-1].reason


def is_left(resource: StackResource) -> bool:
    return bool(resource.physical_id) and resource.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")


def refuse_to_lose(stack: Stack, left: list[StackResource], tools: Tools) -> None:
    """
    Raises:
        WouldBeLost
    """
    losses = tuple(
        ResourceChange(
            action="Remove",
            logical_id=each.logical_id,
            physical_id=each.physical_id,
            type=each.type,
            replacement="",
            scope=(),
            properties=(),
        )
        for each in left
        if each.type in STATEFUL and each.logical_id not in tools.replaceable
    )
    if losses:
        raise WouldBeLost(
            f"{stack.name} is {stack.status} and has to be deleted, and {losses[0].logical_id} with it",
            losses=losses,
            because=f"it is there already: {losses[0].physical_id}",
            hint="if that is meant: " + " ".join(f"--allow-replace {each.logical_id}" for each in losses),
        )


def rolled_back(stack: Stack, tools: Tools, role_arn: str | None) -> Stack:
    if not tools.agree(ToGoOn(stack=stack.name)):
        raise Declined(
            f"{stack.name} is {stack.status}: its rollback has to go on before it can be changed",
            hint=f"`aws cloudformation continue-update-rollback --stack-name {stack.name}` does it by hand",
        )
    skipped = unrestored(stack, tools)
    after = tools.aws.stacks.last_event(stack.id)
    tools.tell(Waiting(stack=stack.name, subject="the rollback to go on"))
    tools.aws.stacks.continue_rollback(stack.name, role_arn=role_arn, skipped=skipped)
    events = follow(stack.id, tools, after=after)
    failure = first_failure(events)
    if events[-1].status != "UPDATE_ROLLBACK_COMPLETE":
        raise StackFailed(
            f"the rollback of {stack.name} stopped again",
            stack=stack.name,
            status=events[-1].status,
            resource=failure,
            because=reason_of(events),
            hint="mend by hand what the reason names and give the same command again, or leave that resource as it is: "
            f"--skip {failure.logical_id if failure else 'LOGICAL_ID'}",
        )
    for each in skipped:
        what = f"{each} was not rolled back: CloudFormation takes it to be as it was, so put it right by hand"
        tools.tell(Warned(stack=stack.name, what=what))
    found = tools.aws.stacks.stack(stack.name)
    assert found is not None, "a stack that was rolled back is there"
    return found


def unrestored(stack: Stack, tools: Tools) -> tuple[str, ...]:
    """Of what may be left as it is, what the rollback has failed for: CloudFormation skips nothing else."""
    if not tools.skippable:
        return ()
    resources = tools.aws.stacks.resources(stack.name)
    return tuple(each.logical_id for each in resources if each.status == FAILED and each.logical_id in tools.skippable)
