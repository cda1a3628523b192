"""Consumes a queue: queue ─▶ `Consumer` ─▶ { inbox row } + use case, commit, then delete the message.

At least once on the wire, exactly once in effect. What happens to a message:

    handled, or handled before       deleted
    can never be handled             moved to the dead-letter queue with its reason, at once
    failed                           visible again after a backoff; at the queue's last receive: dead-letter queue
    the database is away             kept, and tried one at a time, so that an outage costs no message its receives
    takes long                       its visibility timeout is extended
    not started at a stop            visible again at once
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Mapping
from typing import Final, Literal

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.messaging.deliveries import DeadLetters, Leases
from platform_sdk.runtime.messaging.handler_pool import HandlerPool, Limits
from platform_sdk.runtime.messaging.inbox import Dispatcher, Handler, PermanentFailure, UnknownMessage
from platform_sdk.runtime.messaging.messages import MAX_BATCH_ENTRIES, Event, QueueDoesNotExist, QueueService, SqsError
from platform_sdk.runtime.process.telemetry import meter

__all__ = ["Consumer", "Handler", "PermanentFailure", "UnknownMessage"]

_log = logging.getLogger(__name__)
_received = meter.create_counter("messages.received", unit="{message}")

RETRY_BASE_SECONDS: Final = 2.0
_AWAY_SECONDS: Final = 1.0
"""Between two attempts while the queue does not exist, or SQS does not answer."""


class Consumer:
    """One queue's consumer; `run` it, and call `stop` (from the signal handler) to make `run` drain and return.

    A stop takes at most the longer of `wait_seconds` and `drain_seconds`, and 3 s more.

    Args:
        queue: the physical name.
        consumer: name in the inbox, usually the service's.
        handlers: event class to handler.
        concurrency: transactions that run at the same time.
        prefetch: further messages in hand, so that handlers need not wait for the next receive.
        wait_seconds: of the long poll (at most 20). A stop waits for it: a poll that is cut off strands the messages
            that it was about to return.
        drain_seconds: how long a stop waits for running handlers before it cancels them and releases their messages.
        max_processing_seconds: the longest that a message stays in hand.
        messages_per_transaction: messages that may share one. More is faster, and right where handlers do not lock
            rows in an order that differs between messages; if one fails, each is handled by itself.
        unknown_messages: what happens to a type or version that has no handler.
        retry_base_seconds: backoff after the first failure; doubles up to 15 min.
    """

    def __init__(
        self,
        database: Database,
        queues: QueueService,
        *,
        queue: str,
        consumer: str,
        handlers: Mapping[type[Event], Handler],
        concurrency: int = 10,
        prefetch: int = 10,
        wait_seconds: int = 20,
        drain_seconds: float = 20.0,
        max_processing_seconds: float = 300.0,
        messages_per_transaction: int = 1,
        unknown_messages: Literal["dead_letter", "ignore"] = "dead_letter",
        retry_base_seconds: float = RETRY_BASE_SECONDS,
    ) -> None:
        self._queues = queues
        self._queue = queue
        self._dispatcher = Dispatcher(database, consumer, handlers)
        self._prefetch = prefetch
        self._max_pollers = math.ceil(concurrency * messages_per_transaction / MAX_BATCH_ENTRIES)
        self._wait_seconds = wait_seconds
        self._drain_seconds = drain_seconds
        self._max_processing_seconds = max_processing_seconds
        self._limits = Limits(
            concurrency=concurrency,
            messages_per_transaction=messages_per_transaction,
            retry_base_seconds=retry_base_seconds,
            ignore_unknown=unknown_messages == "ignore",
        )
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._pollers: set[asyncio.Task[None]] = set()
        self._asked_for = 0

    def stop(self) -> None:
        """Make `run` drain and return."""
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        """Consume until `stop`; waits for a queue that does not exist yet."""
        found = await self._find_queue()
        if found is None:
            return
        queue_url, attributes = found
        self._visibility_seconds = float(attributes.get("VisibilityTimeout", 30))
        self._queue_url = queue_url
        self._leases = Leases(
            self._queues,
            queue_url,
            visibility_seconds=self._visibility_seconds,
            max_processing_seconds=self._max_processing_seconds,
        )
        dead_letters = DeadLetters(self._queues, self._queue, attributes)
        self._pool = HandlerPool(
            self._dispatcher, self._queues, queue_url, self._leases, dead_letters, self._limits, self._changed.set
        )
        _log.info("consuming", extra={"action": "consumer_started", "queue": self._queue, "limits": str(self._limits)})
        heartbeat = asyncio.create_task(self._leases.run(), name="heartbeat")
        try:
            self._add_poller(permanent=True)
            await self._stopping.wait()
            await asyncio.gather(self._end_pollers(), self._pool.drain(self._drain_seconds))
        finally:
            heartbeat.cancel()
            for poller in self._pollers:
                poller.cancel()
        _log.info("stopped consuming", extra={"action": "consumer_stopped", "queue": self._queue})

    async def _find_queue(self) -> tuple[str, Mapping[str, str]] | None:
        while not self._stopping.is_set():
            try:
                queue_url = await self._queues.queue_url(self._queue)
                return queue_url, await self._queues.queue_attributes(queue_url)
            except QueueDoesNotExist:
                reason = "it does not exist (yet)"
            except SqsError as error:
                reason = str(error)
            extra = {"action": "consumer_waits_for_queue", "queue": self._queue, "reason": reason}
            _log.warning("queue is not there, will look again", extra=extra)
            await self._pause(_AWAY_SECONDS)
        return None

    def _add_poller(self, *, permanent: bool) -> None:
        poller = asyncio.create_task(self._poll(permanent=permanent), name=f"poll {self._queue}")
        self._pollers.add(poller)
        poller.add_done_callback(self._pollers.discard)

    async def _end_pollers(self) -> None:
        """Wait for receives in progress to return; their messages are released."""
        if self._pollers:
            await asyncio.wait(self._pollers, timeout=self._wait_seconds + 1)

    async def _poll(self, *, permanent: bool) -> None:
        """Receive while there is room. A full receive adds a poller, which ends after a receive that is not full."""
        wait_seconds = self._wait_seconds if permanent else 0
        while wanted := await self._room():
            self._asked_for += wanted
            try:
                messages = await self._queues.receive_messages(
                    self._queue_url, max_messages=wanted, wait_seconds=wait_seconds
                )
            except Exception as error:
                # Catch everything: a consumer without its poller would look alive and do nothing.
                extra = {"action": "receive_failed", "queue": self._queue, "reason": repr(error)}
                _log.warning("could not receive, will try again", extra=extra)
                await self._pause(_AWAY_SECONDS)
                continue
            finally:
                self._asked_for -= wanted
            if messages:
                _received.add(len(messages))
                await self._pool.accept(messages, time.monotonic())
            if len(messages) == MAX_BATCH_ENTRIES and len(self._pollers) < self._max_pollers:
                self._add_poller(permanent=False)
            if len(messages) < wanted and not permanent:
                return

    async def _room(self) -> int:
        """Wait until a receive is worth its call; return how many messages it may bring, or 0 when stopping."""
        while not self._stopping.is_set():
            if self._pool.is_probing:
                capacity, worthwhile = 1, 1
            else:
                prefetch = self._useful_prefetch()
                capacity = self._limits.concurrency * self._limits.messages_per_transaction + prefetch
                worthwhile = min(MAX_BATCH_ENTRIES, max(prefetch, 1))
            room = capacity - len(self._leases) - self._asked_for
            if room >= worthwhile:
                return min(room, MAX_BATCH_ENTRIES)
            self._changed.clear()
            await self._changed.wait()
        return 0

    def _useful_prefetch(self) -> int:
        """Return how many messages to prefetch: no more than can start within half the visibility timeout."""
        mean_seconds = max(self._pool.mean_seconds, 0.001)
        startable = self._limits.concurrency * self._visibility_seconds / 2 / mean_seconds
        return min(self._prefetch, int(startable))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
