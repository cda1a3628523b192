"""Watches the backing servers and starts again whichever ends, with the scheduler's back-off."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from local_aws.backing.server import BackingServer
from local_aws.engines.scheduling import Health, SlotRecord, after_exit
from platform_sdk.errors import PlatformError

LOOP_SECONDS: Final = 0.1


@dataclass(slots=True, kw_only=True)
class WatchedServer:
    """A server that was started, and what became of it. `since` is `time.time()`."""

    server: BackingServer
    health: Health = Health.HEALTHY
    since: float = field(default_factory=time.time)
    healthy_at: float = field(default_factory=time.monotonic)
    record: SlotRecord = field(default_factory=SlotRecord)


@dataclass(slots=True, kw_only=True)
class ServerWatch:
    """Runs on the main thread: Linux ends a server together with the thread that started it.

    Args:
        after_restart: by server name, what has to be done again once it is back.
    """

    servers: list[WatchedServer]
    after_restart: Mapping[str, Callable[[], Awaitable[None]]]
    on_change: Callable[[], None]
    tell: Callable[[str], None]

    async def run(self) -> None:
        """Acts until cancelled."""
        while True:
            for watched in self.servers:
                await self._look_at(watched)
            await asyncio.sleep(LOOP_SECONDS)

    async def _look_at(self, watched: WatchedServer) -> None:
        now = time.monotonic()
        if watched.server.is_running():
            if watched.health is Health.STARTING and await asyncio.to_thread(watched.server.is_ready):
                await self._is_back(watched)
        elif watched.health is not Health.UNHEALTHY:
            self._note_end(watched, now)
        elif now >= watched.record.start_not_before:
            self._start_again(watched)

    def _note_end(self, watched: WatchedServer, now: float) -> None:
        self.tell(f"{watched.server.title} ended; starting it again")
        was_well = watched.health is Health.HEALTHY
        watched.record = after_exit(
            watched.record,
            exit_code=1,
            healthy_seconds=now - watched.healthy_at if was_well else 0.0,
            was_stopped=False,
            now=now,
        )
        watched.health = Health.UNHEALTHY
        self.on_change()

    def _start_again(self, watched: WatchedServer) -> None:
        watched.health = Health.STARTING
        try:
            watched.server.launch()
        except (PlatformError, OSError) as error:
            self.tell(f"{watched.server.title} could not be started: {error}")
        watched.since = time.time()
        self.on_change()

    async def _is_back(self, watched: WatchedServer) -> None:
        again = self.after_restart.get(watched.server.name)
        if again is not None:
            await again()
        watched.health, watched.healthy_at = Health.HEALTHY, time.monotonic()
        self.tell(f"{watched.server.title} is back")
        self.on_change()
