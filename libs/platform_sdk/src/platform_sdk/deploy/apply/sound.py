"""Before a stack is changed: what is under way comes to its end, and what a failure has left is cleared up."""

from collections.abc import Sequence

from platform_sdk.deploy.apply.errors import Declined, StackFailed, WouldBeLost
from platform_sdk.deploy.apply.events import ResourceMoved, ToDelete, ToGoOn, Waiting, Warned
from platform_sdk.deploy.apply.follow import current, first_failure, follow, is_end
from platform_sdk.deploy.apply.losses import STATEFUL
from platform_sdk.deploy.apply.tools import Tools
from platform_sdk.deploy.state import ResourceChange, Stack, StackEvent, StackResource
from platform_sdk.deploy.state.stacks import FAILED, REVIEW, ROLLBACK_FAILED


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
        stack = tools.ask(lambda: tools.aws.stacks.stack(name))
        if stack is None or stack.status == REVIEW or not stack.status.endswith("_IN_PROGRESS"):
            return stack
        tools.tell(Waiting(stack=name, subject=f"what is under way already: {stack.status}"))
        watch(stack, tools)


def watch(stack: Stack, tools: Tools) -> None:
    """An operation of which the beginning was missed; how it failed is told, and is no error of ours."""
    events = current(tools.ask(lambda: tools.aws.stacks.events(stack.id, after=None)))
    for event in events:
        tools.tell(ResourceMoved(stack=stack.name, event=event))
    if not any(map(is_end, events)):
        events += follow(stack.id, tools, after=events[-1].id if events else None)
    failure = first_failure(events)
    if failure is not None:
        tools.tell(Warned(stack=stack.name, what=f"{failure.logical_id} failed: {failure.reason}"))


def delete(stack: Stack, tools: Tools) -> None:
    left = [each for each in tools.ask(lambda: tools.aws.stacks.resources(stack.name)) if is_left(each)]
    refuse_to_lose(stack, left, tools)
    question = ToDelete(stack=stack.name, status=stack.status, left=tuple(each.logical_id for each in left))
    if not tools.agree(question):
        raise Declined(
            f"{stack.name} is {stack.status}, and would have to be deleted before it can be created",
            hint=f"`aws cloudformation delete-stack --stack-name {stack.name}` does it by hand",
        )
    after = tools.ask(lambda: tools.aws.stacks.last_event(stack.id))
    tools.tell(Waiting(stack=stack.name, subject="the end of what a failed creation has left"))
    tools.ask(lambda: tools.aws.stacks.delete(stack.name))
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
    after = tools.ask(lambda: tools.aws.stacks.last_event(stack.id))
    tools.tell(Waiting(stack=stack.name, subject="the rollback to go on"))
    tools.ask(lambda: tools.aws.stacks.continue_rollback(stack.name, role_arn=role_arn, skipped=skipped))
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
    found = tools.ask(lambda: tools.aws.stacks.stack(stack.name))
    assert found is not None, "a stack that was rolled back is there"
    return found


def unrestored(stack: Stack, tools: Tools) -> tuple[str, ...]:
    """Of what may be left as it is, what the rollback has failed for: CloudFormation skips nothing else."""
    if not tools.skippable:
        return ()
    resources = tools.ask(lambda: tools.aws.stacks.resources(stack.name))
    return tuple(each.logical_id for each in resources if each.status == FAILED and each.logical_id in tools.skippable)
