"""What a command reaches outside of itself: AWS, the time, and whoever reads how it ended.

A caller may bring its own AWS and time as click's context object.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from platform_sdk.cli_arguments import environment_named
from platform_sdk.errors import PlatformError

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
    from platform_sdk.deploy.faults import error_document

    try:
        yield
    except PlatformError as error:
        if as_json:
            ending = {"format_version": 1, "outcome": "error", "exit_code": error.exit_code}
            click.echo(json.dumps(ending | {"error": error_document(error)}, indent=2, ensure_ascii=False))
        raise
