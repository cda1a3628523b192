"""SQS in memory, for tests of the consumer's parts."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from platform_sdk.runtime.messaging.messages import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    Failed,
    OutgoingMessage,
    QueueDoesNotExist,
    ReceivedMessage,
    new_id,
)


@dataclass(slots=True)
class _Stored:
    body: str
    attributes: Mapping[str, str]
    message_id: str
    visible_at: float
    receive_count: int = 0
    receipt_handle: str = ""


@dataclass(slots=True)
class _Queue:
    attributes: dict[str, str]
    messages: list[_Stored] = field(default_factory=list)

    @property
    def visibility_seconds(self) -> float:
        return float(self.attributes["VisibilityTimeout"])


class InMemorySqs:
    """SQS for unit tests: visibility, receive counts, redrive, limits and partial failures, by a clock of the test.

    `fail_next` makes entries fail as SQS would; receives never wait.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.calls: list[tuple[str, int]] = []
        """Each call's operation and number of entries."""
        self._now = now
        self._queues: dict[str, _Queue] = {}
        self._failures: dict[str, list[Failed]] = {}

    def create_queue(
        self,
        name: str,
        *,
        visibility_seconds: int = 30,
        dead_letter_queue: str | None = None,
        max_receive_count: int = 5,
    ) -> str:
        """Return the URL, which is the name."""
        attributes = {"VisibilityTimeout": str(visibility_seconds)}
        if dead_letter_queue is not None:
            policy = {
                "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:{dead_letter_queue}",
                "maxReceiveCount": max_receive_count,
            }
            attributes["RedrivePolicy"] = orjson.dumps(policy).decode()
        self._queues[name] = _Queue(attributes)
        return name

    def fail_next(self, operation: str, *failed: Failed) -> None:
        """The next call of `operation` (a method's name) reports these failures and does the rest."""
        self._failures[operation] = list(failed)

    def bodies(self, queue_url: str) -> list[str]:
        """Return all messages in the queue, visible or not."""
        return [message.body for message in self._queue(queue_url).messages]

    async def open(self) -> None:
        """There is nothing to load."""

    async def queue_url(self, name: str) -> str:
        self._queue(name)
        return name

    async def queue_attributes(self, queue_url: str) -> Mapping[str, str]:
        return self._queue(queue_url).attributes

    async def receive_messages(
        self, queue_url: str, *, max_messages: int = MAX_BATCH_ENTRIES, wait_seconds: int = 20
    ) -> list[ReceivedMessage]:
        queue = self._queue(queue_url)
        received: list[ReceivedMessage] = []
        for message in [each for each in queue.messages if each.visible_at <= self._now()]:
            if len(received) == max_messages:
                break
            if self._redriven(queue, message):
                continue
            message.receive_count += 1
            message.receipt_handle = f"{message.message_id}:{message.receive_count}"
            message.visible_at = self._now() + queue.visibility_seconds
            received.append(
                ReceivedMessage(
                    message_id=message.message_id,
                    receipt_handle=message.receipt_handle,
                    body=message.body,
                    receive_count=message.receive_count,
                    attributes=message.attributes,
                )
            )
        self.calls.append(("receive_messages", len(received)))
        return received

    async def send_message_batch(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[Failed]:
        queue, failed = self._queue(queue_url), self._begin("send_message_batch", len(messages))
        for index, message in enumerate(messages):
            if message.size_bytes > MAX_BATCH_BYTES:
                failed[index] = Failed(index=index, code="MessageTooLong", message="", sender_fault=True)
            if index not in failed:
                queue.messages.append(_Stored(message.body, message.attributes, str(new_id()), self._now()))
        return list(failed.values())

    async def delete_message_batch(self, queue_url: str, receipt_handles: Sequence[str]) -> list[Failed]:
        queue, failed = self._queue(queue_url), self._begin("delete_message_batch", len(receipt_handles))
        for index, message in self._in_flight(queue, receipt_handles, failed):
            if index not in failed:
                queue.messages.remove(message)
        return list(failed.values())

    async def change_message_visibility_batch(
        self, queue_url: str, receipt_handles: Sequence[str], visibility_seconds: Sequence[int]
    ) -> list[Failed]:
        queue, failed = self._queue(queue_url), self._begin("change_message_visibility_batch", len(receipt_handles))
        for index, message in self._in_flight(queue, receipt_handles, failed):
            message.visible_at = self._now() + visibility_seconds[index]
        return list(failed.values())

    def _queue(self, name: str) -> _Queue:
        if name not in self._queues:
            raise QueueDoesNotExist("QueueDoesNotExist", name)
        return self._queues[name]

    def _begin(self, operation: str, entries: int) -> dict[int, Failed]:
        self.calls.append((operation, entries))
        return {failure.index: failure for failure in self._failures.pop(operation, [])}

    def _in_flight(
        self, queue: _Queue, receipt_handles: Sequence[str], failed: dict[int, Failed]
    ) -> list[tuple[int, _Stored]]:
        by_handle = {message.receipt_handle: message for message in queue.messages if message.visible_at > self._now()}
        for index, handle in enumerate(receipt_handles):
            if handle not in by_handle:
                failed[index] = Failed(index=index, code="ReceiptHandleIsInvalid", message=handle, sender_fault=True)
        return [(index, by_handle[each]) for index, each in enumerate(receipt_handles) if index not in failed]

    def _redriven(self, queue: _Queue, message: _Stored) -> bool:
        policy = orjson.loads(queue.attributes.get("RedrivePolicy", "{}"))
        if not policy or message.receive_count < policy["maxReceiveCount"]:
            return False
        queue.messages.remove(message)
        self._queue(policy["deadLetterTargetArn"].rpartition(":")[2]).messages.append(
            _Stored(message.body, message.attributes, message.message_id, self._now())
        )
        return True
