"""For the tests of services: run handlers against a real database, and a queue service without sockets.

harness = HandlerHarness(database, HANDLERS, consumer="orders")
await harness.given("INSERT INTO orders …", order_id)
published = await harness.when(InventoryReserved(order_id=order_id, …))
assert published.only(OrderReserved).order_id == order_id
assert (await harness.deliver_again()).types == []
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import Record
from platform_sdk.runtime.messaging.inbox import Dispatcher, Handler
from platform_sdk.runtime.messaging.messages import Event, Message, encode_message, new_id
from platform_sdk.runtime.messaging.sqs import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    Failed,
    OutgoingMessage,
    QueueDoesNotExist,
    ReceivedMessage,
)

E = TypeVar("E", bound=Event)

_OUTBOX: Final = """
    SELECT id, type, version, aggregate_id, aggregate_version, payload, headers FROM outbox WHERE seq > $1 ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event in the outbox, as it will go over the wire."""

    id: UUID
    type: str
    version: int
    aggregate_id: str
    aggregate_version: int
    data: Mapping[str, Any]
    headers: Mapping[str, str]


class RecordedEvents(list[RecordedEvent]):
    """What was published, in order."""

    @property
    def types(self) -> list[str]:
        return [event.type for event in self]

    def of(self, event_class: type[E]) -> list[E]:
        """Return the events of one class, read from what was written."""
        return [event_class.model_validate(each.data) for each in self if each.type == event_class.type]

    def only(self, event_class: type[E]) -> E:
        """Return the one event of that class; AssertionError if there are none or several."""
        events = self.of(event_class)
        assert len(events) == 1, f"expected one {event_class.type}, published were {self.types}"
        return events[0]


class HandlerHarness:
    """Delivers events to handlers as the worker would: decoded from JSON, once per message, in one transaction.

    Args:
        database: with the service's migrations applied.
        handlers: the service's HANDLERS.
        consumer: its name in the inbox.
    """

    def __init__(self, database: Database, handlers: Mapping[type[Event], Handler], *, consumer: str = "test") -> None:
        self._database = database
        self._dispatcher = Dispatcher(database, consumer, handlers)
        self._last: list[ReceivedMessage] = []

    async def given(self, sql: str, *arguments: object) -> None:
        """Prepare rows."""
        async with self._database.unit_of_work() as uow:
            await uow.execute(sql, *arguments)

    async def when(
        self,
        event: Event,
        *,
        aggregate_id: UUID | str = "aggregate",
        aggregate_version: int = 1,
        correlation_id: str = "test",
    ) -> RecordedEvents:
        """Deliver a new message with this event; returns what its handler published. Raises what the handler raises."""
        message = Message(
            id=new_id(),
            type=event.type,
            version=event.version,
            source="test",
            occurred_at=datetime.now(UTC),
            aggregate_id=str(aggregate_id),
            aggregate_version=aggregate_version,
            correlation_id=correlation_id,
            causation_id=None,
            data=event.model_dump(mode="json"),
        )
        received = ReceivedMessage(message_id=str(message.id), receipt_handle="", body=encode_message(message))
        return await self._deliver(received)

    async def deliver_again(self, *, back: int = 1) -> RecordedEvents:
        """Deliver a duplicate of the last message, or of the one so many before (late, and so out of order)."""
        return await self._deliver(self._last[-back])

    async def rows(self, sql: str, *arguments: object) -> list[Record]:
        """Return what is in the database now."""
        async with self._database.reader() as reader:
            return await reader.fetch(sql, *arguments)

    async def _deliver(self, received: ReceivedMessage) -> RecordedEvents:
        self._last.append(received)
        async with self._database.reader() as reader:
            before = await reader.fetch_value("SELECT coalesce(max(seq), 0) FROM outbox")
        await self._dispatcher.handle([self._dispatcher.prepare(received)])
        return await recorded_events(self._database, after_seq=before)


async def recorded_events(database: Database, *, after_seq: int = 0) -> RecordedEvents:
    """Return what is in the outbox; for tests of routes and use cases, in a process without a relay."""
    async with database.reader() as reader:
        rows = await reader.fetch(_OUTBOX, after_seq)
    return RecordedEvents(
        RecordedEvent(
            id=row["id"],
            type=row["type"],
            version=row["version"],
            aggregate_id=row["aggregate_id"],
            aggregate_version=row["aggregate_version"],
            data=row["payload"],
            headers=row["headers"],
        )
        for row in rows
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
