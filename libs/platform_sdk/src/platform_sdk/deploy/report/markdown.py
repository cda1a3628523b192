"""A plan as Markdown, for the pull request that changes it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from platform_sdk.deploy.diff import Change
from platform_sdk.deploy.plan import Plan, SharedPlan, SharedStackPlan
from platform_sdk.deploy.report import words
from platform_sdk.errors import PlatformError


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
