"""Stream the status of an order as server-sent events (WHATWG HTML, section 9.2).

A stream sends the current status, then each later step, until a final status. The event id is
the order's version, so a client that reconnects with `Last-Event-ID` misses no step and sees none twice.
"""

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from orders import model
from orders.errors import too_many_streams
from orders.model import Order, Step
from orders.schemas import encode, step_body
from orders.settings import OrdersSettings
from orders.states import FINAL
from orders.watching import OrderWatcher
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable

HEARTBEAT = b":\n\n"
RECONNECT = b"retry: 1000\n\n"


class Streams:
    """All live streams of one process, at most `settings.order_max_streams` at once."""

    def __init__(self, database: Database, watcher: OrderWatcher, settings: OrdersSettings) -> None:
        self._database = database
        self._watcher = watcher
        self._settings = settings
        self._open = 0

    def response(self, order: Order, after_version: int) -> StreamingResponse:
        """Return a stream of the steps of `order` that follow `after_version`.

        Raises:
            Problem: 503, this process has the maximum number of streams.
        """
        if self._open >= self._settings.order_max_streams:
            raise too_many_streams()
        return _StreamResponse(self, self._events(order, after_version))

    async def _events(self, order: Order, after_version: int) -> AsyncIterator[bytes]:
        yield RECONNECT
        for step in order.history[after_version:]:
            yield _event(order, step)
        version, status = order.version, order.status
        ends_at = asyncio.get_running_loop().time() + self._settings.order_stream_seconds
        while status not in FINAL and asyncio.get_running_loop().time() < ends_at:
            steps = await self._next_steps(order, version)
            if self._watcher.is_stopping:
                return
            if not steps:
                yield HEARTBEAT
            for step in steps:
                version, status = step.version, step.status
                yield _event(order, step)

    async def _next_steps(self, order: Order, version: int) -> list[Step]:
        """Wait for steps after `version`. Return none when the heartbeat is due."""
        heartbeat_seconds = self._settings.order_stream_heartbeat_seconds
        seen = await self._watcher.wait(order.order_id, lambda now: now.version > version, heartbeat_seconds)
        if seen is None:
            return []
        try:
            async with self._database.reader() as reader:
                return await model.steps_after(reader, order.order_id, version)
        except DatabaseUnavailable:
            # The watcher answers again as soon as the database does.
            return []


class _StreamResponse(StreamingResponse):
    """A response that counts as open from its first byte until it ends in any way."""

    def __init__(self, streams: Streams, content: AsyncIterator[bytes]) -> None:
        # no-transform and X-Accel-Buffering: a buffering proxy would delay the stream.
        headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams._open += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams._open -= 1


def _event(order: Order, step: Step) -> bytes:
    data = encode(step_body(order.order_id, step))
    return b"id: %d\nevent: status\ndata: %b\n\n" % (step.version, data)
