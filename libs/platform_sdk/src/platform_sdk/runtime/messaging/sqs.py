"""The SQS data plane: what relay and consumer call, hundreds of times a second.

JSON protocol over one keep-alive pool, signed by signing.py; a fifth of the CPU time of aiobotocore.
Failures of single entries of a batch are values (`Failed`), because SQS answers them with HTTP 200; calls that fail
altogether are retried, and then raise `SqsError`.
"""

import asyncio
import hashlib
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import orjson
from yarl import URL

from platform_sdk.runtime.messaging.signing import CredentialChain, Signer

_log = logging.getLogger(__name__)

MAX_BATCH_ENTRIES: Final = 10
MAX_BATCH_BYTES: Final = 262_144
"""SQS took 256 KiB for a long time, and some regions and emulators still do; today's limit is 1 MiB."""

_ATTEMPTS: Final = 4
_BACKOFF_SECONDS: Final = 0.05
_CALL_TIMEOUT_SECONDS: Final = 5.0
_THROTTLED: Final = frozenset(
    {"ThrottlingException", "Throttling", "RequestThrottled", "RequestLimitExceeded", "KmsThrottled", "SlowDown"}
)
_CLOCK_SKEW: Final = frozenset({"RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException"})
_NO_QUEUE: Final = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})
_EXPIRED_CREDENTIALS: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"})


class SqsError(Exception):
    """A call failed, after retries where they could help.

    Attributes:
        code: AWS's error code, for example `AccessDenied`, or `ConnectionError` when there was no answer.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class QueueDoesNotExist(SqsError):
    """No queue has that name or URL (yet)."""


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


class SqsSettings(Protocol):
    """What `Sqs.from_settings` needs of the service's settings."""

    @property
    def aws_region(self) -> str: ...
    @property
    def aws_endpoint_url(self) -> str | None: ...


class Sqs:
    """The real SQS, or what answers at `endpoint_url`.

    Batch calls take any number of entries, cut them by SQS's limits (10 entries, 256 KiB), and return the entries that
    failed, in order; all others succeeded.
    """

    def __init__(self, *, region: str, endpoint_url: str | None = None) -> None:
        self._url = URL(endpoint_url or _regional_endpoint(region)).with_path("/")
        self._signer = Signer("sqs", region, urlsplit(str(self._url)).netloc)
        self._credentials = CredentialChain()
        self._clock_offset = timedelta()
        self._queue_urls: dict[str, str] = {}
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_settings(cls, settings: SqsSettings) -> "Sqs":
        return cls(region=settings.aws_region, endpoint_url=settings.aws_endpoint_url)

    async def open(self) -> None:
        """Prepare the connection pool; connects with the first call."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            auto_decompress=False,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def queue_url(self, name: str) -> str:
        """Raise QueueDoesNotExist, SqsError."""
        if name not in self._queue_urls:
            self._queue_urls[name] = (await self._call("GetQueueUrl", {"QueueName": name}))["QueueUrl"]
        return self._queue_urls[name]

    async def queue_attributes(self, queue_url: str) -> Mapping[str, str]:
        """Return all attributes, as SQS names them. Raises QueueDoesNotExist, SqsError."""
        answer = await self._call("GetQueueAttributes", {"QueueUrl": queue_url, "AttributeNames": ["All"]})
        attributes: dict[str, str] = answer.get("Attributes", {})
        return attributes

    async def receive_messages(
        self, queue_url: str, *, max_messages: int = MAX_BATCH_ENTRIES, wait_seconds: int = 20
    ) -> list[ReceivedMessage]:
        """Long poll for 1 to 10 messages; empty after `wait_seconds`. Raises QueueDoesNotExist, SqsError."""
        answer = await self._call(
            "ReceiveMessage",
            {
                "QueueUrl": queue_url,
                "MaxNumberOfMessages": max_messages,
                "WaitTimeSeconds": wait_seconds,
                "MessageAttributeNames": ["All"],
                "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
            },
            timeout_seconds=wait_seconds + _CALL_TIMEOUT_SECONDS,
        )
        return [received for entry in answer.get("Messages") or () if (received := _received(entry)) is not None]

    async def send_message_batch(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[Failed]:
        """Send in order. A message that SQS can never take is a `Failed` with `sender_fault`."""
        entries = [{"MessageBody": message.body, **_attributes_field(message)} for message in messages]
        return await self._batch("SendMessageBatch", queue_url, entries, [message.size_bytes for message in messages])

    async def delete_message_batch(self, queue_url: str, receipt_handles: Sequence[str]) -> list[Failed]:
        return await self._batch("DeleteMessageBatch", queue_url, [{"ReceiptHandle": each} for each in receipt_handles])

    async def change_message_visibility_batch(
        self, queue_url: str, receipt_handles: Sequence[str], visibility_seconds: Sequence[int]
    ) -> list[Failed]:
        """Each message reappears so many seconds from now, unless it is deleted before (0 to 43,200)."""
        pairs = zip(receipt_handles, visibility_seconds, strict=True)
        entries = [{"ReceiptHandle": handle, "VisibilityTimeout": seconds} for handle, seconds in pairs]
        return await self._batch("ChangeMessageVisibilityBatch", queue_url, entries)

    async def _batch(
        self, operation: str, queue_url: str, entries: Sequence[Mapping[str, Any]], sizes: Sequence[int] = ()
    ) -> list[Failed]:
        failed: list[Failed] = []
        for indexes in _chunks(len(entries), sizes):
            if sizes and sizes[indexes[0]] > MAX_BATCH_BYTES:
                failed.append(_oversize(indexes[0], sizes[indexes[0]]))
                continue
            chunk = [{"Id": str(index), **entries[index]} for index in indexes]
            try:
                answer = await self._call(operation, {"QueueUrl": queue_url, "Entries": chunk})
            except SqsError as error:
                failed += [Failed(index=i, code=error.code, message=str(error), sender_fault=False) for i in indexes]
            else:
                failed += _failed_entries(answer, entries)
        return failed

    async def _call(
        self, operation: str, request: Mapping[str, Any], *, timeout_seconds: float = _CALL_TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        body = orjson.dumps(request)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(operation, body, timeout_seconds)
            except (aiohttp.ClientError, TimeoutError, _Retryable) as error:
                if attempt == _ATTEMPTS:
                    code = error.code if isinstance(error, _Retryable) else "ConnectionError"
                    raise SqsError(code, f"{operation}: {error!r}") from error
            await asyncio.sleep(random.uniform(0, _BACKOFF_SECONDS * 2**attempt))

    async def _attempt(self, operation: str, body: bytes, timeout_seconds: float) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("not open: call `await sqs.open()` first")
        headers = self._signer.headers(
            await self._credentials.current(),
            {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"},
            body,
            datetime.now(UTC) + self._clock_offset,
        )
        async with self._session.post(
            self._url,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        ) as response:
            content = await response.read()
            if response.status == 200:
                answer: dict[str, Any] = orjson.loads(content) if content else {}
                return answer
            raise self._error(response, content)

    def _error(self, response: aiohttp.ClientResponse, content: bytes) -> Exception:
        code, message = _code_and_message(content, response.status)
        if code in _CLOCK_SKEW and (date := response.headers.get("Date")):
            self._clock_offset = parsedate_to_datetime(date) - datetime.now(UTC)
            return _Retryable(code, message)
        if code in _EXPIRED_CREDENTIALS:
            self._credentials.expire()
            return _Retryable(code, message)
        if response.status >= 500 or response.status == 429 or code in _THROTTLED:
            return _Retryable(code, message)
        if code in _NO_QUEUE:
            return QueueDoesNotExist(code, message)
        return SqsError(code, message)


def _regional_endpoint(region: str) -> str:
    return f"https://sqs.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


class _Retryable(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def _code_and_message(content: bytes, status: int) -> tuple[str, str]:
    """From `{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": …}`; a proxy may answer something else."""
    try:
        error = orjson.loads(content)
        code = str(error["__type"]).rpartition("#")[2]
        return code, str(error.get("message") or error.get("Message") or "")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return f"HTTP {status}", content[:200].decode(errors="replace")


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


def _received(entry: Mapping[str, Any]) -> ReceivedMessage | None:
    if _md5(entry["Body"]) != entry["MD5OfBody"]:
        _log.warning(
            "a message was damaged on its way and is left for redelivery",
            extra={"action": "message_damaged", "sqs_message_id": entry["MessageId"]},
        )
        return None
    attributes = entry.get("MessageAttributes") or {}
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
