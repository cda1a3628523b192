"""What becomes of the stacks that all services share: their templates are text, and compared as text."""

import difflib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from platform_sdk.deploy.diff import Change, diff
from platform_sdk.deploy.plan.decisions import SharedPlan, SharedStackPlan
from platform_sdk.deploy.shared import SharedStack
from platform_sdk.deploy.state import DeployedStack

CONTEXT_LINES: Final = 2


def plan_shared(
    environment: str,
    stacks: Sequence[SharedStack],
    templates: Mapping[str, str],
    deployed: Mapping[str, DeployedStack],
) -> SharedPlan:
    """In the order in which the stacks are created.

    Args:
        templates: the text of each stack's template, by the stack's name.
        deployed: by the stack's name; one that is not there does not exist yet.
    """
    return SharedPlan(
        environment=environment,
        stacks=tuple(plan_shared_stack(stack, templates[stack.name], deployed.get(stack.name)) for stack in stacks),
    )


def plan_shared_stack(stack: SharedStack, template: str, deployed: DeployedStack | None) -> SharedStackPlan:
    if deployed is None:
        parameters = diff({}, dict(stack.parameters))
        return SharedStackPlan(name=stack.name, action="create", status=None, parameters=parameters, template=())
    parameters = tuple(parameter_changes(deployed.stack.parameters, stack.parameters))
    lines = tuple(template_lines(deployed.template, template))
    return SharedStackPlan(
        name=stack.name,
        action="update" if parameters or lines else "repair" if deployed.stack.is_stuck else "unchanged",
        status=deployed.stack.status,
        parameters=parameters,
        template=lines,
    )


def parameter_changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    """Of those that the repository gives; any other has its default, and the template's difference tells that."""
    known = {name: value for name, value in before.items() if name in after}
    return iter(diff(known, dict(after)))


def template_lines(before: object, after: str) -> Iterator[str]:
    """The hunks of a unified diff, without its file names. What only ends differently is the same."""
    old = before if isinstance(before, str) else json.dumps(before, indent=2)
    lines = difflib.unified_diff(lines_of(old), lines_of(after), n=CONTEXT_LINES, lineterm="")
    return itertools.islice(lines, 2, None)


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]
