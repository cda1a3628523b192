"""The stacks that all services share, as they are deployed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from platform_sdk.deploy.shared import SharedStack
from platform_sdk.deploy.state import DeployedStack

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws


def observe_shared(stacks: Sequence[SharedStack], aws: "Aws") -> Mapping[str, DeployedStack]:
    """By the name of the stack; those that do not exist, or whose creation failed, are not in it.

    Raises:
        AwsCallFailed: AWS did not answer, or refused to.
    """
    found = {stack.name: aws.stacks.stack(stack.name) for stack in stacks}
    return {
        name: DeployedStack(stack=stack, template=aws.stacks.template(name))
        for name, stack in found.items()
        if stack is not None and stack.is_created
    }
