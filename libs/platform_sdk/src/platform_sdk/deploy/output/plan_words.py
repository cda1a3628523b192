"""What text and Markdown both say about a plan."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from platform_sdk.deploy.config_errors import counted, listed, visible
from platform_sdk.deploy.cost.lines import CostDifference, LineDifference
from platform_sdk.deploy.plan import (
    CostPlan,
    Drift,
    ExistingRevision,
    NewRevision,
    Plan,
    ResourcePlan,
    RevisionPlan,
    ScalingChange,
    StackPlan,
    TrafficPlan,
    is_of_scaling,
)
from platform_sdk.deploy.plan.diff import Change
from platform_sdk.deploy.state.stacks import FAILED, NOT_CREATED, REVIEW, ROLLBACK_FAILED
from platform_sdk.errors import PlatformError

SIGNS: Final[Mapping[str, str]] = {
    "add": "+",
    "create": "+",
    "remove": "-",
    "keep": "-",
    "change": "~",
    "update": "~",
    "repair": "~",
    "replace": "~",
}
MOST_CHARACTERS: Final = 120
DIGEST: Final = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
REPAIRS: Final[Mapping[str, str]] = {
    FAILED: "`platform apply` goes on from where the update failed",
    ROLLBACK_FAILED: "`platform apply` ends its rollback first",
}
NONE: Final[Mapping[str, PlatformError]] = MappingProxyType({})
"""Every service could be planned."""
UNKNOWN_YET: Final = "known after it is registered"


def shown(value: object) -> str:
    """A value on one line: long ones are cut, and the digest of an image to the digits that tell it apart."""
    text = visible(DIGEST.sub(r"\1", plain(value)))
    # What a role may do is read to its end.
    if len(text) <= MOST_CHARACTERS or is_statement(value):
        return text
    half = MOST_CHARACTERS // 2
    return f"{text[:half]} … {text[-half // 2 :]} ({len(text):,} characters)"


def is_statement(value: object) -> bool:
    """Of a policy."""
    return isinstance(value, Mapping) and {"Effect", "Action", "Resource"} <= set(value)


def plain(value: object) -> str:
    match value:
        case str() if "\n" in value:
            return f"text of {len(value):,} characters"
        case str() if value:
            return value
        case list() if all(isinstance(each, str) for each in value):
            return ", ".join(value) or "none"
        case {"Effect": effect, "Action": actions, "Resource": resources}:
            return f"{effect} {plain(actions)} on {plain(resources)}"
    return json.dumps(value, ensure_ascii=False)


def change_words(change: Change) -> str:
    match change.kind:
        case "add":
            return shown(change.after)
        case "remove":
            return shown(change.before)
        case "change":
            return f"{shown(change.before)} → {shown(change.after)}"


def revision_words(revision: RevisionPlan) -> str:
    """What becomes of the tasks of a role."""
    live = short_arn(revision.live) if revision.live else None
    match revision.target:
        case None if revision.awaits_image:
            does = "does nothing" if revision.role == "worker" else "answers 503"
            return f"no release yet: until the first one brings an image, a placeholder {does}"
        case None:
            return f"stays {live}" if live else "nothing runs"
        case ExistingRevision(arn=arn):
            instead = f" in place of {live}" if live else ""
            return f"{short_arn(arn)}{instead}, registered by an earlier release"
        case NewRevision() if live is None:
            return f"the first revision of {revision.family}, of {shown(revision.image)}"
        case NewRevision():
            return f"a new revision in place of {live}; its number is {UNKNOWN_YET}"


def short_arn(arn: str) -> str:
    """`production-orders:7`."""
    return arn.rsplit("/", 1)[-1]


def told_in_detail(plan: Plan, resource: ResourcePlan) -> bool:
    """Not what the words of platform.toml have told already."""
    return not (plan.scaling and is_of_scaling(resource))


def image_is_kept(revision: RevisionPlan) -> bool:
    return not any(change.path.endswith("app · image") for change in revision.changes)


def traffic_words(traffic: TrafficPlan) -> str:
    shift = traffic.shift
    match shift.type:
        case "canary":
            how = f"{shift.percent} % first, all the rest {shift.interval_minutes} minutes later"
        case "linear":
            how = f"{shift.percent} % more every {shift.interval_minutes} minutes"
        case "all_at_once":
            how = "all at once"
    bake = f"both task sets stay for {shift.bake_minutes} minutes more" if shift.bake_minutes else "no bake time"
    whole = f"about {traffic.minutes} minutes once the new tasks are healthy" if traffic.minutes else "no waiting"
    return f"{how}; {bake}: {whole}"


def scaling_words(change: ScalingChange) -> str:
    """What the bounds alone do to the tasks that run."""
    if change.desired is None:
        return "nothing runs yet"
    if change.started:
        return f"{counted(change.desired, 'task')} now: {change.started} more start"
    if change.stopped:
        return f"{counted(change.desired, 'task')} now: {change.stopped} of them stop"
    return f"{counted(change.desired, 'task')} now, which the new bounds allow"


def resource_words(resource: ResourcePlan) -> str:
    """What is beyond the sign; empty where that says it all."""
    match resource.action:
        case "keep":
            return "leaves the stack and is kept on AWS, with what it holds; delete it by hand once nobody needs it"
        case "replace":
            lost = ", and what it holds is LOST with it" if resource.is_stateful else ""
            return f"REPLACED, as {listed(resource.create_only)} cannot be changed: the one of now is deleted{lost}"
        case "remove" if resource.type == "AWS::ECS::Service":
            return "its tasks are stopped; what waits in its queue goes on waiting"
        case _:
            return ""


def stack_words(stack: StackPlan) -> str:
    """`platform-production-orders: 1 to add, 2 to change`."""
    counts = {
        "to add": len(stack.with_action("add")),
        "to change": len(stack.with_action("change")),
        "to replace": len(stack.with_action("replace")),
        "to remove": len(stack.with_action("remove")),
        "to keep outside of it": len(stack.with_action("keep")),
    }
    told = [f"{number} {what}" for what, number in counts.items() if number]
    if stack.action == "create":
        return f"{stack.name} is created: {counted(counts['to add'], 'resource')}"
    if stack.action == "repair":
        return f"{stack.name}: as it shall be, but for an update that has stopped halfway"
    return f"{stack.name}: {', '.join(told) or 'parameters change'}"


def synchronised_words(stack: StackPlan) -> str:
    """Why there are two updates; empty where one is enough."""
    if not stack.is_synchronised_first:
        return ""
    return "in two updates: the first tells CloudFormation what releases have made, so the second undoes none of it"


def unsound_words(status: str | None) -> str:
    """Why a stack takes no update as it is; empty where it does."""
    if status is None or status == REVIEW:
        return ""
    if status in NOT_CREATED:
        return f"is {status}: `platform apply` deletes what is left of it, and creates it anew"
    if status.endswith("_IN_PROGRESS"):
        return f"is {status}: nothing else is applied meanwhile"
    if status.endswith("_COMPLETE"):
        return ""
    return f"is {status}: {REPAIRS.get(status, 'CloudFormation updates it no more; its console tells why')}"


def drift_words(drift: Drift) -> str:
    live = "gone" if drift.live is None else shown(drift.live)
    if drift.live is None:
        return drift.what
    return f"{drift.what}: {live} on AWS, expected {shown(drift.expected)}"


def cost_words(cost: CostPlan) -> str:
    before, after = cost.difference.before_usd_per_month, cost.difference.after_usd_per_month
    if not cost.difference.lines:
        return f"as before, {after:,.2f} US dollars a month, {overlap_words(cost)}"
    return f"{money(cost.difference)} US dollars a month ({before:,.2f} → {after:,.2f})"


def cost_notes(cost: CostPlan) -> Iterator[str]:
    """Where there is a difference."""
    if not cost.difference.lines:
        return
    yield overlap_words(cost)
    most = cost.at_most
    yield (
        f"at most {money(most)} ({most.before_usd_per_month:,.2f} → {most.after_usd_per_month:,.2f}), "
        "if the most tasks ran all month"
    )


def overlap_words(cost: CostPlan) -> str:
    return f"{cost.overlap_usd_per_month:,.2f} of it for the second set of tasks while releases shift traffic"


def money(difference: CostDifference) -> str:
    return signed(difference.usd_per_month)


def signed(usd: Decimal) -> str:
    return f"{usd:+,.2f}" if usd else "±0.00"


def line_sign(line: LineDifference) -> str:
    return "+" if line.before is None else "-" if line.after is None else "~"


def line_basis(line: LineDifference) -> str:
    bases = [each.basis for each in (line.before, line.after) if each is not None]
    return " → ".join(dict.fromkeys(bases))


def next_commands(plan: Plan, tag: str | None) -> Iterator[str]:
    """In the order in which to give them."""
    at = f"{plan.service} --env {plan.environment}"
    if plan.running_deployment is not None:
        yield f"platform wait {plan.running_deployment} --env {plan.environment}"
    if plan.needs_apply:
        yield f"platform apply {at}"
    if plan.api.awaits_image:
        yield f"platform build {at} --push"
    if plan.releases or plan.api.awaits_image:
        yield f"platform deploy {at}" + (f" --image {tag}" if tag else "")


def verdict(plan: Plan) -> str:
    """In a few words what there is to do."""
    told = [
        *(["a stack to create"] if plan.stack.action == "create" else []),
        *(["a stack to repair"] if plan.stack.action == "repair" else []),
        *(["scaling to apply"] if plan.is_scaling_alone else []),
        *(["a stack to update"] if plan.stack.action == "update" and not plan.is_scaling_alone else []),
        *(["a grace period to set"] if plan.grace_period else []),
        *([f"{counted(len(plan.releases), 'revision')} to release"] if plan.releases else []),
        *(["a first release to make"] if plan.api.awaits_image else []),
        *([f"{counted(len(plan.drift), 'drift')}".replace("drifts", "places of drift")] if plan.drift else []),
    ]
    return listed(told) if told else "nothing to do"


def total_words(plans: Iterable[Plan]) -> str:
    plans = list(plans)
    busy = [plan.service for plan in plans if plan.exit_code]
    idle = len(plans) - len(busy)
    return f"{counted(len(plans), 'service')}: {len(busy)} with something to do, {idle} without"
