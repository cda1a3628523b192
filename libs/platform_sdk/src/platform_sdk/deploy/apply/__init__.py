"""Create and update stacks on AWS through change sets: each change is read, and judged, before it is made.

    DesiredStack ─▶ recover (wait, clean up) ─▶ change set ─▶ refuse losses, ask ─▶ execute ─▶ follow ─▶ StackOutcome

Everything may be repeated: anything already up to date is left unchanged, and an operation that runs already is
followed. After an interruption, run the same command again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from platform_sdk.deploy.apply.events import (
    ApplyContext,
    Ended,
    ReleaseUnderWay,
    StackOutcome,
    ToChange,
    Waiting,
    WouldBeOutage,
)
from platform_sdk.deploy.apply.stack import DesiredStack, apply_stack
from platform_sdk.deploy.apply.stack_recovery import recover_stack, wait_until_stable
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.observe import observe_service
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.decisions import Plan
from platform_sdk.deploy.release.lock import ReleaseLock
from platform_sdk.deploy.render.names import arn, cluster_name, role_name, service_name, stack_name
from platform_sdk.deploy.render.service_stack import StackUpdate
from platform_sdk.deploy.shared import SharedStack
from platform_sdk.deploy.state import LockItem

# The stack of one service. It keeps what releases have changed: decision 0014.


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """How to acquire the release lock."""

    owner: str
    wait_minutes: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was done. `stacks` has an outcome for each update; `grace_period_seconds` is None where it is unchanged."""

    plan: Plan
    stacks: tuple[StackOutcome, ...]
    grace_period_seconds: int | None = None

    @property
    def changed(self) -> bool:
        return self.grace_period_seconds is not None or any(each.action != "unchanged" for each in self.stacks)


def apply_service(
    spec: ServiceSpec, environment: Environment, context: ApplyContext, lock_options: LockOptions
) -> Applied:
    """Create or update the stack of a service.

    Raises:
        Locked, LockLost: a release is in progress.
        ReleaseUnderWay: CodeDeploy deploys the service, and nobody holds the lock.
        FrozenService, NoLockTable
        WouldBeOutage: a change must move with the version, and cannot be made in steps.
        StackFailed, WouldBeLost, Declined, TemplateTooLarge, Interrupted: as `apply_stack`.
        AwsCallFailed
    """
    stack = wait_until_stable(stack_name(spec, environment), context)
    if stack is not None and stack.is_created:
        plan = current_plan(spec, environment, context)
        if not plan.needs_apply:
            return _untouched(plan, context, "unchanged")
        if plan.is_scaling_alone:
            # It touches neither rules nor revisions, so it is safe, and most needed, while a release shifts traffic.
            return _apply_updates(plan, spec, environment, context)
    return apply_with_lock(spec, environment, context, lock_options)


def _untouched(plan: Plan, context: ApplyContext, action: Literal["unchanged", "repaired"]) -> Applied:
    outcome = StackOutcome(stack=plan.stack.name, action=action, changes=(), seconds=0)
    context.emit(Ended(outcome=outcome))
    return Applied(plan=plan, stacks=(outcome,))


def current_plan(spec: ServiceSpec, environment: Environment, context: ApplyContext) -> Plan:
    """Return the plan of a service from what AWS has now. It writes nothing."""
    return plan_service(spec, environment, observe_service(spec, environment, context.aws))


def apply_with_lock(
    spec: ServiceSpec, environment: Environment, context: ApplyContext, lock_options: LockOptions
) -> Applied:
    """Apply while no release runs."""
    with _lock_of(spec, environment, context, lock_options) as lock:
        context = replace(context, lock=lock)
        found = wait_until_stable(stack_name(spec, environment), context)
        recover_stack(found, context, _role_of(spec, environment))
        plan = current_plan(spec, environment, context)
        refuse_running(plan)
        refuse_outages(plan, context.outages_allowed)
        if not plan.needs_apply:
            return _untouched(plan, context, "repaired" if found is not None and found.is_stuck else "unchanged")
        return _apply_updates(plan, spec, environment, context)


def _lock_of(
    spec: ServiceSpec, environment: Environment, context: ApplyContext, lock_options: LockOptions
) -> ReleaseLock:
    def on_wait(holder: LockItem, _until: object) -> None:
        context.interrupts.check()
        subject = f"the {holder.purpose} by {holder.owner}"
        context.emit(Waiting(stack=stack_name(spec, environment), subject=subject))

    return ReleaseLock(
        context.aws_once.locks,
        context.clock,
        environment,
        spec.name,
        owner=lock_options.owner,
        purpose="apply",
        wait_minutes=lock_options.wait_minutes,
        on_wait=on_wait,
    )


def refuse_running(plan: Plan) -> None:
    """Refuse while a release that was detached, or started outside this tool, shifts traffic: the live group is
    unknown.
    """
    if plan.running_deployment is not None and plan.stack.updates:
        raise ReleaseUnderWay(
            f"the deployment {plan.running_deployment} of {plan.service} is still in progress",
            because="it moves the traffic between the target groups that the stack's rules name",
            hint=f"`platform wait {plan.running_deployment} --env {plan.environment}`, then run the command again",
        )


def refuse_outages(plan: Plan, allowed: frozenset[str]) -> None:
    """Refuse what would take the running version out of service at once, and cannot be made in steps."""
    refused = [move for move in plan.moves if move.refused and move.refused not in allowed]
    if refused:
        raise WouldBeOutage(
            f"the change of {plan.stack.name} would take the running version of {plan.service} out of service: "
            "nothing was changed",
            because="; ".join(f"{move.what}: {move.outage}" for move in refused),
            hint=f"release a version that passes both checks first; then "
            f"`platform apply {plan.service} --env {plan.environment}` with "
            + " ".join(f"--allow-outage {name}" for name in dict.fromkeys(move.refused for move in refused)),
        )


def _apply_updates(plan: Plan, spec: ServiceSpec, environment: Environment, context: ApplyContext) -> Applied:
    outcomes = [
        apply_stack(
            desired(update, spec, environment), context if needs_consent(update, plan) else _without_questions(context)
        )
        for update in plan.stack.updates
    ]
    seconds = set_grace_period(plan, spec, environment, context)
    return Applied(plan=plan, stacks=tuple(outcomes), grace_period_seconds=seconds)


def desired(update: StackUpdate, spec: ServiceSpec, environment: Environment) -> DesiredStack:
    """Return the stack to create or update. The service's own role does it, so the caller needs no permission but to
    pass it to CloudFormation.
    """
    return DesiredStack(
        name=stack_name(spec, environment),
        environment=environment.name,
        template=json.dumps(update.template, separators=(",", ":"), ensure_ascii=False),
        parameters=update.parameters,
        tags={"platform:environment": environment.name, "platform:service": spec.name},
        role_arn=_role_of(spec, environment),
        rolls_back=update.rolls_back,
    )


def _role_of(spec: ServiceSpec, environment: Environment) -> str:
    return arn(environment, "iam", f"role/{role_name(environment.name, spec.name, 'stack')}", regional=False)


def needs_consent(update: StackUpdate, plan: Plan) -> bool:
    """Return whether a person confirms the update. One that only synchronises CloudFormation with what is live needs no
    consent, unless it continues one that failed.
    """
    return update.why != "synchronise" or plan.stack.is_stuck


def _without_questions(context: ApplyContext) -> ApplyContext:
    agree = context.agree
    return replace(context, agree=lambda question: isinstance(question, ToChange) or agree(question))


def set_grace_period(plan: Plan, spec: ServiceSpec, environment: Environment, context: ApplyContext) -> int | None:
    """Set that of the ECS service: its text in the stack stays as it was created."""
    if plan.grace_period is None:
        return None
    seconds = spec.health_check.grace_period_seconds
    cluster, name = cluster_name(environment), service_name(spec, environment)
    context.aws.ecs.set_grace_period(cluster, name, seconds)
    return seconds


# The stacks that all services share, in their order.

PROTECTED: Final = frozenset({"network", "cluster", "data", "edge", "registry", "secrets"})
"""Templates whose stacks hold data, or what everything else needs."""


def apply_shared(
    stacks: Sequence[SharedStack], root: Path, environment: Environment, context: ApplyContext
) -> tuple[StackOutcome, ...]:
    """Create or update the shared stacks.

    Raises:
        StackFailed, WouldBeLost, Declined, Interrupted, AwsCallFailed: at a stack. Those after it are unchanged: they
            depend on it.
    """
    return tuple(apply_stack(_desired_shared(stack, root, environment), context) for stack in stacks)


def _desired_shared(stack: SharedStack, root: Path, environment: Environment) -> DesiredStack:
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
