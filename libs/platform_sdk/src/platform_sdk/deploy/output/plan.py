"""A plan as text for a terminal and as Markdown for a pull request. Its sentences are in plan_words."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from platform_sdk.deploy.output.plan_words import (
    NONE,
    SIGNS,
    change_words,
    cost_notes,
    cost_words,
    drift_words,
    image_is_kept,
    is_detailed,
    line_basis,
    line_sign,
    move_words,
    next_commands,
    resource_words,
    revision_words,
    running_words,
    scaling_words,
    shown,
    signed,
    stack_words,
    stale_secret_command,
    stale_secret_words,
    synchronised_words,
    total_words,
    traffic_words,
    unsound_words,
    verdict,
)
from platform_sdk.deploy.plan.decisions import Plan, ResourcePlan, RevisionPlan, SharedPlan, SharedStackPlan
from platform_sdk.deploy.plan.diff import Change
from platform_sdk.errors import PlatformError

STEP: Final = "    "
COLOURS: Final = {"+": "32", "-": "31", "~": "33", "!": "35"}
"""Of a terminal: green, red, yellow, magenta."""
SIGNED: Final = re.compile(r"^( *)([-+~!])( .*)$", re.MULTILINE)
INDENTED_SIGN: Final = re.compile(r"^( *)([-+~!])")


def as_text(
    plans: Sequence[Plan],
    shared: SharedPlan | None = None,
    *,
    tag: str | None = None,
    failures: Mapping[str, PlatformError] = NONE,
) -> str:
    """Return plans as text, and below them the services that could not be planned.

    Args:
        tag: the tag of the new image, if the caller named one.
        failures: why a service could not be planned, by its name.
    """
    blocks = [*([_shared_lines(shared)] if shared else []), *(_lines(plan, tag) for plan in plans)]
    if len(plans) > 1:
        blocks.append(iter([total_words(plans)]))
    blocks += [_failure_lines(name, error) for name, error in failures.items()]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def coloured(text: str) -> str:
    """Return the text for a terminal, with each line that has a sign in the colour of the sign."""
    return SIGNED.sub(lambda line: f"{line[1]}\x1b[{COLOURS[line[2]]}m{line[2]}{line[3]}\x1b[0m", text)


def _failure_lines(service: str, error: PlatformError) -> Iterator[str]:
    yield f"{service}: no plan"
    yield from _indented(f"{'' if number else 'error: '}{line}" for number, line in enumerate(str(error).splitlines()))


def _lines(plan: Plan, tag: str | None) -> Iterator[str]:
    yield _headline(plan)
    if plan.running_deployment is not None:
        yield f"{STEP}{running_words(plan.running_deployment)}"
    yield from _indented(_body(plan))
    for number, command in enumerate(next_commands(plan, tag)):
        yield f"{STEP}{'then' if number else 'next'}: {command}"


def _headline(plan: Plan) -> str:
    return f"{plan.service} in {plan.environment}: {verdict(plan)}"


def _body(plan: Plan) -> Iterator[str]:
    for revision in plan.revisions:
        yield from _revision_lines(revision)
    if plan.traffic is not None:
        yield f"~ traffic: {traffic_words(plan.traffic)}"
    yield from _scaling_lines(plan)
    if plan.grace_period is not None:
        yield f"~ {plan.grace_period.path}  {change_words(plan.grace_period)}"
        yield f"{STEP}applied to the ECS service without a release"
    yield from _stack_lines(plan)
    yield from _move_lines(plan)
    yield from _drift_lines(plan)
    yield from _stale_secret_lines(plan)
    yield from _cost_lines(plan)


def _indented(inner: Iterable[str]) -> Iterator[str]:
    return (f"{STEP}{line}" for line in inner)


def _revision_lines(revision: RevisionPlan) -> Iterator[str]:
    if revision.target is None and not revision.awaits_image:
        return
    yield f"{'~' if revision.live else '+'} {revision.role}: {revision_words(revision)}"
    yield from _indented(_change_lines(revision.changes))
    if revision.live is not None and image_is_kept(revision):
        yield f"{STEP}image unchanged: {shown(revision.image)}"


def _change_lines(changes: Iterable[Change]) -> Iterator[str]:
    return (f"{SIGNS[change.kind]} {change.path}  {change_words(change)}" for change in changes)


def _scaling_lines(plan: Plan) -> Iterator[str]:
    for change in plan.scaling:
        yield f"~ scaling of the {change.role}: {scaling_words(change)}"
        yield from _indented(_change_lines(change.changes))
    if plan.is_scaling_alone:
        yield "only scaling changes: no new revision, no traffic shift"


def _stack_lines(plan: Plan) -> Iterator[str]:
    stack = plan.stack
    if unsound := unsound_words(stack.status):
        yield f"! stack {stack.name} {unsound}"
    if stack.action == "unchanged":
        return
    yield f"{SIGNS[stack.action]} stack {stack_words(stack)}"
    if stack.is_synchronised_first:
        yield f"{STEP}{synchronised_words(stack)}"
    yield from _indented(_change_lines(stack.others))
    yield from _indented(created_lines(stack.resources) if stack.action == "create" else _resource_lines(plan))


def created_lines(resources: Iterable[ResourcePlan]) -> Iterator[str]:
    """Yield one line per type: the details are in the template."""
    by_type: dict[str, list[str]] = {}
    for resource in resources:
        by_type.setdefault(resource.type, []).append(resource.logical_id)
    return (f"+ {type_}: {', '.join(names)}" for type_, names in sorted(by_type.items()))


def _resource_lines(plan: Plan) -> Iterator[str]:
    for resource in plan.stack.resources:
        words = resource_words(resource)
        yield f"{SIGNS[resource.action]} {resource.logical_id} ({resource.type})" + (f": {words}" if words else "")
        if is_detailed(plan, resource):
            yield from _indented(_change_lines(resource.changes))


def _move_lines(plan: Plan) -> Iterator[str]:
    for move in plan.moves:
        yield f"! {move_words(move)}"
        yield f"{STEP}at once it would be an outage: {move.outage}"
        yield f"{STEP}{move.how}"


def _drift_lines(plan: Plan) -> Iterator[str]:
    if plan.drift:
        yield "! drift: changed outside this tool, for example in the console"
    for drift in plan.drift:
        yield f"{STEP}! {drift_words(drift)}"
        yield f"{STEP}{STEP}hint: {drift.remedy}"


def _stale_secret_lines(plan: Plan) -> Iterator[str]:
    for secret in plan.stale_secrets:
        yield f"! {stale_secret_words(secret)}"
        yield f"{STEP}hint: {stale_secret_command(secret, plan.environment)}"


def _cost_lines(plan: Plan) -> Iterator[str]:
    if plan.cost is None or not plan.has_changes:
        return
    yield f"cost: {cost_words(plan.cost)}"
    for line in plan.cost.difference.lines:
        yield f"{STEP}{line_sign(line)} {line.name}  {signed(line.usd_per_month)}: {line_basis(line)}"
    yield from _indented(cost_notes(plan.cost))


def _shared_lines(plan: SharedPlan) -> Iterator[str]:
    yield _shared_headline(plan)
    for stack in plan.changed:
        yield from _indented(_shared_stack_lines(stack))
    if plan.changed:
        yield f"{STEP}next: {_shared_command(plan)}"


def _shared_headline(plan: SharedPlan) -> str:
    return f"shared stacks of {plan.environment}: {len(plan.changed)} of {len(plan.stacks)} to create or update"


def _shared_command(plan: SharedPlan) -> str:
    return f"platform apply --shared --env {plan.environment}"


def _shared_stack_lines(stack: SharedStackPlan) -> Iterator[str]:
    yield f"{SIGNS[stack.action]} {stack.name}: {stack.action}"
    if unsound := unsound_words(stack.status):
        yield f"{STEP}! it {unsound}"
    yield from _indented(_change_lines(stack.parameters))
    if stack.template:
        yield f"{STEP}~ template:"
        yield from _indented(f"{STEP}  {line}" for line in stack.template)


# Markdown: the lines of the text in a `diff` block, which GitHub colours. What nobody may overlook is above it.


def as_markdown(
    plans: Sequence[Plan],
    shared: SharedPlan | None = None,
    *,
    tag: str | None = None,
    failures: Mapping[str, PlatformError] = NONE,
) -> str:
    """Return plans as Markdown. The arguments are those of `as_text`."""
    blocks = list(_shared_blocks(shared)) if shared is not None else []
    blocks += [block for plan in plans for block in _service_blocks(plan, tag)]
    for name, error in failures.items():
        blocks += [f"### {name}: no plan", _callout("WARNING", str(error).splitlines())]
    return "\n\n".join(blocks) + "\n"


def _service_blocks(plan: Plan, tag: str | None) -> Iterator[str]:
    yield f"### {_headline(plan)}"
    if plan.running_deployment is not None:
        yield _callout("NOTE", [running_words(plan.running_deployment)])
    lost = plan.stack.with_action("replace", "keep")
    if lost:
        yield _callout("CAUTION", [f"- `{each.logical_id}`: {resource_words(each)}" for each in lost])
    if unsound := unsound_words(plan.stack.status):
        yield _callout("WARNING", [f"The stack `{plan.stack.name}` {unsound}."])
    if plan.moves:
        found = [f"- {move_words(move)}: {move.outage}; {move.how}" for move in plan.moves]
        kind = "CAUTION" if any(move.refused for move in plan.moves) else "NOTE"
        yield _callout(kind, ["At once it would be an outage for the running version:", *found])
    if plan.drift:
        found = [f"- {drift_words(drift)}" for drift in plan.drift]
        yield _callout("WARNING", ["Changed outside this tool, for example in the console:", *found])
    if plan.stale_secrets:
        yield _callout("WARNING", [f"- {stale_secret_words(secret)}" for secret in plan.stale_secrets])
    if changes := list(_body(plan)):
        yield folded("changes", changes)
    if commands := list(next_commands(plan, tag)):
        yield _fenced("sh", commands)


def _shared_blocks(plan: SharedPlan) -> Iterator[str]:
    yield f"### {_shared_headline(plan)}"
    for stack in plan.changed:
        yield folded(f"{stack.name}: {stack.action}", _shared_stack_lines(stack))
    if plan.changed:
        yield _fenced("sh", [_shared_command(plan)])


def _callout(kind: str, inner: Iterable[str]) -> str:
    return "\n".join((f"> [!{kind}]", *(f"> {_escaped(line)}" for line in inner)))


def folded(summary: str, inner: Iterable[str]) -> str:
    """Move the sign of each line to its start, where GitHub looks for it."""
    block = _fenced("diff", (INDENTED_SIGN.sub(r"\2\1", line) for line in inner))
    return f"<details><summary>{_escaped(summary)}</summary>\n\n{block}\n\n</details>"


def _fenced(language: str, inner: Iterable[str]) -> str:
    return "\n".join((f"```{language}", *inner, "```"))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
