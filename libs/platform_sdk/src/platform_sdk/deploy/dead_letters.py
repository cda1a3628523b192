"""Dead-letter queues: read them, and send messages back.

The consumer moves a message here when it can never succeed, with attributes that say why
(contract.DeadLetterAttribute); SQS does when a message has been received too often. Nothing here deletes a message
before SQS has accepted its copy.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from platform_sdk.contract import DeadLetterAttribute, dead_letter_queue_name, queue_name
from platform_sdk.deploy.aws.sqs import BATCH, Depth, QueueMessage
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.errors import PlatformError

HOLD_SECONDS: Final = 30
"""How long a message stays hidden from others if we are killed before we release it."""

MAX_BATCH_BYTES: Final = 256 * 1024
"""Of a batch. AWS accepts four times as much, but not every endpoint does."""

DIAGNOSTIC_ATTRIBUTES: Final = frozenset(
    value for name, value in vars(DeadLetterAttribute).items() if not name.startswith("_") and isinstance(value, str)
)


class NoSuchQueue(PlatformError):
    """The queue of platform.toml does not exist in the environment."""


class NoSuchMessage(PlatformError):
    """An id that no message of the dead-letter queue has."""


class SqsGateway(Protocol):
    """What these functions need of SQS: the gateway `aws.sqs.Sqs`, or a fake of a test."""

    def queue_url(self, name: str) -> str | None: ...
    def depth(self, url: str) -> Depth: ...
    def receive(self, url: str, *, most: int, visibility_timeout_seconds: int) -> list[QueueMessage]: ...
    def release(self, url: str, messages: Sequence[QueueMessage]) -> None: ...
    def send(self, url: str, messages: Sequence[QueueMessage]) -> dict[str, str]: ...
    def delete(self, url: str, messages: Sequence[QueueMessage]) -> dict[str, str]: ...
    def purge(self, url: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """A queue of platform.toml with its dead-letter queue. A URL is None if the queue does not exist."""

    queue: str
    service: str
    name: str
    url: str | None
    source_name: str
    source_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """How many messages were sent back, and why others were not, by message id."""

    sent: int
    refused: Mapping[str, str]
    still_there: Mapping[str, str]
    """Sent, but not deleted here. Consumers recognise the copy, so a second redrive does no harm."""


def queue_owners(specs: Sequence[ServiceSpec]) -> dict[str, str]:
    """Return the service of each queue."""
    return {queue.name: spec.name for spec in specs for queue in spec.queues}


def find(queue: str, service: str, environment: Environment, sqs: SqsGateway) -> DeadLetterQueue:
    """Return a queue with its dead-letter queue, and the URLs of those that exist."""
    name = dead_letter_queue_name(environment.name, queue)
    source_name = queue_name(environment.name, queue)
    return DeadLetterQueue(
        queue=queue,
        service=service,
        name=name,
        url=sqs.queue_url(name),
        source_name=source_name,
        source_url=sqs.queue_url(source_name),
    )


def depth(dead: DeadLetterQueue, sqs: SqsGateway) -> Depth | None:
    """Return how many dead letters there are; None if the queue does not exist."""
    return None if dead.url is None else sqs.depth(dead.url)


def peek(dead: DeadLetterQueue, sqs: SqsGateway, *, most: int) -> list[QueueMessage]:
    """Return messages and leave them in the queue. Each call counts as a receipt, which has no effect in a dead-letter
    queue.
    """
    url = _existing(dead.name, dead.url)
    seen: list[QueueMessage] = []
    try:
        for batch in batches_received(url, sqs, most=most):
            seen.extend(batch)
    finally:
        _release_all(url, seen, sqs)
    return seen


def redrive_all(dead: DeadLetterQueue, sqs: SqsGateway) -> Redriven:
    """Send the messages that are in the queue now back to their queue."""
    url, source_url = _existing(dead.name, dead.url), _existing(dead.source_name, dead.source_url)
    done = Redriven(sent=0, refused={}, still_there={})
    held: list[QueueMessage] = []
    try:
        for batch in batches_received(url, sqs, most=sqs.depth(url).visible):
            held.extend(batch)
            done = _together(done, move(batch, url, source_url, sqs))
            held = [message for message in held if message.id in done.refused]
    finally:
        # Not before the end: a refused message that is released would be received again.
        _release_all(url, held, sqs)
    return done


def redrive_one(dead: DeadLetterQueue, sqs: SqsGateway, message_id: str) -> Redriven:
    """Send one message back, named by its SQS id or by its event's id.

    Raises:
        NoSuchMessage
    """
    url, source_url = _existing(dead.name, dead.url), _existing(dead.source_name, dead.source_url)
    held: list[QueueMessage] = []
    try:
        for batch in batches_received(url, sqs, most=sqs.depth(url).visible):
            held.extend(batch)
            found = [message for message in batch if message_id in (message.id, _event_id(message))][:1]
            if found:
                done = move(found, url, source_url, sqs)
                held = [message for message in held if message not in found or message.id in done.refused]
                return done
    finally:
        _release_all(url, held, sqs)
    raise NoSuchMessage(
        f"{dead.name} holds no message `{message_id}`", hint=f"`platform dlq show {dead.queue}` lists them"
    )


def purge(dead: DeadLetterQueue, sqs: SqsGateway) -> None:
    """Delete all dead letters. SQS takes up to 60 seconds (PurgeQueue). Raises NoSuchQueue."""
    sqs.purge(_existing(dead.name, dead.url))


def _existing(name: str, url: str | None) -> str:
    if url is None:
        raise NoSuchQueue(f"there is no queue {name}", hint="is the environment up?")
    return url


def batches_received(url: str, sqs: SqsGateway, *, most: int) -> Iterator[list[QueueMessage]]:
    """Receive messages until the queue is empty, or `most` were received."""
    while most > 0:
        batch = sqs.receive(url, most=most, visibility_timeout_seconds=HOLD_SECONDS)
        if not batch:
            return
        most -= len(batch)
        yield batch


def move(messages: Sequence[QueueMessage], url: str, source_url: str, sqs: SqsGateway) -> Redriven:
    """Send, then delete. A crash between the two duplicates a message; the consumer's inbox removes the duplicate."""
    done = Redriven(sent=0, refused={}, still_there={})
    for batch in batches_to_send(messages):
        refused = sqs.send(source_url, [without_diagnostics(message) for message in batch])
        sent = [message for message in batch if message.id not in refused]
        still_there = sqs.delete(url, sent) if sent else {}
        done = _together(done, Redriven(sent=len(sent), refused=refused, still_there=still_there))
    return done


def _together(first: Redriven, second: Redriven) -> Redriven:
    return Redriven(
        sent=first.sent + second.sent,
        refused={**first.refused, **second.refused},
        still_there={**first.still_there, **second.still_there},
    )


def batches_to_send(messages: Sequence[QueueMessage]) -> Iterator[list[QueueMessage]]:
    """Yield batches of at most ten messages, and no more bytes than an endpoint accepts."""
    batch: list[QueueMessage] = []
    for message in messages:
        if batch and (len(batch) == BATCH or sum(map(_size_of, [*batch, message])) > MAX_BATCH_BYTES):
            yield batch
            batch = []
        batch.append(message)
    if batch:
        yield batch


def _size_of(message: QueueMessage) -> int:
    attributes = sum(len(name) + len(value) for name, value in message.text_attributes().items())
    return len(message.body.encode()) + attributes


def _release_all(url: str, messages: Sequence[QueueMessage], sqs: SqsGateway) -> None:
    for start in range(0, len(messages), BATCH):
        sqs.release(url, messages[start : start + BATCH])


def without_diagnostics(message: QueueMessage) -> QueueMessage:
    """Return the message without the attributes of the dead-letter queue. Trace headers stay."""
    kept = {name: value for name, value in message.attributes.items() if name not in DIAGNOSTIC_ATTRIBUTES}
    return replace(message, attributes=kept)


def decoded_body(message: QueueMessage) -> object:
    """Return the event's envelope, or the text if it is not JSON."""
    try:
        return json.loads(message.body)
    except (ValueError, RecursionError):
        return message.body


def _event_id(message: QueueMessage) -> str | None:
    body = decoded_body(message)
    return str(body["id"]) if isinstance(body, dict) and "id" in body else None
