"""A plan as text."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from platform_sdk.deploy.output import plan_words as words
from platform_sdk.deploy.output.plan_words import (
    NONE,
    SIGNS,
    change_words,
    cost_notes,
    cost_words,
    drift_words,
    image_is_kept,
    line_basis,
    line_sign,
    next_commands,
    resource_words,
    revision_words,
    scaling_words,
    shown,
    signed,
    stack_words,
    synchronised_words,
    told_in_detail,
    total_words,
    traffic_words,
    unsound_words,
    verdict,
)
from platform_sdk.deploy.plan import Plan, ResourcePlan, RevisionPlan, SharedPlan, SharedStackPlan
from platform_sdk.deploy.plan.diff import Change
from platform_sdk.errors import PlatformError

STEP: Final = "    "
BECOMES: Final = {"create": "created", "update": "updated", "repair": "repaired"}
COLOURS: Final = {"+": "32", "-": "31", "~": "33", "!": "35"}
"""Of a terminal: green, red, yellow, magenta."""
SIGNED: Final = re.compile(r"^( *)([-+~!])( .*)$", re.MULTILINE)


def as_text(
    plans: Sequence[Plan],
    shared: SharedPlan | None = None,
    *,
    tag: str | None = None,
    failures: Mapping[str, PlatformError] = NONE,
) -> str:
    """`tag` is that of the new image, where one was asked for; `failures` are by the service that could not be
    planned.
    """
    blocks = [*(["\n".join(shared_lines(shared))] if shared else []), *("\n".join(lines(plan, tag)) for plan in plans)]
    if len(plans) > 1:
        blocks.append(total_words(plans))
    blocks += ["\n".join(failure_lines(name, error)) for name, error in failures.items()]
    return "\n\n".join(blocks) + "\n"


def failure_lines(service: str, error: PlatformError) -> Iterator[str]:
    yield f"{service}: no plan"
    yield from indented(f"{'' if number else 'error: '}{line}" for number, line in enumerate(str(error).splitlines()))


def coloured(text: str) -> str:
    """For a terminal that wants it: each line with a sign in the sign's colour."""
    return SIGNED.sub(lambda line: f"{line[1]}\x1b[{COLOURS[line[2]]}m{line[2]}{line[3]}\x1b[0m", text)


def lines(plan: Plan, tag: str | None) -> Iterator[str]:
    yield f"{plan.service} in {plan.environment}: {verdict(plan)}"
    if plan.running_deployment is not None:
        yield f"{STEP}deployment {plan.running_deployment} is running: nothing else is applied or released meanwhile"
    yield from indented(body(plan))
    for number, command in enumerate(next_commands(plan, tag)):
        yield f"{STEP}{'then' if number else 'next'}: {command}"


def body(plan: Plan) -> Iterator[str]:
    for revision in plan.revisions:
        yield from revision_lines(revision)
    if plan.traffic is not None:
        yield f"~ traffic: {traffic_words(plan.traffic)}"
    yield from scaling_lines(plan)
    if plan.grace_period is not None:
        yield f"~ {plan.grace_period.path}  {change_words(plan.grace_period)}"
        yield f"{STEP}of the ECS service, without a release"
    yield from stack_lines(plan)
    yield from drift_lines(plan)
    yield from cost_lines(plan)


def indented(inner: Iterable[str]) -> Iterator[str]:
    return (f"{STEP}{line}" for line in inner)


def revision_lines(revision: RevisionPlan) -> Iterator[str]:
    if revision.target is None and not revision.awaits_image:
        return
    yield f"{'~' if revision.live else '+'} {revision.role}: {revision_words(revision)}"
    yield from indented(change_lines(revision.changes))
    if revision.live is not None and image_is_kept(revision):
        yield f"{STEP}image unchanged: {shown(revision.image)}"


def change_lines(changes: Iterable[Change]) -> Iterator[str]:
    return (f"{SIGNS[change.kind]} {change.path}  {change_words(change)}" for change in changes)


def scaling_lines(plan: Plan) -> Iterator[str]:
    for change in plan.scaling:
        yield f"~ scaling of the {change.role}: {scaling_words(change)}"
        yield from indented(change_lines(change.changes))
    if plan.is_scaling_alone:
        yield "scaling alone: no new revision, no traffic shift"


def stack_lines(plan: Plan) -> Iterator[str]:
    stack = plan.stack
    if unsound := unsound_words(stack.status):
        yield f"! stack {stack.name} {unsound}"
    if stack.action == "unchanged":
        return
    yield f"{SIGNS[stack.action]} stack {stack_words(stack)}"
    if stack.is_synchronised_first:
        yield f"{STEP}{synchronised_words(stack)}"
    yield from indented(change_lines(stack.others))
    yield from indented(created_lines(stack.resources) if stack.action == "create" else resource_lines(plan))


def created_lines(resources: Iterable[ResourcePlan]) -> Iterator[str]:
    """By type: which they are in detail is in the template."""
    by_type: dict[str, list[str]] = {}
    for resource in resources:
        by_type.setdefault(resource.type, []).append(resource.logical_id)
    return (f"+ {type_}: {', '.join(names)}" for type_, names in sorted(by_type.items()))


def resource_lines(plan: Plan) -> Iterator[str]:
    for resource in plan.stack.resources:
        words = resource_words(resource)
        yield f"{SIGNS[resource.action]} {resource.logical_id} ({resource.type})" + (f": {words}" if words else "")
        if told_in_detail(plan, resource):
            yield from indented(change_lines(resource.changes))


def drift_lines(plan: Plan) -> Iterator[str]:
    if plan.drift:
        yield "! drift: made past stacks and releases, most often in the console"
    for drift in plan.drift:
        yield f"{STEP}! {drift_words(drift)}"
        yield f"{STEP}{STEP}hint: {drift.remedy}"


def cost_lines(plan: Plan) -> Iterator[str]:
    if plan.cost is None or not plan.has_changes:
        return
    yield f"cost: {cost_words(plan.cost)}"
    for line in plan.cost.difference.lines:
        yield f"{STEP}{line_sign(line)} {line.name}  {signed(line.usd_per_month)}: {line_basis(line)}"
    yield from indented(cost_notes(plan.cost))


def shared_lines(plan: SharedPlan) -> Iterator[str]:
    busy = [stack for stack in plan.stacks if stack.action != "unchanged"]
    yield f"shared stacks of {plan.environment}: {len(busy)} of {len(plan.stacks)} to create or update"
    for stack in busy:
        yield from indented(shared_stack_lines(stack))
    if busy:
        yield f"{STEP}next: platform apply --shared --env {plan.environment}"


def shared_stack_lines(stack: SharedStackPlan) -> Iterator[str]:
    yield f"{SIGNS[stack.action]} {stack.name} is {BECOMES[stack.action]}"
    if unsound := unsound_words(stack.status):
        yield f"{STEP}! it {unsound}"
    yield from indented(change_lines(stack.parameters))
    if stack.template:
        yield f"{STEP}~ template:"
        yield from indented(f"{STEP}  {line}" for line in stack.template)


# A plan as Markdown, for the pull request that changes it.


def as_markdown(
    plans: Sequence[Plan],
    shared: SharedPlan | None = None,
    *,
    tag: str | None = None,
    failures: Mapping[str, PlatformError] = words.NONE,
) -> str:
    """As `as_text`."""
    blocks = [block for plan in plans for block in service_blocks(plan, tag)]
    blocks += [block for name, error in failures.items() for block in failure_blocks(name, error)]
    if shared is not None:
        blocks = [*shared_blocks(shared), *blocks]
    return "\n\n".join(blocks) + "\n"


def failure_blocks(service: str, error: PlatformError) -> Iterator[str]:
    yield f"### {service}: no plan"
    yield "\n".join(("> [!WARNING]", *(f"> {escaped(line)}" for line in str(error).splitlines())))


def service_blocks(plan: Plan, tag: str | None) -> Iterator[str]:
    yield f"### {plan.service} in {plan.environment}: {words.verdict(plan)}"
    if plan.running_deployment is not None:
        yield f"Deployment `{plan.running_deployment}` is running: nothing else is applied or released meanwhile."
    for revision in plan.revisions:
        if revision.target is not None or revision.awaits_image:
            yield f"**{revision.role}**: {escaped(words.revision_words(revision))}"
        if revision.changes:
            yield table(("", "what", "before", "after"), change_rows(revision.changes))
        if revision.changes and words.image_is_kept(revision):
            yield f"Its image is unchanged: {code(words.shown(revision.image))}"
    if plan.traffic is not None:
        yield f"**traffic**: {words.traffic_words(plan.traffic)}"
    yield from scaling_blocks(plan)
    if plan.grace_period is not None:
        yield table(("", "what", "before", "after"), change_rows([plan.grace_period]))
    yield from stack_blocks(plan)
    yield from drift_blocks(plan)
    yield from cost_blocks(plan)
    commands = list(words.next_commands(plan, tag))
    if commands:
        yield fenced("sh", commands)


def scaling_blocks(plan: Plan) -> Iterator[str]:
    for change in plan.scaling:
        yield f"**scaling of the {change.role}**: {words.scaling_words(change)}"
        yield table(("", "what", "before", "after"), change_rows(change.changes))
    if plan.is_scaling_alone:
        yield "Scaling alone: no new revision, no traffic shift."


def stack_blocks(plan: Plan) -> Iterator[str]:
    stack = plan.stack
    if unsound := words.unsound_words(stack.status):
        yield f"> [!WARNING]\n> The stack `{stack.name}` {unsound}."
    if stack.action == "unchanged":
        return
    rows = [
        (
            code(words.SIGNS[resource.action]),
            code(resource.logical_id),
            code(resource.type),
            words.resource_words(resource),
        )
        for resource in stack.resources
    ]
    inner = [table(("", "resource", "type", ""), rows)] if rows else []
    changed = [
        (sign, f"{code(resource.logical_id)} {what}", before, after)
        for resource in stack.resources
        if words.told_in_detail(plan, resource)
        for sign, what, before, after in change_rows(resource.changes)
    ]
    changed += list(change_rows(stack.others))
    if changed:
        inner.append(table(("", "property", "before", "after"), changed))
    if stack.is_synchronised_first:
        inner.append(f"Applied {words.synchronised_words(stack)}.")
    yield details(f"stack {words.stack_words(stack)}", inner)
    # What cannot be undone is not folded away.
    lost = [
        f"> - {code(each.logical_id)}: {words.resource_words(each)}" for each in stack.with_action("replace", "keep")
    ]
    if lost:
        yield "\n".join(("> [!CAUTION]", *lost))


def drift_blocks(plan: Plan) -> Iterator[str]:
    if plan.drift:
        told = [f"> - {escaped(words.drift_words(drift))} ({escaped(drift.remedy)})" for drift in plan.drift]
        yield "\n".join(("> [!WARNING]", "> Drift, made past stacks and releases, most often in the console:", *told))


def cost_blocks(plan: Plan) -> Iterator[str]:
    if plan.cost is None or not plan.has_changes:
        return
    yield f"**cost**: {words.cost_words(plan.cost)}"
    rows = [
        (code(words.line_sign(line)), line.name, words.signed(line.usd_per_month), escaped(words.line_basis(line)))
        for line in plan.cost.difference.lines
    ]
    notes = [f"- {note}" for note in words.cost_notes(plan.cost)]
    if rows:
        yield details("cost by line", [table(("", "line", "a month", ""), rows), "\n".join(notes)])


def shared_blocks(plan: SharedPlan) -> Iterator[str]:
    busy = [stack for stack in plan.stacks if stack.action != "unchanged"]
    yield f"### shared stacks of {plan.environment}: {len(busy)} of {len(plan.stacks)} to create or update"
    for stack in busy:
        yield details(f"{words.SIGNS[stack.action]} {stack.name}", list(shared_stack_blocks(stack)))
    if busy:
        yield fenced("sh", [f"platform apply --shared --env {plan.environment}"])


def shared_stack_blocks(stack: SharedStackPlan) -> Iterator[str]:
    if unsound := words.unsound_words(stack.status):
        yield f"It {unsound}."
    if stack.parameters:
        yield table(("", "parameter", "before", "after"), change_rows(stack.parameters))
    if stack.template:
        yield fenced("diff", stack.template)


def change_rows(changes: Iterable[Change]) -> Iterator[tuple[str, str, str, str]]:
    for change in changes:
        before = "" if change.kind == "add" else code(words.shown(change.before))
        after = "" if change.kind == "remove" else code(words.shown(change.after))
        yield code(words.SIGNS[change.kind]), code(change.path), before, after


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell for cell in line)} |" for line in lines)


def details(summary: str, inner: Iterable[str]) -> str:
    return "\n\n".join((f"<details><summary>{escaped(summary)}</summary>", *inner, "</details>"))


def fenced(language: str, lines: Iterable[str]) -> str:
    return "\n".join((f"```{language}", *lines, "```"))


def code(text: str) -> str:
    """In a table a bar ends the cell even in code."""
    return f"`{text.replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def escaped(text: str) -> str:
    """No tag, no cell."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
