"""Before a stack is changed: wait for a running operation, and clean up what a failure left."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from platform_sdk.deploy.apply.events import (
    ApplyContext,
    Declined,
    FailedResource,
    ResourceMoved,
    StackFailed,
    ToContinueRollback,
    ToDelete,
    Waiting,
    Warned,
    WouldBeLost,
)
from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.state import ChangeSet, ResourceChange, Stack, StackEvent, StackResource, given_reason
from platform_sdk.deploy.state.stacks import FAILED, REVIEW, ROLLBACK_FAILED

# Follow an operation of CloudFormation, event by event, to its end.

POLL_SECONDS: Final = 3.0
IN_PROGRESS: Final = "_IN_PROGRESS"
STACK: Final = "AWS::CloudFormation::Stack"
BEGUN: Final = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"})


def follow(stack: str, context: ApplyContext, *, after: str | None) -> tuple[StackEvent, ...]:
    """Emit every event after one, until CloudFormation is done.

    Args:
        stack: its name, or its id: a deleted stack is found by its id only.

    Raises:
        Interrupted: the update continues on AWS.
    """
    seen: list[StackEvent] = []
    while True:
        found = _new_events(stack, context, after=seen[-1].id if seen else after)
        seen += found
        if any(map(is_end, seen)):
            return tuple(seen)
        if not found and (names := resources_in_progress(seen)):
            context.emit(Waiting(stack=_stack_name_of(stack), subject=listed(names)))
        context.pause(POLL_SECONDS)


def resources_in_progress(events: Sequence[StackEvent]) -> list[str]:
    """Return the logical ids of the resources that CloudFormation is changing."""
    last = {event.logical_id: event.status for event in events if event.type != STACK}
    return sorted(name for name, status in last.items() if status.endswith(IN_PROGRESS))


def _new_events(stack: str, context: ApplyContext, *, after: str | None) -> tuple[StackEvent, ...]:
    found = context.aws.stacks.events(stack, after=after)
    for event in found:
        context.emit(ResourceMoved(stack=_stack_name_of(stack), event=event))
    return found


def is_end(event: StackEvent) -> bool:
    """Return whether the operation ended. No stack of ours is nested."""
    return event.type == STACK and event.status.endswith(("_COMPLETE", "_FAILED"))


def current(events: Sequence[StackEvent]) -> tuple[StackEvent, ...]:
    """Return the events of the newest operation."""
    begun = [index for index, event in enumerate(events) if event.type == STACK and event.status in BEGUN]
    return tuple(events[begun[-1] :]) if begun else tuple(events)


def first_failure(events: Sequence[StackEvent]) -> FailedResource | None:
    """Return what failed first. Everything else was only cancelled, or rolled back, because of it."""
    for event in events:
        if event.status.endswith("_FAILED") and event.type != STACK and "cancelled" not in event.reason.lower():
            return FailedResource(
                logical_id=event.logical_id, type=event.type, status=event.status, reason=event.reason
            )
    return None


def _stack_name_of(name_or_id: str) -> str:
    return name_or_id.split("/")[1] if name_or_id.startswith("arn:") else name_or_id


# What a change set would delete permanently: data, messages, images, secrets, logs, keys, names.

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
"""Types that hold data."""

KEPT: Final = "Retain"
"""The policy of a resource that stays on AWS when it leaves its stack."""


def refuse_losses(change_set: ChangeSet, replaceable: Iterable[str]) -> None:
    """Raise WouldBeLost with each resource that would be lost, and the option that allows it."""
    allowed = frozenset(replaceable)
    losses = tuple(each for each in losses_of(change_set) if each.logical_id not in allowed)
    if losses:
        raise WouldBeLost(
            f"the change of {change_set.stack} would delete data: nothing was changed",
            losses=losses,
            because="; ".join(map(_loss_words, losses)),
            hint="if you mean it, add " + " ".join(f"--allow-replace {each.logical_id}" for each in losses),
        )


def losses_of(change_set: ChangeSet) -> Iterator[ResourceChange]:
    """Yield the losses. A conditional replacement counts: CloudFormation decides when it is too late."""
    for change in change_set.changes:
        is_removed = change.action == "Remove" and change.policy_action != KEPT
        is_replaced = change.action == "Modify" and change.replacement in ("True", "Conditional")
        if change.type in STATEFUL and (is_removed or is_replaced):
            yield change


def _loss_words(change: ResourceChange) -> str:
    named = f"{change.logical_id} ({change.type}, {change.physical_id})"
    if change.action == "Remove":
        return f"{named} would be deleted"
    by = f" because of {', '.join(change.properties)}" if change.properties else ""
    return f"{named} {'would' if change.replacement == 'True' else 'might'} be replaced by an empty one{by}"


def recover_stack(stack: Stack | None, context: ApplyContext, role_arn: str | None = None) -> Stack | None:
    """Clean up after a failure. Return the stack to update, or None if it must be created. A stack that
    stayed in the state of a failed update can be updated from there.

    Args:
        stack: from `wait_until_stable`.
        role_arn: of the role that changes it.

    Raises:
        Declined: the answer was no.
        StackFailed: the clean-up failed.
        WouldBeLost
    """
    if stack is None or stack.status == REVIEW:
        return None
    if not stack.is_created:
        _delete(stack, context)
        return None
    if stack.status == ROLLBACK_FAILED:
        return _continue_rollback(stack, context, role_arn)
    return stack


def wait_until_stable(name: str, context: ApplyContext) -> Stack | None:
    """Wait for an operation that somebody else started, or we before an interruption. Return the stack."""
    while True:
        stack = context.aws.stacks.stack(name)
        if stack is None or stack.status == REVIEW or not stack.status.endswith("_IN_PROGRESS"):
            return stack
        context.emit(Waiting(stack=name, subject=f"the running operation: {stack.status}"))
        watch(stack, context)


def watch(stack: Stack, context: ApplyContext) -> None:
    """Follow an operation that is running already. If it fails, that is a warning, and no error of ours."""
    events = current(context.aws.stacks.events(stack.id, after=None))
    for event in events:
        context.emit(ResourceMoved(stack=stack.name, event=event))
    if not any(map(is_end, events)):
        events += follow(stack.id, context, after=events[-1].id if events else None)
    failure = first_failure(events)
    if failure is not None:
        context.emit(Warned(stack=stack.name, what=f"{failure.logical_id} failed: {given_reason(failure.reason)}"))


def _delete(stack: Stack, context: ApplyContext) -> None:
    remaining = [each for each in context.aws.stacks.resources(stack.name) if _exists(each)]
    refuse_to_delete(stack, remaining, context)
    question = ToDelete(stack=stack.name, status=stack.status, resources=tuple(each.logical_id for each in remaining))
    if not context.agree(question):
        raise Declined(
            f"{stack.name} is {stack.status}, and must be deleted before it can be created",
            hint=f"`aws cloudformation delete-stack --stack-name {stack.name}` does it manually",
        )
    after = context.aws.stacks.last_event(stack.id)
    context.emit(Waiting(stack=stack.name, subject="what a failed creation left to be deleted"))
    context.aws.stacks.delete(stack.name)
    events = follow(stack.id, context, after=after)
    if events[-1].status != "DELETE_COMPLETE":
        raise StackFailed(
            f"{stack.name} could not be deleted",
            stack=stack.name,
            status=events[-1].status,
            resource=first_failure(events),
            because=_reason_of(events),
        )


def _reason_of(events: Sequence[StackEvent]) -> str:
    failure = first_failure(events)
    return given_reason(failure.reason if failure else events[-1].reason)


def _exists(resource: StackResource) -> bool:
    return bool(resource.physical_id) and resource.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")


def refuse_to_delete(stack: Stack, remaining: list[StackResource], context: ApplyContext) -> None:
    """Raise WouldBeLost if the deletion would delete data."""
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
        for each in remaining
        if each.type in STATEFUL and each.logical_id not in context.replaceable
    )
    if losses:
        raise WouldBeLost(
            f"{stack.name} is {stack.status} and must be deleted, and {losses[0].logical_id} with it",
            losses=losses,
            because=f"it exists: {losses[0].physical_id}",
            hint="if you mean it, add " + " ".join(f"--allow-replace {each.logical_id}" for each in losses),
        )


def _continue_rollback(stack: Stack, context: ApplyContext, role_arn: str | None) -> Stack:
    if not context.agree(ToContinueRollback(stack=stack.name)):
        raise Declined(
            f"{stack.name} is {stack.status}: its rollback must continue before it can be changed",
            hint=f"`aws cloudformation continue-update-rollback --stack-name {stack.name}` does it manually",
        )
    skipped = resources_to_skip(stack, context)
    after = context.aws.stacks.last_event(stack.id)
    context.emit(Waiting(stack=stack.name, subject="the rollback to continue"))
    context.aws.stacks.continue_rollback(stack.name, role_arn=role_arn, skipped=skipped)
    events = follow(stack.id, context, after=after)
    failure = first_failure(events)
    if events[-1].status != "UPDATE_ROLLBACK_COMPLETE":
        raise StackFailed(
            f"the rollback of {stack.name} stopped again",
            stack=stack.name,
            status=events[-1].status,
            resource=failure,
            because=_reason_of(events),
            hint="fix what the reason names and run the same command again, or skip that resource: "
            f"--skip {failure.logical_id if failure else 'LOGICAL_ID'}",
        )
    for each in skipped:
        what = f"{each} was not rolled back: CloudFormation assumes that it was, so restore it manually"
        context.emit(Warned(stack=stack.name, what=what))
    found = context.aws.stacks.stack(stack.name)
    assert found is not None, "a stack that was rolled back exists"
    return found


def resources_to_skip(stack: Stack, context: ApplyContext) -> tuple[str, ...]:
    """Return the skippable resources that the rollback failed for: CloudFormation skips no others."""
    if not context.skippable:
        return ()
    resources = context.aws.stacks.resources(stack.name)
    return tuple(
        each.logical_id for each in resources if each.status == FAILED and each.logical_id in context.skippable
    )
