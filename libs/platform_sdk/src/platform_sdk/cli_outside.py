"""What a command reaches outside of itself: AWS, and the time. A caller may bring its own as click's context object."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws
    from platform_sdk.deploy.clock import Clock
    from platform_sdk.deploy.environment import Environment


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
