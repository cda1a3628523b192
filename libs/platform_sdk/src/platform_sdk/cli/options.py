"""What commands share: the repository, the environment, names for shell completion, AWS and the time.

A caller may give its own AWS and time as click's context object.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws
    from platform_sdk.deploy.clock import Clock
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])


def root() -> Path:
    """Return the root of the repository that the working directory is in. Raises PlatformError outside one."""
    from platform_sdk.deploy.environment import find_root

    return find_root(Path.cwd())


def environment_named(name: str) -> "Environment":
    """Load an environment, with the ports that this machine's variables give for the local one."""
    from platform_sdk.deploy.environment import load_environment, with_ports_of

    return with_ports_of(os.environ, load_environment(root(), name))


def spec_named(service: str, environment_name: str) -> "ServiceSpec":
    """Load the platform.toml of a service as one environment reads it, and refuse an unknown service."""
    from platform_sdk.deploy.environment import refuse_unknown, service_names
    from platform_sdk.deploy.manifest import load_spec

    refuse_unknown("service", [service], service_names(root()))
    return load_spec(root() / "services" / service / "platform.toml", environment_name, root=root())


def complete_services(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the services that start with the typed text, for the shell's completion."""
    from platform_sdk.deploy.environment import service_names

    return starting_with(incomplete, lambda: service_names(root()))


def complete_environments(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the environments that start with the typed text, for the shell's completion."""
    from platform_sdk.deploy.environment import environment_names

    return starting_with(incomplete, lambda: environment_names(root()))


def complete_keys(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the paths of platform.toml keys that start with the typed text, for the shell's completion."""
    from platform_sdk.deploy.manifest.reference import BY_PATH

    return starting_with(incomplete, lambda: BY_PATH)


def complete_queues(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the queues that start with the typed text, for the shell's completion."""
    from platform_sdk.deploy.dead_letters import queue_owners
    from platform_sdk.deploy.manifest import load_services

    return starting_with(incomplete, lambda: queue_owners(load_services(root())))


def starting_with(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    """Return no names if they cannot be read: a shell cannot show an error."""
    try:
        return [name for name in names() if name.startswith(incomplete)]
    except PlatformError:
        return []


def environment_option(help_text: str, default: str | None = None) -> Callable[[AnyCommand], AnyCommand]:
    """Return the option --env. Without a default it is required."""
    return click.option(
        "--env",
        "environment_name",
        default=default,
        required=default is None,
        show_default=default is not None,
        metavar="NAME",
        shell_complete=complete_environments,
        help=help_text,
    )


class NotOnAws(PlatformError):
    """The environment is this machine, not AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What commands use of the world outside. Tests give an AWS in memory and a stepped clock."""

    connect: "Callable[[Environment], Aws]"
    clock: "Clock"


def outside() -> Outside:
    """Return what the caller gave as `platform(obj=Outside(…))`, or the real AWS and the real time."""
    given = click.get_current_context().find_object(Outside)
    if given is not None:
        return given
    from platform_sdk.deploy.aws.session import connect
    from platform_sdk.deploy.clock import SystemClock

    return Outside(connect=connect, clock=SystemClock())


def on_aws(environment_name: str) -> "Environment":
    """Return the environment, for commands that need stacks, releases or locks.

    Raises:
        NotOnAws: the environment is this machine.
        UnknownEnvironment, InvalidEnvironment
    """
    environment = environment_named(environment_name)
    if environment.aws_endpoint_url is not None:
        raise NotOnAws(
            f"the environment {environment_name} is this machine: it has no stacks and no releases",
            hint="`platform up` runs all services on this machine; name another environment with --env",
        )
    return environment


@contextmanager
def errors_as_json(as_json: bool) -> Iterator[None]:
    """Print an error as one JSON document on stdout if the command was called with --json, and raise it again."""
    from platform_sdk.deploy.config_errors import error_document

    try:
        yield
    except PlatformError as error:
        if as_json:
            ending = {"format_version": 1, "outcome": "error", "exit_code": error.exit_code}
            click.echo(json.dumps(ending | {"error": error_document(error)}, indent=2, ensure_ascii=False))
        raise
