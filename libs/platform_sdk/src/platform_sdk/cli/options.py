"""What several commands ask for: the repository, the environment that is meant, and names for the shell to complete."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec


def root() -> Path:
    from platform_sdk.deploy.environment import find_root

    return find_root(Path.cwd())


def environment_named(name: str) -> "Environment":
    from platform_sdk.deploy.environment import load_environment, with_ports_of

    return with_ports_of(os.environ, load_environment(root(), name))


def spec_named(service: str, environment_name: str) -> "ServiceSpec":
    from platform_sdk.deploy.environment import refuse_unknown, service_names
    from platform_sdk.deploy.manifest import load_spec

    refuse_unknown("service", [service], service_names(root()))
    return load_spec(root() / "services" / service / "platform.toml", environment_name, root=root())


def complete_services(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.environment import service_names

    return starting_with(incomplete, lambda: service_names(root()))


def complete_environments(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.environment import environment_names

    return starting_with(incomplete, lambda: environment_names(root()))


def complete_keys(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.manifest.reference import BY_PATH

    return starting_with(incomplete, lambda: BY_PATH)


def complete_queues(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from platform_sdk.deploy.dead_letters import queue_owners
    from platform_sdk.deploy.manifest import load_services

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


# What a command reaches outside of itself: AWS, the time, and whoever reads how it ended.
#
# A caller may bring its own AWS and time as click's context object.

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws
    from platform_sdk.deploy.clock import Clock
    from platform_sdk.deploy.environment import Environment


class NotOnAws(PlatformError):
    """The environment is this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    connect: "Callable[[Environment], Aws]"
    clock: "Clock"


def outside() -> Outside:
    """That of the running command: what `platform(obj=Outside(…))` was given, or the real AWS and the real time."""
    given = click.get_current_context().find_object(Outside)
    if given is not None:
        return given
    from platform_sdk.deploy.aws.session import connect
    from platform_sdk.deploy.clock import SystemClock

    return Outside(connect=connect, clock=SystemClock())


def on_aws(environment_name: str) -> "Environment":
    """The environment of that name, for commands about stacks, releases and locks, which are on AWS alone.

    Raises:
        NotOnAws: it is this machine.
        UnknownEnvironment, InvalidEnvironment
    """
    environment = environment_named(environment_name)
    if environment.aws_endpoint_url is not None:
        raise NotOnAws(
            f"{environment_name} is this machine: it has no stacks, and nothing is released to it",
            hint="`platform up` runs everything on it",
        )
    return environment


@contextmanager
def errors_as_json(as_json: bool) -> Iterator[None]:
    """Around what a command does: with --json, there is one document on stdout also where it ends with an error.

    Raises:
        PlatformError: as it came.
    """
    from platform_sdk.deploy.config_errors import error_document

    try:
        yield
    except PlatformError as error:
        if as_json:
            ending = {"format_version": 1, "outcome": "error", "exit_code": error.exit_code}
            click.echo(json.dumps(ending | {"error": error_document(error)}, indent=2, ensure_ascii=False))
        raise
