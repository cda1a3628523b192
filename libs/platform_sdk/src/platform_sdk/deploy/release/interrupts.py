"""Ctrl-C and the signal with which a build is cancelled: heard at once, obeyed where a release can be left or undone.

A handler that raised in the middle of a call could leave a deployment behind that nobody knows. So the first signal is
only remembered, and every wait and every step asks for it; the second one ends the process at once.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

HEARD: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """Raised once, at the next step after the signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class Interrupts:
    """
    Args:
        leave: what a second signal does; it does not return.
    """

    def __init__(self, leave: Callable[[int], None] = os._exit) -> None:
        self.signal_number: int | None = None
        self.obeyed = False
        self.leave = leave

    def arrive(self, signal_number: int) -> None:
        if self.signal_number is not None:
            self.leave(128 + signal_number)
        self.signal_number = signal_number

    def check(self) -> None:
        """
        Raises:
            Interrupted: a signal came. Once: what is done about it is not interrupted again.
        """
        if self.signal_number is not None and not self.obeyed:
            self.obeyed = True
            raise Interrupted(self.signal_number)


@contextmanager
def heard(interrupts: Interrupts) -> Iterator[None]:
    """While it is open, signals arrive there."""

    def arrive(signal_number: int, _frame: FrameType | None) -> None:
        interrupts.arrive(signal_number)

    before = {number: signal.signal(number, arrive) for number in HEARD}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
