"""Runs handlers for the received messages of one consumer: `HandlerPool`.

consumer ─▶ `HandlerPool` ─▶ inbox (decode, handle, commit) ─▶ deliveries (delete, extend, dead-letter). Runs at most
`concurrency` transactions at a time, and messages of one aggregate one after another. After several failures
it handles one message at a time until one succeeds (circuit breaker), so that an outage costs no message its receives.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable
from platform_sdk.runtime.messaging.deliveries import Acks, DeadLetters, Delivery, Leases
from platform_sdk.runtime.messaging.inbox import Dispatcher, PermanentFailure, UnknownMessage
from platform_sdk.runtime.messaging.messages import QueueService, ReceivedMessage
from platform_sdk.runtime.process.settings import crash_point
from platform_sdk.runtime.process.telemetry import meter

_log = logging.getLogger(__name__)
_processed = meter.create_counter("messages.processed", unit="{message}")
_failed = meter.create_counter("messages.failed", unit="{message}", description="Handler raised; will be tried again")
_handler_time = meter.create_histogram(
    "messages.handler_time", unit="s", description="One transaction, with its commit"
)
_critical_time = meter.create_histogram("messages.critical_time", unit="s", description="From occurred_at to handled")
_in_flight = meter.create_gauge("messages.in_flight", unit="{transaction}", description="Handlers running")
_prefetched = meter.create_gauge("messages.prefetched", unit="{message}", description="Received, not yet started")

LONGEST_RETRY_SECONDS: Final = 900.0
BREAKER_FAILURES: Final = 5
FIRST_PROBE_SECONDS: Final = 0.2
LONGEST_PROBE_SECONDS: Final = 5.0
_CANCEL_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """See `Consumer`, whose arguments these are."""

    concurrency: int
    messages_per_transaction: int
    retry_base_seconds: float
    ignore_unknown: bool


class HandlerPool:
    """Takes messages by `accept`; calls `on_change` whenever there may be room for more."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        queues: QueueService,
        queue_url: str,
        leases: Leases,
        dead_letters: DeadLetters,
        limits: Limits,
        on_change: Callable[[], None],
    ) -> None:
        self.mean_seconds = 0.0
        """Moving mean of a transaction's time."""
        self._dispatcher = dispatcher
        self._queues = queues
        self._queue_url = queue_url
        self._leases = leases
        self._dead_letters = dead_letters
        self._limits = limits
        self._on_change = on_change
        self._acks = Acks(queues, queue_url)
        self._ready: list[Delivery] = []
        self._running: dict[asyncio.Task[None], Sequence[Delivery]] = {}
        self._aggregates_in_work: set[str] = set()
        self._failures_in_a_row = 0
        self._stopping = False

    @property
    def is_probing(self) -> bool:
        """The circuit breaker is open: one message at a time."""
        return self._failures_in_a_row >= BREAKER_FAILURES

    async def accept(self, messages: Sequence[ReceivedMessage], received_at: float) -> None:
        """Take received messages; when stopping, release them at once."""
        deliveries = [Delivery(message, received_at) for message in messages]
        for delivery in deliveries:
            self._leases.hold(delivery)
        if self._stopping:
            await self._release(deliveries)
            return
        for delivery in deliveries:
            try:
                delivery.work = self._dispatcher.prepare(delivery.received)
            except PermanentFailure as error:
                self._start(self._refuse(delivery, error), [delivery])
            else:
                self._ready.append(delivery)
        self._pump()

    async def drain(self, seconds: float) -> None:
        """Release the messages that have not started, wait for the others, and after `seconds` cancel them."""
        self._stopping = True
        await self._release_ready()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_CANCEL_SECONDS)
        await self._release_ready()
        await self._acks.drain()

    def _pump(self) -> None:
        concurrency = 1 if self.is_probing else self._limits.concurrency
        while not self._stopping and len(self._running) < concurrency and (unit := self._next_unit()):
            self._aggregates_in_work |= {_aggregate(delivery) for delivery in unit}
            self._start(self._handle(unit), unit)
        _in_flight.set(len(self._running))
        _prefetched.set(len(self._ready))

    def _next_unit(self) -> list[Delivery]:
        """Return what goes into the next transaction: in order, but nothing whose aggregate is being handled."""
        size = 1 if self.is_probing else self._limits.messages_per_transaction
        self._ready = [delivery for delivery in self._ready if not delivery.lost]
        blocked = set(self._aggregates_in_work)
        unit: list[Delivery] = []
        for delivery in self._ready:
            if _aggregate(delivery) in blocked:
                continue
            if unit and (delivery.alone or unit[0].alone or len(unit) == size):
                blocked.add(_aggregate(delivery))
                continue
            unit.append(delivery)
        self._ready = [delivery for delivery in self._ready if delivery not in unit]
        return unit

    def _start(self, work: Coroutine[Any, Any, None], unit: Sequence[Delivery]) -> None:
        task = asyncio.create_task(work)
        self._running[task] = unit
        for delivery in unit:
            delivery.task = task
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        unit = self._running.pop(task)
        for delivery in unit:
            delivery.task = None
            self._aggregates_in_work.discard(_aggregate(delivery))
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            # Not an error of a handler. SQS delivers the message again when its visibility timeout ends.
            _log.error("message was not settled", extra={"action": "message_not_settled"}, exc_info=error)
            for delivery in unit:
                self._leases.drop(delivery)
        self._pump()
        self._on_change()

    async def _handle(self, unit: Sequence[Delivery]) -> None:
        started = time.monotonic()
        try:
            if self.is_probing:
                await asyncio.sleep(self._probe_seconds())
            await self._dispatcher.handle([delivery.work for delivery in unit if delivery.work is not None])
        except asyncio.CancelledError:
            # Rolled back. Either a delivery of the unit is lost, or the process stops and `drain` releases the rest.
            self._put_back(delivery for delivery in unit if not delivery.lost)
        except DatabaseUnavailable as error:
            self._failures_in_a_row = max(self._failures_in_a_row + 1, BREAKER_FAILURES)
            self._put_back(unit)
            extra = {"action": "consumer_waits_for_database", "reason": str(error)}
            _log.warning("database is away, keeping messages in hand", extra=extra)
        except Exception as error:
            if len(unit) > 1:
                for delivery in unit:
                    delivery.alone = True
                self._put_back(unit)
            else:
                await self._failed(unit[0], error)
        else:
            self._failures_in_a_row = 0
            self._handled(unit, time.monotonic() - started)

    def _handled(self, unit: Sequence[Delivery], seconds: float) -> None:
        crash_point("consumer_after_commit")
        self.mean_seconds += (seconds - self.mean_seconds) / 16
        _handler_time.record(seconds)
        now = datetime.now(UTC)
        for delivery in unit:
            self._leases.drop(delivery)
            self._acks.add(delivery.received.receipt_handle)
            if delivery.work is not None:
                message = delivery.work.message
                _processed.add(1, {"type": message.type})
                _critical_time.record((now - message.occurred_at).total_seconds(), {"type": message.type})

    async def _failed(self, delivery: Delivery, error: Exception) -> None:
        extra = {"action": "message_failed", "sqs_message_id": delivery.received.message_id}
        extra["receive_count"] = str(delivery.received.receive_count)
        _log.warning("handler failed", extra=extra, exc_info=error)
        if isinstance(error, PermanentFailure):
            await self._refuse(delivery, error)
            return
        self._failures_in_a_row += 1
        _failed.add(1)
        last = self._dead_letters.max_receive_count
        if last is not None and delivery.received.receive_count >= last:
            await self._move_to_dead_letters(delivery, "retries-exhausted", error)
        else:
            await self._retry_later(delivery)

    async def _refuse(self, delivery: Delivery, error: PermanentFailure) -> None:
        if isinstance(error, UnknownMessage) and self._limits.ignore_unknown:
            self._leases.drop(delivery)
            self._acks.add(delivery.received.receipt_handle)
        else:
            reason = "unknown-message" if isinstance(error, UnknownMessage) else "permanent-failure"
            await self._move_to_dead_letters(delivery, reason, error)

    async def _move_to_dead_letters(self, delivery: Delivery, reason: str, error: Exception) -> None:
        if await self._dead_letters.move(delivery.received, reason, error):
            self._leases.drop(delivery)
            self._acks.add(delivery.received.receipt_handle)
        else:
            await self._retry_later(delivery)

    async def _retry_later(self, delivery: Delivery) -> None:
        """Exponential backoff with full jitter; SQS counts whole seconds."""
        longest = min(
            LONGEST_RETRY_SECONDS, self._limits.retry_base_seconds * 2 ** (delivery.received.receive_count - 1)
        )
        await self._release([delivery], math.ceil(random.uniform(0, longest)))

    def _put_back(self, unit: Iterable[Delivery]) -> None:
        self._ready[:0] = unit

    async def _release_ready(self) -> None:
        ready, self._ready = self._ready, []
        await self._release(ready)

    async def _release(self, deliveries: Sequence[Delivery], after_seconds: int = 0) -> None:
        for delivery in deliveries:
            self._leases.drop(delivery)
        handles = [delivery.received.receipt_handle for delivery in deliveries]
        if handles:
            # A message that cannot be released is delivered again when its visibility timeout ends.
            await self._queues.change_message_visibility_batch(self._queue_url, handles, [after_seconds] * len(handles))

    def _probe_seconds(self) -> float:
        doublings = min(self._failures_in_a_row - BREAKER_FAILURES, 10)
        return min(LONGEST_PROBE_SECONDS, FIRST_PROBE_SECONDS * float(2**doublings))


def _aggregate(delivery: Delivery) -> str:
    return delivery.work.message.aggregate_id if delivery.work is not None else ""
