import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from platform_sdk.runtime.lifecycle import StopRequest


@pytest.fixture(autouse=True)
def _no_watchdog_stays() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def state(stop: StopRequest) -> tuple[bool, bool, bool]:
    return stop.requested.is_set(), stop.hurried.is_set(), stop.forced.is_set()


async def test_each_further_signal_is_more_urgent() -> None:
    stop = StopRequest(60)
    assert state(stop) == (False, False, False)
    stop.receive(signal.SIGTERM)
    assert state(stop) == (True, False, False)
    stop.receive(signal.SIGTERM)
    assert state(stop) == (True, True, False)
    stop.receive(signal.SIGTERM)
    assert state(stop) == (True, True, True)


async def test_a_person_at_the_terminal_does_not_wait_for_a_load_balancer() -> None:
    stop = StopRequest(60)
    stop.receive(signal.SIGINT)
    assert state(stop) == (True, True, False)
    await asyncio.wait_for(stop.wait_for_drain(3600), 60)
