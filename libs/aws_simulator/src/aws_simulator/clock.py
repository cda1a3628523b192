"""The clock of a simulated account: time passes only while somebody sleeps, in steps of one second."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

STEP: Final = timedelta(seconds=1)
NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Listener(Protocol):
    @property
    def quiet_until(self) -> datetime:
        """The time before which nothing happens unless somebody calls. It is past while something is in progress."""

    def step(self) -> None:
        """Act after a second has passed. Seconds in which nothing happens may have been skipped before it."""


class SteppedClock:
    """A `platform_sdk.deploy.clock.Clock` that waits for nobody.

    Args:
        start: in UTC, with its zone.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a stepped clock starts at a moment with its zone")
        self._now = start
        self._stepped_to = start
        self._listeners: list[Listener] = []
        self._planned: list[tuple[datetime, Callable[[], None]]] = []

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is planned: a copy must not act for the original."""
        return {**self.__dict__, "_planned": []}

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass. Listeners step once per second; seconds in which all of them are quiet are skipped."""
        end = self._now + timedelta(seconds=seconds)
        while self._stepped_to + STEP <= end:
            moment = self.quiet_until
            self._stepped_to += max(STEP, (min(moment, end) - self._stepped_to) // STEP * STEP)
            self._now = max(self._now, self._stepped_to)
            if moment <= self._now:
                self._step()
        self._now = max(self._now, end)

    @property
    def quiet_until(self) -> datetime:
        """The time before which nothing happens unless somebody calls."""
        quiet = [listener.quiet_until for listener in self._listeners]
        return min([NEVER, *quiet, *(planned for planned, _ in self._planned)])

    def skip(self, seconds: float, quiet_until: datetime) -> bool:
        """Let time pass without asking the listeners, if it ends before `quiet_until`. Return whether it did."""
        end = self._now + timedelta(seconds=seconds)
        if end >= quiet_until:
            return False
        self._stepped_to += max(timedelta(), (end - self._stepped_to) // STEP * STEP)
        self._now = end
        return True

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` once after so many seconds. `sleep` raises what it raises, so a test can end a process then."""
        self._planned.append((self._now + timedelta(seconds=seconds), action))

    def _step(self) -> None:
        for listener in self._listeners:
            listener.step()
        due = [action for moment, action in self._planned if moment <= self._now]
        self._planned = [(moment, action) for moment, action in self._planned if moment > self._now]
        for action in due:
            action()
