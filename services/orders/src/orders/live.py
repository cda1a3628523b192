"""The watcher and the live streams of an API process."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import Request

from orders import model
from orders.model import Order
from orders.settings import OrdersSettings
from orders.streaming import Streams
from orders.watching import OrderWatcher, is_decided
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable
from platform_sdk.runtime.http.resources import ServiceResources


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    settings: OrdersSettings
    database: Database
    watcher: OrderWatcher
    streams: Streams
    lifetime: timedelta
    """How long an order may stay pending."""

    async def decided(self, order_id: UUID, seconds: float) -> Order | None:
        """Wait until inventory has decided the order. Return None if that takes longer or the database fails."""
        if await self.watcher.wait(order_id, is_decided, seconds) is None:
            return None
        try:
            async with self.database.reader() as reader:
                return await model.find(reader, order_id, None)
        except DatabaseUnavailable:
            return None


def live_of(request: Request) -> Live:
    """Return the `Live` of this process. The first request creates it, because only then are the resources open."""
    state = request.app.state
    if not hasattr(state, "live"):
        state.live = _live(state.resources)
    live: Live = state.live
    return live


def _live(resources: ServiceResources) -> Live:
    settings = resources.settings
    if not isinstance(settings, OrdersSettings):
        raise TypeError(f"the app of orders needs OrdersSettings, not {type(settings).__name__}")
    watcher = OrderWatcher(resources.database, settings.order_watch_interval_seconds, resources.stopping)
    return Live(
        settings=settings,
        database=resources.database,
        watcher=watcher,
        streams=Streams(resources.database, watcher, settings),
        lifetime=timedelta(seconds=settings.order_pending_timeout_seconds),
    )
