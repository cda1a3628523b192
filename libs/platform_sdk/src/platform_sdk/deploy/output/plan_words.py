"""The sentences about a plan that its text, its Markdown and its JSON document share."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from platform_sdk.deploy.config_errors import counted, listed, visible
from platform_sdk.deploy.cost.lines import CostDifference, LineDifference
from platform_sdk.deploy.plan.decisions import (
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
    VersionMove,
    is_of_scaling,
)
from platform_sdk.deploy.plan.diff import Change
from platform_sdk.deploy.state import UsedSecret
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
    FAILED: "`platform apply` resumes the update where it failed",
    ROLLBACK_FAILED: "`platform apply` completes its rollback first",
}
NONE: Final[Mapping[str, PlatformError]] = MappingProxyType({})
"""No failures: every service could be planned."""
UNKNOWN_YET: Final = "known after it is registered"


def shown(value: object) -> str:
    """Return a value on one line. Shorten long values, and image digests to 12 digits."""
    text = visible(DIGEST.sub(r"\1", _plain(value)))
    # A reviewer needs every action and resource of a policy statement.
    if len(text) <= MOST_CHARACTERS or is_statement(value):
        return text
    half = MOST_CHARACTERS // 2
    return f"{text[:half]} … {text[-half // 2 :]} ({len(text):,} characters)"


def is_statement(value: object) -> bool:
    """Return whether the value is a statement of an IAM policy."""
    return isinstance(value, Mapping) and {"Effect", "Action", "Resource"} <= set(value)


def _plain(value: object) -> str:
    match value:
        case str() if "\n" in value:
            return f"text of {len(value):,} characters"
        case str() if value:
            return value
        case list() if all(isinstance(each, str) for each in value):
            return ", ".join(value) or "none"
        case {"Effect": effect, "Action": actions, "Resource": resources}:
            return f"{effect} {_plain(actions)} on {_plain(resources)}"
    return json.dumps(value, ensure_ascii=False)


def change_words(change: Change) -> str:
    """Return the values of a change, shortened to one line."""
    match change.kind:
        case "add":
            return shown(change.after)
        case "remove":
            return shown(change.before)
        case "change":
            return f"{shown(change.before)} → {shown(change.after)}"


def stale_secret_words(secret: UsedSecret) -> str:
    """Say which tasks have an earlier value of a secret, or that its rotation is not at its end."""
    if secret.is_rotating:
        return f"secret {secret.name}: its rotation has not ended, and the old value is still accepted"
    at = f" at {secret.changed_at:%Y-%m-%d %H:%M} UTC" if secret.changed_at else ""
    return f"secret {secret.name} was changed{at}: {secret.older} of {secret.tasks} running tasks have the old value"


def stale_secret_command(secret: UsedSecret, environment: str) -> str:
    """Return what brings all tasks to the newest value."""
    last = secret.name.rpartition("/")[2]
    if not secret.is_rotating:
        return f"platform restart {secret.service} --env {environment}"
    what = "--shared cache" if last == "cache" else f"{secret.service} {last}"
    return f"platform secret rotate {what} --env {environment}"


def running_words(deployment: str) -> str:
    """Return why nothing can be done while the deployment runs."""
    return f"deployment {deployment} is in progress: nothing else can be applied or released until it ends"


def revision_words(revision: RevisionPlan) -> str:
    """Return what the tasks of a role will run."""
    live = short_arn(revision.live) if revision.live else None
    replaces = f" replaces {live}" if live else ""
    match revision.target:
        case None if revision.awaits_image:
            does = "does nothing" if revision.role == "worker" else "answers 503"
            return f"not released yet: a placeholder {does} until the first release"
        case None:
            return f"keeps {live}" if live else "nothing runs"
        case ExistingRevision(arn=arn):
            return f"{short_arn(arn)}{replaces}, registered by an earlier release"
        case NewRevision() if live is None:
            return f"first revision of {revision.family}, with the image {shown(revision.image)}"
        case NewRevision():
            return f"a new revision{replaces}; its number is {UNKNOWN_YET}"


def short_arn(arn: str) -> str:
    """Return the last part of an ARN, such as `production-orders:7`."""
    return arn.rsplit("/", 1)[-1]


def is_detailed(plan: Plan, resource: ResourcePlan) -> bool:
    """Return whether to list the changes of a resource. The lines on scaling already list its own."""
    return not (plan.scaling and is_of_scaling(resource))


def image_is_kept(revision: RevisionPlan) -> bool:
    """Return whether the change leaves the app's image as it is, so that only settings differ."""
    return not any(change.path.endswith("app · image") for change in revision.changes)


def traffic_words(traffic: TrafficPlan) -> str:
    """Return how production traffic moves, and after how many minutes the release is complete."""
    shift = traffic.shift
    match shift.type:
        case "canary":
            how = f"{shift.percent} % first, the rest after {shift.interval_minutes} minutes"
        case "linear":
            how = f"{shift.percent} % more every {shift.interval_minutes} minutes"
        case "all_at_once":
            how = "all at once"
    bake = f"then both task sets run for {shift.bake_minutes} minutes" if shift.bake_minutes else "no bake time"
    whole = f"; about {traffic.minutes} minutes once the replacement tasks are healthy" if traffic.minutes else ""
    return f"{how}; {bake}{whole}"


def scaling_words(change: ScalingChange) -> str:
    """Return what the new bounds alone do to the tasks that run."""
    if change.desired is None:
        return "nothing runs yet"
    now = f"{counted(change.desired, 'task')} now"
    if change.started:
        return f"{now}; {change.started} more will start"
    if change.stopped:
        return f"{now}; {change.stopped} of them will stop"
    return f"{now}, within the new bounds"


def resource_words(resource: ResourcePlan) -> str:
    """Return what the sign of a resource does not say. Empty if the sign says it all."""
    match resource.action:
        case "keep":
            return "removed from the stack, but kept on AWS with its data; delete it manually when nobody needs it"
        case "replace":
            lost = ", and its data is LOST" if resource.is_stateful else ""
            return f"REPLACED, as {listed(resource.create_only)} cannot be changed: the current one is deleted{lost}"
        case "remove" if resource.type == "AWS::ECS::Service":
            return "its tasks stop; messages stay in its queue"
        case _:
            return ""


def stack_words(stack: StackPlan) -> str:
    """Return a line such as `platform-production-orders: 1 to add, 2 to change`."""
    counts = {
        "to add": len(stack.with_action("add")),
        "to change": len(stack.with_action("change")),
        "to replace": len(stack.with_action("replace")),
        "to delete": len(stack.with_action("remove")),
        "to keep outside the stack": len(stack.with_action("keep")),
    }
    if stack.action == "create":
        return f"{stack.name}: create with {counted(counts['to add'], 'resource')}"
    if stack.action == "repair":
        return f"{stack.name}: up to date, but its last update stopped halfway"
    found = [f"{number} {what}" for what, number in counts.items() if number]
    return f"{stack.name}: {', '.join(found) or 'parameters change'}"


def synchronised_words(stack: StackPlan) -> str:
    """Return why there are two updates. Empty if one is enough."""
    if not stack.is_synchronised_first:
        return ""
    return "in two updates: the first records in CloudFormation what releases changed, so the second does not undo it"


def unsound_words(status: str | None) -> str:
    """Return why CloudFormation cannot update the stack as it is. Empty if it can."""
    if status is None or status == REVIEW:
        return ""
    if status in NOT_CREATED:
        return f"is {status}: `platform apply` deletes what remains of it and creates it again"
    if status.endswith("_IN_PROGRESS"):
        return f"is {status}: nothing else can be applied until it ends"
    if status.endswith("_COMPLETE"):
        return ""
    return f"is {status}: {REPAIRS.get(status, 'CloudFormation cannot update it; see its events in the console')}"


def move_words(move: VersionMove) -> str:
    """Return a change that moves with the version, and whether `apply` refuses it."""
    what = "REFUSED" if move.refused else "moves with the version"
    after = "" if move.after is None else f" → {shown(move.after)}"
    before = move.before if isinstance(move.before, list) and move.after is None else [move.before]
    return f"{what}: {move.what}  {'; '.join(shown(each) for each in before)}{after}"


def drift_words(drift: Drift) -> str:
    """Return what differs on AWS from what it should be."""
    if drift.live is None:
        return drift.what
    return f"{drift.what}: {shown(drift.live)} on AWS, expected {shown(drift.expected)}"


def cost_words(cost: CostPlan) -> str:
    """Return the monthly cost before and after, or the one amount if nothing differs."""
    before, after = cost.difference.before_usd_per_month, cost.difference.after_usd_per_month
    if not cost.difference.lines:
        return f"unchanged, {after:,.2f} US dollars a month, {_overlap_words(cost)}"
    return f"{_money(cost.difference)} US dollars a month ({before:,.2f} → {after:,.2f})"


def cost_notes(cost: CostPlan) -> Iterator[str]:
    """Yield notes below the lines of a difference. Without a difference there are none."""
    if not cost.difference.lines:
        return
    yield _overlap_words(cost)
    most = cost.at_most
    yield (
        f"at most {_money(most)} ({most.before_usd_per_month:,.2f} → {most.after_usd_per_month:,.2f}), "
        "if the maximum number of tasks runs all month"
    )


def _overlap_words(cost: CostPlan) -> str:
    return f"of which {cost.overlap_usd_per_month:,.2f} for the second task set while releases shift traffic"


def _money(difference: CostDifference) -> str:
    return signed(difference.usd_per_month)


def signed(usd: Decimal) -> str:
    """Return an amount with its sign and two decimals."""
    return f"{usd:+,.2f}" if usd else "±0.00"


def line_sign(line: LineDifference) -> str:
    """Return `+`, `-` or `~` for a new, a removed and a changed line of costs."""
    return "+" if line.before is None else "-" if line.after is None else "~"


def line_basis(line: LineDifference) -> str:
    """Return how a line's quantity was found, before and after where the two differ."""
    bases = [each.basis for each in (line.before, line.after) if each is not None]
    return " → ".join(dict.fromkeys(bases))


def next_commands(plan: Plan, tag: str | None) -> Iterator[str]:
    """Yield the commands to run next, in order."""
    at = f"{plan.service} --env {plan.environment}"
    if plan.running_deployment is not None:
        yield f"platform wait {plan.running_deployment} --env {plan.environment}"
    if plan.needs_apply:
        yield f"platform apply {at}"
    if plan.api.awaits_image:
        yield f"platform build {at} --push"
    if plan.releases or plan.api.awaits_image:
        yield f"platform deploy {at}" + (f" --image {tag}" if tag else "")
    if plan.is_applied_again:
        yield f"platform apply {at}"


def verdict(plan: Plan) -> str:
    """Return in a few words what there is to do."""
    parts = {
        "a stack to create": plan.stack.action == "create",
        "a stack to repair": plan.stack.action == "repair",
        "scaling to apply": plan.is_scaling_alone,
        "a stack to update": plan.stack.action == "update" and not plan.is_scaling_alone,
        "a grace period to set": plan.grace_period is not None,
        f"{counted(len(plan.releases), 'revision')} to release": bool(plan.releases),
        "the first release": plan.api.awaits_image,
        f"{counted(len(plan.drift), 'change')} outside this tool": bool(plan.drift),
    }
    found = [words for words, applies in parts.items() if applies]
    return listed(found) if found else "up to date"


def total_words(plans: Iterable[Plan]) -> str:
    """Return how many services have something to do. Exit code 0 means up to date."""
    codes = [plan.exit_code for plan in plans]
    idle = codes.count(0)
    return f"{counted(len(codes), 'service')}: {len(codes) - idle} with something to do, {idle} up to date"
