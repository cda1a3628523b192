"""How a process is asked to stop: SIGTERM from ECS, SIGINT from a terminal.

The first SIGTERM starts an orderly stop; a second signal, or Ctrl-C, skips the wait for the load balancer; one more
gives up on what is still running. After the stop timeout ECS would send SIGKILL, so the process ends itself before.
"""

import asyncio
import logging
import os
import signal
import threading
from typing import Final

logger = logging.getLogger(__name__)

GAVE_UP_EXIT_CODE: Final = 1
MARGIN_SECONDS: Final = 0.5


class StopRequest:
    """Three events, set in this order: `requested`, `hurried`, `forced`."""

    def __init__(self, stop_timeout_seconds: float) -> None:
        self.requested = asyncio.Event()
        self.hurried = asyncio.Event()
        self.forced = asyncio.Event()
        self._stop_timeout_seconds = stop_timeout_seconds

    def listen(self) -> None:
        """Takes SIGTERM and SIGINT over from whoever had them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.receive, number)

    def receive(self, number: signal.Signals) -> None:
        """What a signal does."""
        if not self.requested.is_set():
            logger.info("stopping", extra={"action": "stop_requested", "signal": number.name})
            self.requested.set()
            self._start_watchdog()
            if number == signal.SIGINT:
                self.hurried.set()
        elif not self.hurried.is_set():
            self.hurried.set()
        else:
            self.forced.set()

    async def wait_for_drain(self, seconds: float) -> None:
        """Returns after `seconds`, or as soon as somebody is in a hurry."""
        try:
            async with asyncio.timeout(seconds):
                await self.hurried.wait()
        except TimeoutError:
            return

    def _start_watchdog(self) -> None:
        # A thread, because what it guards against is an event loop, or an executor's thread, that hangs.
        watchdog = threading.Timer(max(0.0, self._stop_timeout_seconds - MARGIN_SECONDS), _give_up)
        watchdog.daemon = True
        watchdog.start()


def _give_up() -> None:
    logger.error("the stop took too long; ending now", extra={"action": "stop_timed_out"})
    os._exit(GAVE_UP_EXIT_CODE)
