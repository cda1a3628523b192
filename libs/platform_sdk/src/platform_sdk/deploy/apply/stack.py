"""One stack, brought about."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from platform_sdk.deploy.apply.context import Tools
from platform_sdk.deploy.apply.events import (
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
from platform_sdk.deploy.apply.stack_recovery import GOOD, first_failure, follow, is_end, refuse_losses, settled, sound
from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.state import ChangeSet, Json, Stack, StackEvent

# What to do about the reasons that CloudFormation gives most often.

REMEDIES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (
            r"parameters?:? \[?.*(/platform/|ssm:).*(cannot be found|parameter store)",
            "a shared stack that it needs is not there: `platform apply --shared --env {environment}`",
        ),
        (
            r"already exists|already in use|duplicate",
            "something of that name was made past this stack: delete it if nobody needs it, or import it "
            "(docs.aws.amazon.com/AWSCloudFormation, `Import AWS resources`)",
        ),
        (
            r"service.linked role",
            "AWS makes the role when somebody who may first uses the service: `aws iam create-service-linked-role`",
        ),
        (
            r"role .*(is invalid or cannot be assumed|cannot be assumed|does not exist)",
            "the role that changes the stack is not there: `platform apply --shared --env {environment}`",
        ),
        (
            r"not authorized|access ?denied|unauthorized",
            "let the role that the reason names do what it names, or use credentials that may",
        ),
        (
            r"limit ?exceeded|quota|maximum number|exceeded the number|too many",
            "ask for more under Service Quotas in the console, or delete what nobody needs",
        ),
        (
            r"certificate|dns validation|pending validation",
            "the certificate waits until the hosted zone is delegated: enter the zone's name servers where the domain "
            "is registered",
        ),
        (
            r"did not stabilize|exceeded attempts to wait|circuit breaker|steady state",
            "its tasks do not stay up: `platform status` and the log group of the service tell why",
        ),
        (
            r"rate exceeded|throttl",
            "AWS was asked too much at once: give the same command again",
        ),
        (
            r"termination ?protection",
            "the stack is protected: end that first in the console, if it is meant",
        ),
    )
)


def remedy_for(reason: str, environment: str) -> str | None:
    """The first that fits; None for a reason that is not known."""
    for pattern, remedy in REMEDIES:
        if pattern.search(reason):
            return remedy.format(environment=environment)
    return None


MAX_TEMPLATE_BYTES: Final = 51_200
"""In one call (docs.aws.amazon.com/AWSCloudFormation, quotas)."""

POLL_SECONDS: Final = 1.0
PATIENCE_POLLS: Final = 600
"""Until a change set has to be ready."""

BEGUN_ALREADY: Final = frozenset({"InvalidChangeSetStatus", "ChangeSetNotFound"})
"""What AWS says to the second execution of one change set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredStack:
    """`parameters` are as CloudFormation takes them. `tags` are given at its creation: an update with others would
    touch every resource. `role_arn` is the role that CloudFormation takes, None for the caller's own rights. Without
    `rolls_back`, what an update that fails has made stays.
    """

    name: str
    environment: str
    template: str
    parameters: tuple[Json, ...]
    tags: Mapping[str, str]
    role_arn: str | None = None
    protect: bool = False
    rolls_back: bool = True


def apply_stack(desired: DesiredStack, tools: Tools) -> StackOutcome:
    """
    Raises:
        StackFailed: with the first resource that failed, and why.
        WouldBeLost, Declined, TemplateTooLarge: nothing was changed.
        Interrupted: what is under way goes on.
        AwsCallFailed
    """
    refuse_too_large(desired)
    began = tools.clock.now()
    found = settled(desired.name, tools)
    before = sound(found, tools, desired.role_arn)
    change_set = ready_change_set(desired, before, tools)
    if not change_set.is_empty:
        carry_out(desired, before, change_set, tools)
    elif before is not None and before.is_stuck:
        raise StackFailed(
            f"{desired.name} is {before.status}, and CloudFormation finds nothing in it to put right",
            stack=desired.name,
            status=before.status,
            hint="look at its last events in the console; any change of the stack, applied, ends that state",
        )
    if desired.protect and (before is None or not before.is_protected):
        tools.aws.stacks.protect(desired.name)
    outcome = StackOutcome(
        stack=desired.name,
        action=action_of(found, before, change_set),
        changes=() if change_set.is_empty else change_set.changes,
        seconds=(tools.clock.now() - began).total_seconds(),
    )
    tools.tell(Ended(outcome=outcome))
    return outcome


def action_of(
    found: Stack | None, before: Stack | None, change_set: ChangeSet
) -> Literal["created", "updated", "repaired", "unchanged"]:
    if not change_set.is_empty:
        return "created" if before is None else "updated"
    return "repaired" if found is not None and found.is_stuck else "unchanged"


def refuse_too_large(desired: DesiredStack) -> None:
    size = len(desired.template.encode())
    if size > MAX_TEMPLATE_BYTES:
        raise TemplateTooLarge(
            f"the template of {desired.name} has {size} bytes, and CloudFormation takes {MAX_TEMPLATE_BYTES} in a call",
            hint="give some of its queues, alarms or scheduled tasks to another service",
        )


def ready_change_set(desired: DesiredStack, before: Stack | None, tools: Tools) -> ChangeSet:
    """One that changes nothing is deleted: nobody else would, and a stack keeps a limited number."""
    name = change_set_name(desired, before, tools.run)
    try:
        create_change_set(desired, before, name, tools)
    except AwsCallFailed as error:
        raise refused(desired, error) from error
    change_set = computed(desired, name, tools)
    if change_set.is_empty:
        tools.aws.stacks.delete_change_set(desired.name, name)
    elif change_set.status == "FAILED":
        tools.aws.stacks.delete_change_set(desired.name, name)
        raise StackFailed(
            f"CloudFormation cannot change {desired.name}",
            stack=desired.name,
            because=change_set.status_reason,
            hint=remedy_for(change_set.status_reason, desired.environment),
        )
    return change_set


def change_set_name(desired: DesiredStack, before: Stack | None, run: str) -> str:
    """The same for the same content on the same stack in one run, so that a call may be repeated whose answer was
    lost.
    """
    content = json.dumps([desired.template, desired.parameters, str(before and before.updated_at)]).encode()
    return f"apply-{run}-{hashlib.sha256(content).hexdigest()[:12]}"


def create_change_set(desired: DesiredStack, before: Stack | None, name: str, tools: Tools) -> None:
    kind: Literal["CREATE", "UPDATE"] = "CREATE" if before is None else "UPDATE"
    tools.aws.stacks.create_change_set(
        desired.name,
        change_set=name,
        kind=kind,
        template=desired.template,
        parameters=desired.parameters,
        tags=desired.tags if before is None else None,
        role_arn=desired.role_arn,
    )


def refused(desired: DesiredStack, error: AwsCallFailed) -> AwsCallFailed | StackFailed:
    """What is wrong with template or parameters is ours to mend; everything else stays what it is."""
    if error.code != "ValidationError":
        return error
    because = error.because or ""
    return StackFailed(
        f"CloudFormation refuses the change of {desired.name}",
        stack=desired.name,
        because=because,
        hint=remedy_for(because, desired.environment),
    )


def computed(desired: DesiredStack, name: str, tools: Tools) -> ChangeSet:
    for _ in range(PATIENCE_POLLS):
        found = tools.aws.stacks.change_set(desired.name, name)
        if found is not None and found.status in ("CREATE_COMPLETE", "FAILED"):
            return found
        tools.wait(POLL_SECONDS)
    raise StackFailed(
        f"CloudFormation did not work out the change of {desired.name} within {PATIENCE_POLLS // 60} minutes",
        stack=desired.name,
        hint="give the same command again",
    )


def carry_out(desired: DesiredStack, before: Stack | None, change_set: ChangeSet, tools: Tools) -> None:
    kind: Literal["create", "update"] = "create" if before is None else "update"
    try:
        refuse_losses(change_set, tools.replaceable)
        tools.tell(Changing(stack=desired.name, kind=kind, changes=change_set.changes))
        if not tools.agree(ToChange(stack=desired.name, kind=kind, changes=change_set.changes)):
            raise Declined(f"{desired.name} was left as it is", hint="nothing after it was changed either")
    except (Declined, WouldBeLost):
        tools.aws.stacks.delete_change_set(desired.name, change_set.name)
        raise
    after = tools.aws.stacks.last_event(desired.name)
    begin(desired, change_set.name, tools)
    refuse_failed(desired, follow(desired.name, tools, after=after))


def begin(desired: DesiredStack, change_set: str, tools: Tools) -> None:
    """Whether an execution without an answer has begun, the next attempt tells."""
    try:
        tools.aws.stacks.execute(desired.name, change_set, rolls_back=desired.rolls_back)
    except AwsCallFailed as error:
        if error.code not in BEGUN_ALREADY or not error.may_have_happened:
            raise


def refuse_failed(desired: DesiredStack, events: Sequence[StackEvent]) -> None:
    end = next(event for event in events if is_end(event))
    if end.status in GOOD:
        return
    failure = first_failure(events)
    reason = failure.reason if failure else end.reason
    raise StackFailed(
        f"{desired.name} is {end.status}: {failed_words(failure)}",
        stack=desired.name,
        status=end.status,
        resource=failure,
        because=reason,
        hint=remedy_for(reason, desired.environment) or "mend what the reason names, and give the same command again",
    )


def failed_words(failure: FailedResource | None) -> str:
    return "its change failed" if failure is None else f"{failure.logical_id} ({failure.type}) failed first"
