"""Keeps the messages in hand invisible to other consumers, by extending their visibility in time, ten to a call.

A delivery that SQS takes for lost (it was too late) is marked, and whoever handles it is cancelled: its transaction
rolls back, and the inbox decides between it and the new delivery.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from platform_sdk.runtime.acks import LOST_HANDLE_CODES
from platform_sdk.runtime.dispatch import Work
from platform_sdk.runtime.sqs import QueueService, ReceivedMessage
from platform_sdk.runtime.telemetry import meter

_log = logging.getLogger(__name__)
_extensions = meter.create_counter("messages.heartbeats", unit="{message}", description="Visibility extensions")
_lost = meter.create_counter("messages.lock_lost", unit="{message}", description="Deliveries lost while in hand")

_LONGEST_BUFFER_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 1.0


@dataclass(slots=True, eq=False)
class Delivery:
    """One message in hand, from its reception until it is deleted, released or lost. Times are `time.monotonic()`."""

    received: ReceivedMessage
    received_at: float
    renew_at: float = 0.0
    work: Work | None = None
    task: asyncio.Task[None] | None = None
    lost: bool = False
    alone: bool = False
    """It was in a transaction that failed, so it gets one of its own."""


class Leases:
    """All deliveries in hand, and the loop that extends them.

    Args:
        visibility_seconds: the queue's; each extension is for as long again, from the moment of the call. (More would
            keep the messages of a killed process from the others for longer.)
        max_processing_seconds: after that long in hand a delivery is given up: its handler is cancelled.
    """

    def __init__(
        self,
        queues: QueueService,
        queue_url: str,
        *,
        visibility_seconds: float,
        max_processing_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queues = queues
        self._queue_url = queue_url
        self._visibility_seconds = visibility_seconds
        self._max_processing_seconds = max_processing_seconds
        self._now = now
        self._held: set[Delivery] = set()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, delivery: Delivery) -> None:
        delivery.renew_at = self._renewal_after(delivery.received_at)
        self._held.add(delivery)

    def drop(self, delivery: Delivery) -> None:
        self._held.discard(delivery)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(min(_RETRY_SECONDS, self._visibility_seconds / 10))
            try:
                await self.renew()
            except Exception as error:
                _log.warning("could not extend visibility", extra={"action": "heartbeat_failed"}, exc_info=error)

    async def renew(self) -> None:
        """Extend what is due, and give up what has been in hand for too long."""
        now = self._now()
        due = [delivery for delivery in self._held if delivery.renew_at <= now]
        overdue = [each for each in due if now - each.received_at > self._max_processing_seconds]
        for delivery in overdue:
            self._give_up(delivery, "it took longer than max_processing_seconds")
        await self._extend([delivery for delivery in due if not delivery.lost])

    async def _extend(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        started = self._now()
        seconds = [round(self._visibility_seconds)] * len(deliveries)
        handles = [delivery.received.receipt_handle for delivery in deliveries]
        failures = await self._queues.change_message_visibility_batch(self._queue_url, handles, seconds)
        for delivery in deliveries:
            delivery.renew_at = self._renewal_after(started)
        for failure in failures:
            delivery = deliveries[failure.index]
            delivery.renew_at = started + _RETRY_SECONDS
            # Deleted or released while the call was under way: then its handle is no longer valid, rightly.
            if failure.code in LOST_HANDLE_CODES and delivery in self._held:
                self._give_up(delivery, "SQS no longer knows the receipt handle")
        _extensions.add(len(deliveries) - len(failures))

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        delivery.lost = True
        self.drop(delivery)
        _lost.add(1)
        extra = {"action": "lock_lost", "sqs_message_id": delivery.received.message_id, "reason": reason}
        _log.warning("a message in hand is lost and will come again", extra=extra)
        if delivery.task is not None:
            delivery.task.cancel()

    def _renewal_after(self, start: float) -> float:
        buffer = min(self._visibility_seconds / 2, _LONGEST_BUFFER_SECONDS)
        return start + self._visibility_seconds - buffer
