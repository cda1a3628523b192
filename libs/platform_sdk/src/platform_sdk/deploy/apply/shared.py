"""The stacks that all services share, brought about in their order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from platform_sdk.deploy.apply.events import StackOutcome
from platform_sdk.deploy.apply.stack import DesiredStack, apply_stack
from platform_sdk.deploy.apply.tools import Tools
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.shared import SharedStack

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
    return tuple(apply_stack(desired(stack, root, environment), tools) for stack in stacks)


def desired(stack: SharedStack, root: Path, environment: Environment) -> DesiredStack:
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
