"""The clock of the deploy half: the system's, or in tests one that moves only when somebody waits."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as the release code reads it, so that tests can step it."""

    def now(self) -> datetime:
        """Return the time in UTC, with its zone."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
