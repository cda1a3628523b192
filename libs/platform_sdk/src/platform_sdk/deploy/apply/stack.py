"""Create or update one stack through a change set."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from platform_sdk.deploy.apply.events import (
    ApplyContext,
    Changing,
    Declined,
    Ended,
    FailedResource,
    StackFailed,
    StackOutcome,
    TemplateTooLarge,
    ToChange,
    WouldBeLost,
)
from platform_sdk.deploy.apply.stack_recovery import (
    GOOD,
    first_failure,
    follow,
    is_end,
    recover_stack,
    refuse_losses,
    wait_until_stable,
)
from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.state import ChangeSet, Json, Stack, StackEvent

REMEDIES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (
            r"parameters?:? \[?.*(/platform/|ssm:).*(cannot be found|parameter store)",
            "a shared stack that it needs does not exist: `platform apply --shared --env {environment}`",
        ),
        (
            r"already exists|already in use|duplicate",
            "a resource of that name was created outside this stack: delete it if nobody needs it, or import it "
            "(docs.aws.amazon.com/AWSCloudFormation, `Import AWS resources`)",
        ),
        (
            r"service.linked role",
            "AWS creates the role when somebody with that permission first uses the service: "
            "`aws iam create-service-linked-role`",
        ),
        (
            r"role .*(is invalid or cannot be assumed|cannot be assumed|does not exist)",
            "the role that changes the stack does not exist: `platform apply --shared --env {environment}`",
        ),
        (
            r"not authorized|access ?denied|unauthorized",
            "give the role that the reason names that permission, or use credentials that have it",
        ),
        (
            r"limit ?exceeded|quota|maximum number|exceeded the number|too many",
            "request more under Service Quotas in the console, or delete unused resources",
        ),
        (
            r"certificate|dns validation|pending validation",
            "the certificate waits until the hosted zone is delegated: enter the zone's name servers where the domain "
            "is registered",
        ),
        (
            r"did not stabilize|exceeded attempts to wait|circuit breaker|steady state",
            "its tasks do not stay up: see `platform status` and the log group of the service",
        ),
        (r"rate exceeded|throttl", "too many requests at once: run the same command again"),
        (r"termination ?protection", "the stack is protected: end that in the console first, if you mean it"),
    )
)
"""For the reasons that CloudFormation gives most often."""


def remedy_for(reason: str, environment: str) -> str | None:
    """Return the first that fits; None for an unknown reason."""
    for pattern, remedy in REMEDIES:
        if pattern.search(reason):
            return remedy.format(environment=environment)
    return None


MAX_TEMPLATE_BYTES: Final = 51_200
"""Of one call (docs.aws.amazon.com/AWSCloudFormation, quotas)."""

POLL_SECONDS: Final = 1.0
MAX_POLLS: Final = 600
"""Until a change set must be ready."""

BEGUN_ALREADY: Final = frozenset({"InvalidChangeSetStatus", "ChangeSetNotFound"})
"""AWS's answers to the second execution of one change set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredStack:
    """A stack as it must become. `tags` are set when it is created: an update with others would
    touch every resource. CloudFormation uses the role `role_arn`, or the caller's permissions if it is None. Without
    `rolls_back`, the changes of a failed update stay.
    """

    name: str
    environment: str
    template: str
    parameters: tuple[Json, ...]
    tags: Mapping[str, str]
    role_arn: str | None = None
    protect: bool = False
    rolls_back: bool = True


def apply_stack(desired: DesiredStack, context: ApplyContext) -> StackOutcome:
    """Create or update a stack.

    Raises:
        StackFailed: with the first resource that failed, and why.
        WouldBeLost, Declined, TemplateTooLarge: nothing was changed.
        Interrupted: the operation continues on AWS.
        AwsCallFailed
    """
    _refuse_too_large(desired)
    began = context.clock.now()
    found = wait_until_stable(desired.name, context)
    before = recover_stack(found, context, desired.role_arn)
    change_set = ready_change_set(desired, before, context)
    if not change_set.is_empty:
        _execute_change_set(desired, before, change_set, context)
    elif before is not None and before.is_stuck:
        raise StackFailed(
            f"{desired.name} is {before.status}, and CloudFormation finds nothing in it to repair",
            stack=desired.name,
            status=before.status,
            hint="see its last events in the console; any applied change of the stack ends that state",
        )
    if desired.protect and (before is None or not before.is_protected):
        context.aws.stacks.protect(desired.name)
    outcome = StackOutcome(
        stack=desired.name,
        action=_action_of(found, before, change_set),
        changes=() if change_set.is_empty else change_set.changes,
        seconds=(context.clock.now() - began).total_seconds(),
    )
    context.emit(Ended(outcome=outcome))
    return outcome


def _action_of(
    found: Stack | None, before: Stack | None, change_set: ChangeSet
) -> Literal["created", "updated", "repaired", "unchanged"]:
    if not change_set.is_empty:
        return "created" if before is None else "updated"
    return "repaired" if found is not None and found.is_stuck else "unchanged"


def _refuse_too_large(desired: DesiredStack) -> None:
    size = len(desired.template.encode())
    if size > MAX_TEMPLATE_BYTES:
        raise TemplateTooLarge(
            f"the template of {desired.name} has {size} bytes, and CloudFormation takes {MAX_TEMPLATE_BYTES} in a call",
            hint="move some of its queues, alarms or scheduled tasks to another service",
        )


def ready_change_set(desired: DesiredStack, before: Stack | None, context: ApplyContext) -> ChangeSet:
    """Create a change set. One that changes nothing is deleted: a stack keeps a limited number."""
    name = change_set_name(desired, before, context.run)
    try:
        context.aws.stacks.create_change_set(
            desired.name,
            change_set=name,
            kind="CREATE" if before is None else "UPDATE",
            template=desired.template,
            parameters=desired.parameters,
            tags=desired.tags if before is None else None,
            role_arn=desired.role_arn,
        )
    except AwsCallFailed as error:
        raise refused(desired, error) from error
    change_set = _await_change_set(desired, name, context)
    if change_set.is_empty:
        context.aws.stacks.delete_change_set(desired.name, name)
    elif change_set.status == "FAILED":
        context.aws.stacks.delete_change_set(desired.name, name)
        raise StackFailed(
            f"CloudFormation cannot change {desired.name}",
            stack=desired.name,
            because=change_set.status_reason,
            hint=remedy_for(change_set.status_reason, desired.environment),
        )
    return change_set


def change_set_name(desired: DesiredStack, before: Stack | None, run: str) -> str:
    """Return the same name for the same content on the same stack in one run, so that the call may be repeated."""
    content = json.dumps([desired.template, desired.parameters, str(before and before.updated_at)]).encode()
    return f"apply-{run}-{hashlib.sha256(content).hexdigest()[:12]}"


def refused(desired: DesiredStack, error: AwsCallFailed) -> AwsCallFailed | StackFailed:
    """Return an error of template or parameters as StackFailed, and any other unchanged."""
    if error.code != "ValidationError":
        return error
    because = error.because or ""
    return StackFailed(
        f"CloudFormation refuses the change of {desired.name}",
        stack=desired.name,
        because=because,
        hint=remedy_for(because, desired.environment),
    )


def _await_change_set(desired: DesiredStack, name: str, context: ApplyContext) -> ChangeSet:
    for _ in range(MAX_POLLS):
        found = context.aws.stacks.change_set(desired.name, name)
        if found is not None and found.status in ("CREATE_COMPLETE", "FAILED"):
            return found
        context.pause(POLL_SECONDS)
    raise StackFailed(
        f"CloudFormation did not compute the change of {desired.name} within {MAX_POLLS // 60} minutes",
        stack=desired.name,
        hint="run the same command again",
    )


def _execute_change_set(
    desired: DesiredStack, before: Stack | None, change_set: ChangeSet, context: ApplyContext
) -> None:
    kind: Literal["create", "update"] = "create" if before is None else "update"
    try:
        refuse_losses(change_set, context.replaceable)
        context.emit(Changing(stack=desired.name, kind=kind, changes=change_set.changes))
        if not context.agree(ToChange(stack=desired.name, kind=kind, changes=change_set.changes)):
            raise Declined(f"{desired.name} is unchanged", hint="nothing after it was changed either")
    except (Declined, WouldBeLost):
        context.aws.stacks.delete_change_set(desired.name, change_set.name)
        raise
    after = context.aws.stacks.last_event(desired.name)
    begin(desired, change_set.name, context)
    _refuse_failed(desired, follow(desired.name, context, after=after))


def begin(desired: DesiredStack, change_set: str, context: ApplyContext) -> None:
    """Start the execution. A repeated call may find that the first one has started it."""
    try:
        context.aws.stacks.execute(desired.name, change_set, rolls_back=desired.rolls_back)
    except AwsCallFailed as error:
        if error.code not in BEGUN_ALREADY or not error.may_have_happened:
            raise


def _refuse_failed(desired: DesiredStack, events: Sequence[StackEvent]) -> None:
    end = next(event for event in events if is_end(event))
    if end.status in GOOD:
        return
    failure = first_failure(events)
    reason = failure.reason if failure else end.reason
    raise StackFailed(
        f"{desired.name} is {end.status}: {_failed_words(failure)}",
        stack=desired.name,
        status=end.status,
        resource=failure,
        because=reason,
        hint=remedy_for(reason, desired.environment) or "fix what the reason names, and run the same command again",
    )


def _failed_words(failure: FailedResource | None) -> str:
    return "its change failed" if failure is None else f"{failure.logical_id} ({failure.type}) failed first"
