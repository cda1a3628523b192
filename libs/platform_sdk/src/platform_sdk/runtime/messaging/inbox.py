"""From a message to its handler: decode it, find the handler, run it in one transaction with the inbox.

consumer ─▶ handler_pool ─▶ `Dispatcher` ─▶ handler. Knows nothing of queues: the handler pool decides by the exception
raised here whether a message is retried. The inbox table holds the messages that a consumer has handled; a claim is
part of the handler's own transaction. Public: `Dispatcher`, `Handler`, `PermanentFailure`, `UnknownMessage`.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
from pydantic import ValidationError
from sqlalchemy import ARRAY, Text, Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.statements import compile_statement
from platform_sdk.runtime.database.tables import inbox
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.messages import (
    Event,
    Message,
    ReceivedMessage,
    UndecodableMessage,
    decode_message,
    describe_errors,
)
from platform_sdk.runtime.process.logging import bound
from platform_sdk.runtime.process.settings import crash_point
from platform_sdk.runtime.process.telemetry import consumer_span

_log = logging.getLogger(__name__)

Handler = Callable[[UnitOfWork, Any, Message], Awaitable[None]]
"""Given the unit of work, the event (of the class under which the handler is registered) and its envelope."""

# Sorted, so that two transactions that claim some of the same messages wait for each other instead of deadlocking.
_ids = func.unnest(bindparam("message_ids", type_=ARRAY(Uuid))).column_valued("message_id")
_CLAIM: Final = compile_statement(
    "claim_messages",
    insert(inbox)
    .from_select(["consumer", "message_id"], select(bindparam("consumer", type_=Text), _ids).order_by(_ids))
    .on_conflict_do_nothing()
    .returning(inbox.c.message_id),
)

_QUICK_RETRIES: Final = 2
_QUICKLY_RETRIED: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
"""Two transactions collided; a retry will most probably succeed."""


class PermanentFailure(Exception):
    """Retrying cannot help: the message moves to the dead-letter queue at once, with this as its reason."""


class UnknownMessage(PermanentFailure):
    """A message whose type and version no handler takes."""


@dataclass(frozen=True, slots=True)
class Work:
    """A message with its handler and its event, ready to be handled."""

    message: Message
    event: Event
    handler: Handler


class Dispatcher:
    """Runs handlers.

    Args:
        consumer: name under which the inbox remembers handled messages.
        handlers: event class to handler; each event class stands for one type and version.
    """

    def __init__(self, database: Database, consumer: str, handlers: Mapping[type[Event], Handler]) -> None:
        self._database = database
        self._consumer = consumer
        self._handlers = {(event.type, event.version): (event, handler) for event, handler in handlers.items()}

    def prepare(self, received: ReceivedMessage) -> Work:
        """Decode a message and find its handler.

        Raises:
            PermanentFailure: the message can never be handled (UnknownMessage: not by this version of the service).
        """
        try:
            message = decode_message(received.body, dict(received.attributes))
            event_class, handler = self._handlers[message.type, message.version]
            return Work(message, event_class.model_validate(message.data), handler)
        except UndecodableMessage as error:
            raise PermanentFailure(f"not an envelope: {error}") from error
        except KeyError as error:
            raise UnknownMessage(f"no handler for {message.type} version {message.version}") from error
        except ValidationError as error:
            name = f"{message.type} version {message.version}"
            raise PermanentFailure(f"{name} has invalid data: {describe_errors(error)}") from error

    async def handle(self, works: Sequence[Work]) -> None:
        """Handle all in one transaction, in order; skip those that were handled before.

        Raises what a handler raises, after rolling back. A single message is first retried after a deadlock; several
        together are not: handled one by one they hold fewer locks.
        """
        messages = [work.message for work in works]
        alone = len(messages) == 1
        with (
            consumer_span(
                f"process {messages[0].type}",
                messages[0].trace_headers if alone else None,
                () if alone else [message.trace_headers for message in messages],
            ),
            bound(message_id=str(messages[0].id), correlation_id=messages[0].correlation_id),
        ):
            for attempt in range(_QUICK_RETRIES + 1):
                try:
                    return await self._transaction(works)
                except _QUICKLY_RETRIED:
                    if attempt == _QUICK_RETRIES or not alone:
                        raise
                    await asyncio.sleep(random.uniform(0.005, 0.05))

    async def _transaction(self, works: Sequence[Work]) -> None:
        async with self._database.unit_of_work() as uow:
            fresh = await claim(uow, self._consumer, [work.message.id for work in works])
            for work in works:
                if work.message.id not in fresh:
                    _log.info("message was handled before", extra={"action": "duplicate_message"})
                    continue
                # SQS may deliver one message twice in one batch: the second must find the first one's claim.
                fresh.discard(work.message.id)
                uow.correlation_id, uow.causation_id = work.message.correlation_id, str(work.message.id)
                await work.handler(uow, work.event, work.message)
            crash_point("consumer_before_commit")


async def claim(uow: UnitOfWork, consumer: str, message_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of `message_ids` that `consumer` has not handled yet; they are handled if this transaction commits.

    Waits for another transaction that claims the same message. Message ids are the publisher's, never SQS's: a message
    that is sent again gets a new id from SQS.
    """
    rows = await uow.fetch(_CLAIM, consumer=consumer, message_ids=list(message_ids))
    return {row["message_id"] for row in rows}
