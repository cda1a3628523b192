"""For the tests of services: run handlers against a real database with `HandlerHarness`.

harness = HandlerHarness(database, HANDLERS, consumer="orders")
await harness.given("INSERT INTO orders …", order_id)
published = await harness.when(InventoryReserved(order_id=order_id, …))
assert published.only(OrderReserved).order_id == order_id
assert (await harness.deliver_again()).types == []
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import bindparam, func, select

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.statements import Statement, compile_statement
from platform_sdk.runtime.database.tables import outbox
from platform_sdk.runtime.database.unit_of_work import Record
from platform_sdk.runtime.messaging.inbox import Dispatcher, Handler
from platform_sdk.runtime.messaging.messages import Event, Message, ReceivedMessage, encode_message, new_id

E = TypeVar("E", bound=Event)

_PUBLISHED: Final = compile_statement(
    "find_published",
    select(*(outbox.c[name] for name in ("id", "type", "version", "aggregate_id", "aggregate_version")))
    .add_columns(outbox.c.payload.label("data"), outbox.c.headers)
    .where(outbox.c.seq > bindparam("after_seq"))
    .order_by(outbox.c.seq),
)
_LAST_SEQ: Final = compile_statement("last_seq", select(func.coalesce(func.max(outbox.c.seq), 0)))


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

    async def given(self, statement: Statement | str, /, *arguments: object, **parameters: object) -> None:
        """Prepare rows."""
        async with self._database.unit_of_work() as uow:
            await uow.execute(statement, *arguments, **parameters)

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

    async def rows(self, statement: Statement | str, /, *arguments: object, **parameters: object) -> list[Record]:
        """Return what is in the database now."""
        async with self._database.reader() as reader:
            return await reader.fetch(statement, *arguments, **parameters)

    async def _deliver(self, received: ReceivedMessage) -> RecordedEvents:
        self._last.append(received)
        async with self._database.reader() as reader:
            before = await reader.fetch_value(_LAST_SEQ)
        await self._dispatcher.handle([self._dispatcher.prepare(received)])
        return await recorded_events(self._database, after_seq=before)


async def recorded_events(database: Database, *, after_seq: int = 0) -> RecordedEvents:
    """Return what is in the outbox; for tests of routes and use cases, in a process without a relay."""
    async with database.reader() as reader:
        rows = await reader.fetch(_PUBLISHED, after_seq=after_seq)
    return RecordedEvents(RecordedEvent(**dict(row)) for row in rows)
