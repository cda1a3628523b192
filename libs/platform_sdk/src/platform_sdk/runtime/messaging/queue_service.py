"""What relay and consumer need of SQS: the protocol `QueueService`, its values and its errors.

`Sqs` (sqs.py) is the real one; unit tests have one in memory. A call that fails altogether raises `SqsError`; an entry
of a batch that fails is a value (`Failed`), because SQS answers it with HTTP 200.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

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
