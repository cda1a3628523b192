"""Brings stacks about on AWS, through change sets: what is to be changed is read, and judged, before it is changed.

    DesiredStack ─▶ sound (wait, clear up) ─▶ change set ─▶ refuse losses, ask ─▶ execute ─▶ follow ─▶ StackOutcome

Everything may be repeated: what is as it shall be is left alone, and what is under way already is followed. So whoever
was interrupted gives the same command again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from platform_sdk.deploy.apply.context import Tools
from platform_sdk.deploy.apply.events import Ended, ReleaseUnderWay, StackOutcome, ToChange, Waiting
from platform_sdk.deploy.apply.stack import DesiredStack, apply_stack
from platform_sdk.deploy.apply.stack_recovery import settled, sound
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.observe import observe_service
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.decisions import Plan
from platform_sdk.deploy.release.lock import ReleaseLock
from platform_sdk.deploy.render.names import arn, cluster_name, role_name, service_name, stack_name
from platform_sdk.deploy.render.stack_update import StackUpdate
from platform_sdk.deploy.shared import SharedStack
from platform_sdk.deploy.state import LockItem

# The stack of one service, brought about without undoing what releases have made of the service: decision 0014.


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How the release lock is asked for."""

    owner: str
    wait_minutes: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """`stacks` holds one outcome for each update of the stack; `grace_period_seconds` is None where it was right."""

    plan: Plan
    stacks: tuple[StackOutcome, ...]
    grace_period_seconds: int | None = None

    @property
    def changed(self) -> bool:
        return self.grace_period_seconds is not None or any(each.action != "unchanged" for each in self.stacks)


def apply_service(spec: ServiceSpec, environment: Environment, tools: Tools, turn: Turn) -> Applied:
    """
    Raises:
        Locked, LockLost: a release is under way.
        ReleaseUnderWay: CodeDeploy deploys the service, and nobody holds the lock.
        FrozenService, NoLockTable
        StackFailed, WouldBeLost, Declined, TemplateTooLarge, Interrupted: as `apply_stack`.
        AwsCallFailed
    """
    stack = settled(stack_name(spec, environment), tools)
    if stack is not None and stack.is_created:
        plan = planned(spec, environment, tools)
        if not plan.needs_apply:
            return untouched(plan, tools, "unchanged")
        if plan.is_scaling_alone:
            # Neither rules nor revisions: it may be changed while a release shifts traffic, when it is needed most.
            return bring_about(plan, spec, environment, tools)
    return in_turn(spec, environment, tools, turn)


def untouched(plan: Plan, tools: Tools, action: Literal["unchanged", "repaired"]) -> Applied:
    outcome = StackOutcome(stack=plan.stack.name, action=action, changes=(), seconds=0)
    tools.tell(Ended(outcome=outcome))
    return Applied(plan=plan, stacks=(outcome,))


def planned(spec: ServiceSpec, environment: Environment, tools: Tools) -> Plan:
    return plan_service(spec, environment, observe_service(spec, environment, tools.aws))


def in_turn(spec: ServiceSpec, environment: Environment, tools: Tools, turn: Turn) -> Applied:
    """While no release runs."""
    with lock_of(spec, environment, tools, turn) as lock:
        tools = replace(tools, pulse=lock.renew_when_due)
        found = settled(stack_name(spec, environment), tools)
        sound(found, tools, role_of(spec, environment))
        plan = planned(spec, environment, tools)
        refuse_running(plan)
        if not plan.needs_apply:
            return untouched(plan, tools, "repaired" if found is not None and found.is_stuck else "unchanged")
        return bring_about(plan, spec, environment, tools)


def lock_of(spec: ServiceSpec, environment: Environment, tools: Tools, turn: Turn) -> ReleaseLock:
    def waiting(holder: LockItem, _until: object) -> None:
        tools.interrupts.check()
        subject = f"the {holder.purpose} by {holder.owner}"
        tools.tell(Waiting(stack=stack_name(spec, environment), subject=subject))

    return ReleaseLock(
        tools.aws_once.locks,
        tools.clock,
        environment,
        spec.name,
        owner=turn.owner,
        purpose="apply",
        wait_minutes=turn.wait_minutes,
        waiting=waiting,
    )


def refuse_running(plan: Plan) -> None:
    """A release that was detached, or started past us: while it moves the traffic nobody knows which group is live."""
    if plan.running_deployment is not None and plan.stack.updates:
        raise ReleaseUnderWay(
            f"the deployment {plan.running_deployment} of {plan.service} is still in progress",
            because="it moves the traffic between the target groups that the stack's rules name",
            hint=f"`platform wait {plan.running_deployment} --env {plan.environment}`, then give the command again",
        )


def bring_about(plan: Plan, spec: ServiceSpec, environment: Environment, tools: Tools) -> Applied:
    outcomes = [
        apply_stack(desired(update, spec, environment), tools if is_asked_about(update, plan) else quietly(tools))
        for update in plan.stack.updates
    ]
    seconds = set_grace_period(plan, spec, environment, tools)
    return Applied(plan=plan, stacks=tuple(outcomes), grace_period_seconds=seconds)


def desired(update: StackUpdate, spec: ServiceSpec, environment: Environment) -> DesiredStack:
    """Changed by the service's own role, so that whoever asks needs no right but to pass it to CloudFormation."""
    return DesiredStack(
        name=stack_name(spec, environment),
        environment=environment.name,
        template=json.dumps(update.template, separators=(",", ":"), ensure_ascii=False),
        parameters=update.parameters,
        tags={"platform:environment": environment.name, "platform:service": spec.name},
        role_arn=role_of(spec, environment),
        rolls_back=update.rolls_back,
    )


def role_of(spec: ServiceSpec, environment: Environment) -> str:
    return arn(environment, "iam", f"role/{role_name(environment.name, spec.name, 'stack')}", regional=False)


def is_asked_about(update: StackUpdate, plan: Plan) -> bool:
    """An update that only tells CloudFormation what is live changes nothing that anybody would have to agree to; but
    for one that goes on with what has failed.
    """
    return update.why != "synchronise" or plan.stack.is_stuck


def quietly(tools: Tools) -> Tools:
    agree = tools.agree
    return replace(tools, agree=lambda question: isinstance(question, ToChange) or agree(question))


def set_grace_period(plan: Plan, spec: ServiceSpec, environment: Environment, tools: Tools) -> int | None:
    """Of the ECS service, whose text in the stack stays as it was created."""
    if plan.grace_period is None:
        return None
    seconds = spec.health_check.grace_period_seconds
    cluster, name = cluster_name(environment), service_name(spec, environment)
    tools.aws.ecs.set_grace_period(cluster, name, seconds)
    return seconds


# The stacks that all services share, brought about in their order.

PROTECTED: Final = frozenset({"network", "cluster", "data", "edge", "registry", "secrets"})
"""Templates whose stacks hold what nobody can make again, or what everything else stands on."""


def apply_shared(
    stacks: Sequence[SharedStack], root: Path, environment: Environment, tools: Tools
) -> tuple[StackOutcome, ...]:
    """
    Raises:
        StackFailed, WouldBeLost, Declined, Interrupted, AwsCallFailed: at a stack; those after it were left alone, as
            they need it.
    """
    return tuple(apply_stack(desired_shared(stack, root, environment), tools) for stack in stacks)


def desired_shared(stack: SharedStack, root: Path, environment: Environment) -> DesiredStack:
    return DesiredStack(
        name=stack.name,
        environment=environment.name,
        template=(root / stack.template).read_text(encoding="utf-8"),
        parameters=tuple(
            {"ParameterKey": name, "ParameterValue": value} for name, value in sorted(stack.parameters.items())
        ),
        tags={"platform:environment": environment.name},
        protect=stack.template.stem in PROTECTED,
    )
