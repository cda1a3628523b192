"""The calls of SQS about received messages, in batches of ten (SQS API reference, "batch actions").

`Acks` deletes handled messages. `Leases` extends the visibility timeout of a `Delivery` while it is handled; a delivery
that SQS no longer knows is marked lost and its handler cancelled, so that its transaction rolls back and the inbox
decides between it and the new delivery. `DeadLetters` moves a message that cannot be handled, with its reason.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from platform_sdk.contract import DeadLetterAttribute
from platform_sdk.runtime.messaging.inbox import Work
from platform_sdk.runtime.messaging.messages import (
    MAX_BATCH_ENTRIES,
    OutgoingMessage,
    QueueService,
    ReceivedMessage,
    SqsError,
)
from platform_sdk.runtime.process.telemetry import meter

_log = logging.getLogger(__name__)
_batch_size = meter.create_histogram(
    "messages.ack_batch_size", unit="{message}", description="Messages per delete call"
)
_extensions = meter.create_counter("messages.heartbeats", unit="{message}", description="Visibility extensions")
_lost = meter.create_counter("messages.lock_lost", unit="{message}", description="Deliveries lost while in hand")
_dead_lettered = meter.create_counter("messages.dead_lettered", unit="{message}", description="Moved to the DLQ")

MAX_AGE_SECONDS: Final = 0.03
_ATTEMPTS: Final = 3
_LONGEST_BUFFER_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 1.0
_MAX_ATTRIBUTES: Final = 10
_MAX_TEXT: Final = 1_000
LOST_HANDLE_CODES: Final = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})
"""SQS's codes for a receipt handle that is no longer valid."""


class Acks:
    """Deletes handled messages. If a deletion fails, SQS delivers the message again, and the inbox skips it."""

    def __init__(self, queues: QueueService, queue_url: str) -> None:
        self._queues = queues
        self._queue_url = queue_url
        self._waiting: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()

    def add(self, receipt_handle: str) -> None:
        """Delete soon: when ten are waiting, or 30 ms after the first of them."""
        self._waiting.append(receipt_handle)
        if len(self._waiting) == MAX_BATCH_ENTRIES:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MAX_AGE_SECONDS, self._flush)

    async def drain(self) -> None:
        """Delete the waiting messages, and return when all calls have ended."""
        self._flush()
        await asyncio.gather(*self._calls)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            handles, self._waiting = self._waiting, []
            call = asyncio.create_task(self._delete(handles))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _delete(self, handles: list[str]) -> None:
        _batch_size.record(len(handles))
        for attempt in range(_ATTEMPTS):
            failures = await self._queues.delete_message_batch(self._queue_url, handles)
            retried = [failure for failure in failures if failure.code not in LOST_HANDLE_CODES]
            if not retried:
                break
            handles = [handles[failure.index] for failure in retried]
            await asyncio.sleep(0.05 * 2**attempt)
        if failures:
            extra = {"action": "ack_failed", "messages": len(failures), "reason": failures[0].code}
            _log.warning("handled messages could not be deleted and will be delivered again", extra=extra)


@dataclass(slots=True, eq=False)
class Delivery:
    """One received message, until it is deleted, released or lost. Times are `time.monotonic()` seconds."""

    received: ReceivedMessage
    received_at: float
    renew_at: float = 0.0
    work: Work | None = None
    task: asyncio.Task[None] | None = None
    lost: bool = False
    alone: bool = False
    """It was in a transaction that failed, so it gets one of its own."""


class Leases:
    """All deliveries that are being handled, and the loop that extends them.

    Args:
        visibility_seconds: the queue's visibility timeout, and the length of each extension from the moment of its
            call. (A longer one would delay the messages of a killed process.)
        max_processing_seconds: after that long a delivery is given up: its handler is cancelled.
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
        """Keep the message hidden from other consumers until `drop`."""
        delivery.renew_at = self._renewal_after(delivery.received_at)
        self._held.add(delivery)

    def drop(self, delivery: Delivery) -> None:
        self._held.discard(delivery)

    async def run(self) -> None:
        """Renew the visibility of what is held, until cancelled."""
        while True:
            await asyncio.sleep(min(_RETRY_SECONDS, self._visibility_seconds / 10))
            try:
                await self.renew()
            except Exception as error:
                _log.warning("could not extend visibility", extra={"action": "heartbeat_failed"}, exc_info=error)

    async def renew(self) -> None:
        """Extend the deliveries that are due, and give up those that have taken too long."""
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
            # A delivery that was deleted or released meanwhile has no valid handle, and is not lost.
            if failure.code in LOST_HANDLE_CODES and delivery in self._held:
                self._give_up(delivery, "SQS no longer knows the receipt handle")
        _extensions.add(len(deliveries) - len(failures))

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        delivery.lost = True
        self.drop(delivery)
        _lost.add(1)
        extra = {"action": "lock_lost", "sqs_message_id": delivery.received.message_id, "reason": reason}
        _log.warning("a message that is being handled is lost and will be delivered again", extra=extra)
        if delivery.task is not None:
            delivery.task.cancel()

    def _renewal_after(self, start: float) -> float:
        buffer = min(self._visibility_seconds / 2, _LONGEST_BUFFER_SECONDS)
        return start + self._visibility_seconds - buffer


class DeadLetters:
    """The dead-letter queue of one queue, as its RedrivePolicy names it.

    SQS's own redrive (maxReceiveCount) remains for messages that kill the process; it gives no reason.
    """

    def __init__(self, queues: QueueService, source_queue: str, queue_attributes: Mapping[str, str]) -> None:
        policy = orjson.loads(queue_attributes.get("RedrivePolicy") or "{}")
        arn = policy.get("deadLetterTargetArn")
        self.max_receive_count: int | None = int(policy["maxReceiveCount"]) if arn else None
        self._name: str | None = arn.rpartition(":")[2] if arn else None
        self._queues = queues
        self._source_queue = source_queue

    async def move(self, received: ReceivedMessage, reason: str, error: Exception) -> bool:
        """Send the message there; return False if that failed and the message must stay. The caller deletes it."""
        if self._name is None:
            _log.error("no dead-letter queue", extra={"action": "no_dead_letter_queue", "queue": self._source_queue})
            return False
        message = OutgoingMessage(body=received.body, attributes=self._attributes(received, reason, error))
        try:
            queue_url = await self._queues.queue_url(self._name)
            failures = await self._queues.send_message_batch(queue_url, [message])
        except SqsError as sqs_error:
            failure = str(sqs_error)
        else:
            failure = f"{failures[0].code}: {failures[0].message}" if failures else ""
        extra = {"queue": self._name, "reason": reason, "receive_count": received.receive_count}
        if failure:
            extra |= {"action": "dead_letter_failed", "error": failure}
            _log.error("message could not be moved to the dead-letter queue", extra=extra)
            return False
        _dead_lettered.add(1)
        extra |= {"action": "message_dead_lettered", "error": str(error)[:_MAX_TEXT]}
        _log.error("message moved to the dead-letter queue", extra=extra)
        return True

    def _attributes(self, received: ReceivedMessage, reason: str, error: Exception) -> dict[str, str]:
        ours = {
            DeadLetterAttribute.REASON: reason,
            DeadLetterAttribute.ERROR_TYPE: type(error).__name__,
            DeadLetterAttribute.ERROR_MESSAGE: _valid_text(str(error)),
            DeadLetterAttribute.FAILED_AT: datetime.now(UTC).isoformat(timespec="milliseconds"),
            DeadLetterAttribute.RECEIVE_COUNT: str(received.receive_count),
            DeadLetterAttribute.SOURCE_QUEUE: self._source_queue,
        }
        theirs = [(name, value) for name, value in received.attributes.items() if name not in ours]
        return dict(theirs[: _MAX_ATTRIBUTES - len(ours)]) | ours


def _valid_text(text: str) -> str:
    """Return what SQS takes as an attribute: not empty, and none of the characters that XML forbids."""
    return (
        "".join(c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") else "?" for c in text)[:_MAX_TEXT] or "-"
    )
