"""Asking again where AWS is busy or away for longer than botocore itself waits."""

from collections.abc import Callable
from typing import Final, TypeVar

from platform_sdk.deploy.aws import AwsUnavailable, Throttled
from platform_sdk.deploy.clock import Clock

PATIENCE: Final = (1, 2, 4, 8)
"""Seconds between attempts."""

Answer = TypeVar("Answer")


def patiently(clock: Clock, ask: Callable[[], Answer]) -> Answer:
    """For calls that may be made twice: reads, and writes that come to the same.

    Raises:
        AwsCallFailed: AWS refused, or is still away after a quarter of a minute.
    """
    for seconds in PATIENCE:
        try:
            return ask()
        except (Throttled, AwsUnavailable):
            clock.sleep(seconds)
    return ask()
