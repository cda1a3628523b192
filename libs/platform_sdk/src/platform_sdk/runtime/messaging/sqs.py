"""`QueueService` over one aiobotocore client.

aiobotocore finds and renews credentials, signs, retries and parses. This adapter adds what its client lacks: a deadline
for each call, new credentials after AWS has refused the present ones, the digests of bodies, the limits of a batch, and
the failures of single entries as values.

aiobotocore takes 0.2 s of CPU to import and 0.1 s to make a client, and 17 MiB. So a process loads it with `open`, or
with its first call.
"""

import asyncio
import hashlib
import importlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from platform_sdk.runtime.messaging.messages import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    Failed,
    OutgoingMessage,
    QueueDoesNotExist,
    ReceivedMessage,
    SqsError,
)

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

T = TypeVar("T")

_log = logging.getLogger(__name__)

CALL_SECONDS: Final = 5.0
"""How long a call may take with its retries, beyond the wait of a long poll."""

LONGEST_POLL_SECONDS: Final = 20
RENEWAL_SECONDS: Final = 60.0
"""Between two new clients for refused credentials; longer than any call."""

_NO_QUEUE: Final = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})
_REFUSED_CREDENTIALS: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
_OPTIONS: Final = {
    # A fixed one: botocore's own is built anew for every call, at a tenth of its CPU time.
    "user_agent": "platform-sdk",
    "parameter_validation": False,
    "retries": {"mode": "standard"},
    # Above the polls and sends of a process at the same time; a call that waits for a connection spends its deadline.
    "max_pool_connections": 100,
    "connect_timeout": 2,
    "read_timeout": LONGEST_POLL_SECONDS + CALL_SECONDS,
}
"""Of botocore's `Config`."""


class SqsSettings(Protocol):
    """What `Sqs.from_settings` needs of the service's settings."""

    @property
    def aws_region(self) -> str: ...
    @property
    def aws_endpoint_url(self) -> str | None: ...


class Sqs:
    """The real SQS, or what answers at `endpoint_url`.

    Batch calls take any number of entries, cut them by SQS's limits (10 entries, 256 KiB), and return the entries that
    failed, in order; all others succeeded. The other calls raise SqsError.
    """

    def __init__(self, *, region: str, endpoint_url: str | None = None) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._queue_urls: dict[str, str] = {}
        self._client: SQSClient | None = None
        self._open, self._retired = AsyncExitStack(), AsyncExitStack()
        self._connecting = asyncio.Lock()
        self._renewed_at = float("-inf")

    @classmethod
    def from_settings(cls, settings: SqsSettings) -> "Sqs":
        return cls(region=settings.aws_region, endpoint_url=settings.aws_endpoint_url)

    async def open(self) -> None:
        """Make the client, which connects with its first call. Without credentials the first call tries again."""
        try:
            await self._connect(None)
        except BotoCoreError as error:
            _log.warning("no SQS client yet, will try again", extra={"action": "sqs_not_open", "reason": str(error)})

    async def close(self) -> None:
        """Close the connections; calls in progress fail."""
        await self._open.aclose()
        await self._retired.aclose()
        self._client = None

    async def queue_url(self, name: str) -> str:
        """Raise QueueDoesNotExist, SqsError."""
        if name not in self._queue_urls:
            self._queue_urls[name] = (await self._call(lambda sqs: sqs.get_queue_url(QueueName=name)))["QueueUrl"]
        return self._queue_urls[name]

    async def queue_attributes(self, queue_url: str) -> Mapping[str, str]:
        """Return all attributes, as SQS names them. Raises QueueDoesNotExist, SqsError."""
        answer = await self._call(lambda sqs: sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"]))
        return {str(name): value for name, value in answer.get("Attributes", {}).items()}

    async def receive_messages(
        self, queue_url: str, *, max_messages: int = MAX_BATCH_ENTRIES, wait_seconds: int = LONGEST_POLL_SECONDS
    ) -> list[ReceivedMessage]:
        """Receive 1 to 10 messages by long polling; none after `wait_seconds`. Raises QueueDoesNotExist, SqsError."""
        answer = await self._call(
            lambda sqs: sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=max_messages,
                WaitTimeSeconds=wait_seconds,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ),
            wait_seconds,
        )
        return [received for entry in answer.get("Messages", ()) if (received := _received(entry)) is not None]

    async def send_message_batch(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[Failed]:
        """Send in order. A message that SQS can never take is a `Failed` with `sender_fault`."""
        entries = [{"MessageBody": message.body, **_attributes_field(message)} for message in messages]
        return await self._batch(
            lambda chunk, sqs: sqs.send_message_batch(QueueUrl=queue_url, Entries=chunk),
            entries,
            [message.size_bytes for message in messages],
        )

    async def delete_message_batch(self, queue_url: str, receipt_handles: Sequence[str]) -> list[Failed]:
        """Delete messages by receipt. Return those that SQS did not delete, which will be delivered again."""
        return await self._batch(
            lambda chunk, sqs: sqs.delete_message_batch(QueueUrl=queue_url, Entries=chunk),
            [{"ReceiptHandle": each} for each in receipt_handles],
        )

    async def change_message_visibility_batch(
        self, queue_url: str, receipt_handles: Sequence[str], visibility_seconds: Sequence[int]
    ) -> list[Failed]:
        """Let each message reappear so many seconds from now (0 to 43,200), unless it is deleted before."""
        pairs = zip(receipt_handles, visibility_seconds, strict=True)
        return await self._batch(
            lambda chunk, sqs: sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=chunk),
            [{"ReceiptHandle": handle, "VisibilityTimeout": seconds} for handle, seconds in pairs],
        )

    async def _batch(
        self,
        operation: "Callable[[Any, SQSClient], Awaitable[Any]]",
        entries: Sequence[Mapping[str, Any]],
        sizes: Sequence[int] = (),
    ) -> list[Failed]:
        failed: list[Failed] = []
        for indexes in _chunks(len(entries), sizes):
            # A message above the limit is alone in its chunk.
            if sizes and sizes[indexes[0]] > MAX_BATCH_BYTES:
                failed.append(_oversize(indexes[0], sizes[indexes[0]]))
                continue
            chunk = [{"Id": str(index), **entries[index]} for index in indexes]
            try:
                answer = await self._call(partial(operation, chunk))
            except SqsError as error:
                failed += [Failed(index=i, code=error.code, message=str(error), sender_fault=False) for i in indexes]
            else:
                failed += _failed_entries(answer, entries)
        return failed

    async def _call(self, operation: "Callable[[SQSClient], Awaitable[T]]", wait_seconds: float = 0) -> T:
        try:
            async with asyncio.timeout(wait_seconds + CALL_SECONDS):
                client = self._client or await self._connect(None)
                try:
                    return await operation(client)
                except (ClientError, NoCredentialsError) as error:
                    if isinstance(error, ClientError) and _code(error) not in _REFUSED_CREDENTIALS:
                        raise
                    return await operation(await self._connect(client))
        except ClientError as error:
            raise (QueueDoesNotExist if _code(error) in _NO_QUEUE else SqsError)(_code(error), str(error)) from error
        except (BotoCoreError, TimeoutError) as error:
            raise SqsError(type(error).__name__, str(error) or "no answer in time") from error

    async def _connect(self, refused: "SQSClient | None") -> "SQSClient":
        """Return the client. Make it where there is none, and anew where AWS has refused the credentials of `refused`.

        A new session asks the whole chain for credentials. The old client is closed with the next renewal, when its
        last call has ended: a poll that is cut off strands the messages that it was about to return.
        """
        async with self._connecting:
            if self._client is not None and self._client is not refused:
                return self._client
            if self._client is not None:
                if time.monotonic() - self._renewed_at < RENEWAL_SECONDS:
                    return self._client
                self._renewed_at = time.monotonic()
            # The import takes a quarter of a second of CPU (decision 0008), in which the loop must go on.
            await asyncio.to_thread(importlib.import_module, "aiobotocore.session")
            from aiobotocore.config import AioConfig
            from aiobotocore.session import get_session

            opened = AsyncExitStack()
            client: SQSClient = await opened.enter_async_context(
                get_session().create_client(
                    "sqs", region_name=self._region, endpoint_url=self._endpoint_url, config=AioConfig(**_OPTIONS)
                )
            )
            await self._retired.aclose()
            self._open, self._retired, self._client = opened, self._open, client
            return client


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _chunks(count: int, sizes: Sequence[int]) -> Iterator[range]:
    """Consecutive ranges that each fit a batch call; an entry that fits none stands alone."""
    start, total = 0, 0
    for index in range(count):
        size = sizes[index] if sizes else 0
        if index > start and (index - start == MAX_BATCH_ENTRIES or total + size > MAX_BATCH_BYTES):
            yield range(start, index)
            start, total = index, 0
        total += size
    if count:
        yield range(start, count)


def _attributes_field(message: OutgoingMessage) -> dict[str, Any]:
    if not message.attributes:
        return {}
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()}
    return {"MessageAttributes": typed}


def _received(entry: "MessageTypeDef") -> ReceivedMessage | None:
    if _md5(entry["Body"]) != entry["MD5OfBody"]:
        _log.warning(
            "a message was damaged on its way and is left for redelivery",
            extra={"action": "message_damaged", "sqs_message_id": entry["MessageId"]},
        )
        return None
    attributes = entry.get("MessageAttributes", {})
    return ReceivedMessage(
        message_id=entry["MessageId"],
        receipt_handle=entry["ReceiptHandle"],
        body=entry["Body"],
        receive_count=int(entry["Attributes"]["ApproximateReceiveCount"]),
        attributes={name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value},
    )


def _failed_entries(answer: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> list[Failed]:
    failed = [
        Failed(
            index=int(entry["Id"]),
            code=entry.get("Code", ""),
            message=entry.get("Message") or "",
            sender_fault=bool(entry.get("SenderFault")),
        )
        for entry in answer.get("Failed") or ()
    ]
    for entry in answer.get("Successful") or ():
        digest = entry.get("MD5OfMessageBody")
        if digest is not None and digest != _md5(entries[int(entry["Id"])]["MessageBody"]):
            failed.append(Failed(index=int(entry["Id"]), code="Damaged", message="MD5 differs", sender_fault=False))
    return failed


def _oversize(index: int, size: int) -> Failed:
    message = f"{size} bytes; SQS takes {MAX_BATCH_BYTES}"
    return Failed(index=index, code="MessageTooLong", message=message, sender_fault=True)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
