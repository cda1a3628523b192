"""The time that the deploy half lives in: the world's, or in a test one that stands still until somebody waits."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The moment, in UTC, with its zone."""

    def sleep(self, seconds: float) -> None:
        """Returns when the seconds are over."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
