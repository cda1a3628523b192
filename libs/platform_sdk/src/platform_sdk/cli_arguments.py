"""What several commands ask for: the repository, the environment that is meant, and names for the shell to complete."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.spec import ServiceSpec


def root() -> Path:
    from platform_sdk.deploy.repository import find_root

    return find_root(Path.cwd())


def environment_named(name: str) -> "Environment":
    from platform_sdk.deploy.environment import load_environment, with_ports_of

    return with_ports_of(os.environ, load_environment(root(), name))


def spec_named(service: str, environment_name: str) -> "ServiceSpec":
    from platform_sdk.deploy.repository import refuse_unknown, service_names
    from platform_sdk.deploy.spec import load_spec

    refuse_unknown("service", [service], service_names(root()))
    return load_spec(root() / "services" / service / "platform.toml", environment_name, root=root())


def complete_services(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.repository import service_names

    return starting_with(incomplete, lambda: service_names(root()))


def complete_environments(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.repository import environment_names

    return starting_with(incomplete, lambda: environment_names(root()))


def complete_keys(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.spec.keys import BY_PATH

    return starting_with(incomplete, lambda: BY_PATH)


def complete_queues(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.dead_letters import queue_owners
    from platform_sdk.deploy.spec import load_services

    return starting_with(incomplete, lambda: queue_owners(load_services(root())))


def starting_with(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    """Nothing at all where the names cannot be read: a shell has no room for an error."""
    try:
        return [name for name in names() if name.startswith(incomplete)]
    except PlatformError:
        return []


def environment_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--env",
        "environment_name",
        default="local",
        show_default=True,
        metavar="NAME",
        shell_complete=complete_environments,
        help="The environment whose queues are meant.",
    )(command)
