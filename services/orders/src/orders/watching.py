"""Wait for orders to change, for `Prefer: wait`, `?wait=` and live streams.

Worker processes change orders, so an API process must query the database. One loop per process reads all watched orders
in one query, while somebody waits. More waiting requests cause no more queries.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from orders import model
from orders.states import UNDECIDED, Status
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
"""How often a database that is away is asked again."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What the loop sees of an order."""

    version: int
    status: Status


def is_decided(now: Glimpse) -> bool:
    return now.status not in UNDECIDED


@dataclass(eq=False, slots=True)
class _Waiter:
    order_id: UUID
    is_enough: Callable[[Glimpse], bool]
    seen: asyncio.Future[Glimpse | None]


class OrderWatcher:
    """One per API process.

    Args:
        interval_seconds: the pause between two queries while somebody waits.
        stopping: set when the process stops; every wait then ends.
    """

    def __init__(self, database: Database, interval_seconds: float, stopping: asyncio.Event) -> None:
        self._database = database
        self._interval_seconds = interval_seconds
        self._stopping = stopping
        self._waiters: set[_Waiter] = set()
        self._loop: asyncio.Task[None] | None = None
        self._farewell: asyncio.Task[None] | None = None

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    async def wait(self, order_id: UUID, is_enough: Callable[[Glimpse], bool], seconds: float) -> Glimpse | None:
        """Return the first glimpse of the order that `is_enough`; None after `seconds`, or when the process stops.

        If the database fails in between, the wait continues.
        """
        if self.is_stopping:
            return None
        waiter = _Waiter(order_id, is_enough, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._watch(), name="order-watcher")
        if self._farewell is None:
            self._farewell = asyncio.create_task(self._send_away(), name="order-watcher-farewell")
        try:
            async with asyncio.timeout(seconds):
                return await waiter.seen
        except TimeoutError:
            return None
        finally:
            self._waiters.discard(waiter)

    async def _watch(self) -> None:
        while self._waiters and not self.is_stopping:
            pause = self._interval_seconds
            try:
                await self._look()
            except DatabaseUnavailable:
                pause = RETRY_SECONDS
            except Exception:
                # On any error, waiting requests end by their timeout, and the next query may succeed.
                log.exception("watched orders could not be read", extra={"action": "order_watch_failed"})
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def _send_away(self) -> None:
        """End all waits. Runs beside the query loop, so that a stop never waits for a database."""
        await self._stopping.wait()
        for waiter in self._waiters:
            if not waiter.seen.done():
                waiter.seen.set_result(None)

    async def _look(self) -> None:
        order_ids = list({waiter.order_id for waiter in self._waiters})
        async with self._database.reader() as reader:
            versions = await model.versions(reader, order_ids)
        for waiter in list(self._waiters):
            found = versions.get(waiter.order_id)
            if found is None or waiter.seen.done():
                continue
            glimpse = Glimpse(*found)
            if waiter.is_enough(glimpse):
                waiter.seen.set_result(glimpse)
