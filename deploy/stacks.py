"""The shared stacks of an environment, for `aws cloudformation deploy`.

stacks.py ENVIRONMENT            each stack and its template, in the order in which to create them
stacks.py ENVIRONMENT STACK      the stack's parameters, as `--parameter-overrides file://…` reads them
"""

import json
import sys
from pathlib import Path

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.shared import SharedStack, load_shared_stacks
from platform_sdk.deploy.spec import load_services
from platform_sdk.errors import PlatformError

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> str:
    if not 1 <= len(arguments) <= 2:
        raise PlatformError(
            "give an environment, and a stack or none", hint="stacks.py staging platform-staging-network"
        )
    stacks = load_shared_stacks(ROOT, load_environment(ROOT, arguments[0]), load_services(ROOT, arguments[0]))
    if len(arguments) == 1:
        return "\n".join(f"{stack.name} {stack.template}" for stack in stacks)
    return parameters(next((stack for stack in stacks if stack.name == arguments[1]), None), arguments[1])


def parameters(stack: SharedStack | None, name: str) -> str:
    if stack is None:
        raise PlatformError(f"there is no shared stack `{name}`", hint="without a stack, this command lists them")
    return json.dumps([f"{name}={value}" for name, value in stack.parameters.items()], indent=2)


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]) + "\n")
    except PlatformError as error:
        sys.exit(f"error: {error}")
