"""Events, the envelope in which they travel, and what relay and consumer need of a queue.

A service defines one `Event` class for each type it publishes or consumes; `UnitOfWork.publish` writes it into the
outbox, the relay encodes it with `encode_message`, the consumer of another service decodes it with `decode_message`
and validates the data with that service's own `Event` class. The two classes never meet in code.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Protocol
from uuid import UUID

import orjson
from annotated_types import Ge, MinLen
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError


class Event(BaseModel):
    """A fact in the past tense. Subclass it once per event type and version:

    class OrderPlaced(Event):
        type = "order.placed"
        order_id: UUID

    Unknown fields are ignored, so a publisher may add fields before its consumers know them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    version: ClassVar[int] = 1


class UndecodableMessage(Exception):
    """The body is not an envelope that we understand; retrying cannot help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event on the wire: the envelope's fields, and the W3C trace headers that travel beside it."""

    id: UUID
    type: Annotated[str, MinLen(1)]
    version: Annotated[int, Ge(1)]
    source: str
    occurred_at: datetime
    aggregate_id: Annotated[str, MinLen(1)]
    aggregate_version: int
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]
    trace_headers: dict[str, str] = field(default_factory=dict)


_ENVELOPE = TypeAdapter(Message)


def encode_message(message: Message) -> str:
    """Return the envelope as JSON text that SQS accepts.

    SQS refuses characters outside `#x9 | #xA | #xD | #x20-#xD7FF | #xE000-#xFFFD | #x10000-#x10FFFF`
    (SendMessage API reference). JSON escapes the control characters; the two non-characters are escaped here.
    """
    text = orjson.dumps(
        {
            "id": str(message.id),  # asyncpg gives a subclass of UUID, which orjson refuses
            "type": message.type,
            "version": message.version,
            "source": message.source,
            "occurred_at": message.occurred_at,
            "aggregate_id": message.aggregate_id,
            "aggregate_version": message.aggregate_version,
            "correlation_id": message.correlation_id,
            "causation_id": message.causation_id,
            "data": message.data,
        }
    ).decode()
    if "\ufffe" in text or "\uffff" in text:
        text = text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    return text


def decode_message(body: str | bytes, trace_headers: dict[str, str] | None = None) -> Message:
    """Read an envelope; fields that we do not know are ignored.

    Raises:
        UndecodableMessage: not JSON, or a field that we need is missing or of the wrong type.
    """
    try:
        message = _ENVELOPE.validate_json(body, strict=True)
    except ValidationError as error:
        raise UndecodableMessage(describe_errors(error)) from error
    message.trace_headers.clear()
    message.trace_headers.update(trace_headers or {})
    return message


def describe_errors(error: ValidationError) -> str:
    """Return every error in one line, without the values: `data.sku: Field required; …`."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors())


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562, section 5.7, sub-millisecond part in `rand_a`): unique, and sorted by time."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    random_bits = int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random_bits)


# What relay and consumer need of SQS: the protocol `QueueService`, its values and its errors.
#
# `Sqs` (sqs.py) is the real one; unit tests have one in memory. A call that fails altogether raises `SqsError`; an
# entry of a batch that fails is a value (`Failed`), because SQS answers it with HTTP 200.

MAX_BATCH_ENTRIES: Final = 10
MAX_BATCH_BYTES: Final = 262_144
"""SQS took 256 KiB for a long time, and some regions and emulators still do; today's limit is 1 MiB."""


class SqsError(Exception):
    """A call failed, after retries where they could help.

    Attributes:
        code: AWS's error code, for example `AccessDenied`, or the name of the exception where AWS did not answer.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class QueueDoesNotExist(SqsError):
    """A name or URL that no queue has, or not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMessage:
    """A message as received; `receipt_handle` names this delivery of it."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int = 1
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A body and its message attributes, all of type String (at most 10)."""

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """As SQS counts: body, and each attribute's name, type and value."""
        attributes = sum(len(name) + len("String") + len(value.encode()) for name, value in self.attributes.items())
        return len(self.body.encode()) + attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An entry of a batch that did not succeed: its position in what was passed, and why."""

    index: int
    code: str
    message: str
    sender_fault: bool


class QueueService(Protocol):
    """What relay and consumer need of SQS; `Sqs` is the real one; unit tests have one in memory."""

    async def open(self) -> None:
        """Load what calls need, so that none of them waits for it; return at once where that is done."""

    async def queue_url(self, name: str) -> str: ...

    async def queue_attributes(self, queue_url: str) -> Mapping[str, str]: ...

    async def receive_messages(
        self, queue_url: str, *, max_messages: int = MAX_BATCH_ENTRIES, wait_seconds: int = 20
    ) -> list[ReceivedMessage]: ...

    async def send_message_batch(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[Failed]: ...

    async def delete_message_batch(self, queue_url: str, receipt_handles: Sequence[str]) -> list[Failed]: ...

    async def change_message_visibility_batch(
        self, queue_url: str, receipt_handles: Sequence[str], visibility_seconds: Sequence[int]
    ) -> list[Failed]: ...
