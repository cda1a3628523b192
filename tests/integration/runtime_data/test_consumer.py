"""The consumer against a real queue and a real database: at least once on the wire, exactly once in effect."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from mypy_boto3_sqs import SQSClient

from platform_sdk.contract import DeadLetterAttribute
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.consumer import Consumer
from platform_sdk.runtime.messaging.inbox import PermanentFailure
from platform_sdk.runtime.messaging.messages import (
    Event,
    Message,
    OutgoingMessage,
    ReceivedMessage,
    encode_message,
    new_id,
)
from platform_sdk.runtime.messaging.sqs import Sqs
from platform_sdk.runtime.testing import recorded_events
from tests.integration.runtime_data.conftest import QueuePair

pytestmark = pytest.mark.usefixtures("effects_table")

CreateQueue = Callable[..., QueuePair]


class Counted(Event):
    type = "thing.counted"
    name: str
    amount: int = 1


class Noted(Event):
    type = "thing.noted"
    name: str


async def count(uow: UnitOfWork, event: Counted, message: Message) -> None:
    await uow.execute("INSERT INTO effects VALUES ($1, $2)", event.name, event.amount)
    uow.publish(Noted(name=event.name), aggregate_id=event.name, aggregate_version=1)


def message_of(event: Event, *, aggregate_id: str = "", message_id: UUID | None = None) -> Message:
    identity = message_id or new_id()
    return Message(
        id=identity,
        type=event.type,
        version=event.version,
        source="test",
        occurred_at=datetime.now(UTC),
        aggregate_id=aggregate_id or str(identity),
        aggregate_version=1,
        correlation_id="a-request",
        causation_id=None,
        data=event.model_dump(mode="json"),
    )


async def send(sqs: Sqs, queue: QueuePair, *bodies: Message | str, attributes: dict[str, str] | None = None) -> None:
    texts = [body if isinstance(body, str) else encode_message(body) for body in bodies]
    outgoing = [OutgoingMessage(body=text, attributes=attributes or {}) for text in texts]
    assert await sqs.send_message_batch(queue.url, outgoing) == []


@asynccontextmanager
async def consuming(
    database: Database, sqs: Sqs, queue: QueuePair, handler: Any = count, **options: Any
) -> AsyncIterator[Consumer]:
    options = {"wait_seconds": 1, "drain_seconds": 3.0} | options
    consumer = Consumer(database, sqs, queue=queue.name, consumer="test", handlers={Counted: handler}, **options)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.stop()
        await asyncio.wait_for(task, 60)


async def until(condition: Callable[[], Any], timeout_seconds: float = 45) -> None:
    async with asyncio.timeout(timeout_seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for is in the database or the queue
            await asyncio.sleep(0.02)


async def effects(database: Database) -> list[str]:
    async with database.reader() as reader:
        return [row["name"] for row in await reader.fetch("SELECT name FROM effects ORDER BY name")]


async def wait_until_handled(database: Database, expected: int) -> None:
    async def enough() -> bool:
        return len(await effects(database)) >= expected

    await until(enough)


def counts(boto_sqs: SQSClient, url: str) -> tuple[int, int]:
    """Visible and invisible messages."""
    attributes = boto_sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]), int(attributes["ApproximateNumberOfMessagesNotVisible"])


async def one_from(sqs: Sqs, url: str) -> ReceivedMessage:
    (received,) = await sqs.receive_messages(url, wait_seconds=20)
    return received


async def test_messages_are_handled_in_a_transaction_with_their_events_and_deleted(
    database: Database, sqs: Sqs, create_queue: CreateQueue, boto_sqs: SQSClient
) -> None:
    queue = create_queue()
    messages = [message_of(Counted(name=f"{number:02}")) for number in range(25)]
    await send(sqs, queue, *messages)
    async with consuming(database, sqs, queue, concurrency=20, prefetch=20):
        await wait_until_handled(database, 25)
    assert await effects(database) == [f"{number:02}" for number in range(25)]
    assert counts(boto_sqs, queue.url) == (0, 0)
    published = await recorded_events(database)
    assert len(published) == 25
    first = next(event for event in published if event.data["name"] == "00")
    assert first.headers["causation_id"] == str(messages[0].id)
    assert first.headers["correlation_id"] == "a-request"


async def test_duplicates_change_nothing(database: Database, sqs: Sqs, create_queue: CreateQueue) -> None:
    queue = create_queue()
    message = message_of(Counted(name="once"))
    await send(sqs, queue, *[message] * 10)
    async with consuming(database, sqs, queue):
        await wait_until_handled(database, 1)
        await send(sqs, queue, message, message_of(Counted(name="then")))
        await wait_until_handled(database, 2)
    assert await effects(database) == ["once", "then"]


async def test_several_messages_may_share_a_transaction_and_a_failing_one_is_singled_out(
    database: Database, sqs: Sqs, create_queue: CreateQueue
) -> None:
    queue = create_queue()
    transactions: set[Any] = set()

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        if event.name == "bad":
            raise PermanentFailure("no such thing")
        transactions.add(await uow.fetch_value("SELECT txid_current()"))
        await count(uow, event, message)

    good = [message_of(Counted(name=f"{number}")) for number in range(9)]
    await send(sqs, queue, *good)
    async with consuming(database, sqs, queue, handler, messages_per_transaction=10):
        await wait_until_handled(database, 9)
        assert len(transactions) == 1
        more = [message_of(Counted(name=f"{number}")) for number in range(10, 19)]
        await send(sqs, queue, *more[:5], message_of(Counted(name="bad")), *more[5:])
        await wait_until_handled(database, 18)
        assert (await one_from(sqs, queue.dead_letter_url)).attributes[DeadLetterAttribute.ERROR_MESSAGE] == (
            "no such thing"
        )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("not json", "permanent-failure"),
        ('{"id": "x"}', "permanent-failure"),
        (encode_message(message_of(Noted(name="nobody listens"))), "unknown-message"),
        (encode_message(message_of(Counted(name="x"))).replace('"amount":1', '"amount":"many"'), "permanent-failure"),
    ],
)
async def test_poison_goes_to_the_dead_letter_queue_at_once_with_its_reason(
    database: Database, sqs: Sqs, create_queue: CreateQueue, boto_sqs: SQSClient, body: str, reason: str
) -> None:
    queue = create_queue()
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    await send(sqs, queue, body, attributes=trace)
    async with consuming(database, sqs, queue):
        dead = await one_from(sqs, queue.dead_letter_url)
    assert dead.body == body
    assert dead.attributes[DeadLetterAttribute.REASON] == reason
    assert dead.attributes[DeadLetterAttribute.RECEIVE_COUNT] == "1"
    assert dead.attributes[DeadLetterAttribute.SOURCE_QUEUE] == queue.name
    assert dead.attributes[DeadLetterAttribute.ERROR_MESSAGE]
    assert datetime.fromisoformat(dead.attributes[DeadLetterAttribute.FAILED_AT])
    assert dead.attributes["traceparent"] == trace["traceparent"]
    assert counts(boto_sqs, queue.url) == (0, 0)


async def test_unknown_messages_can_be_ignored(
    database: Database, sqs: Sqs, create_queue: CreateQueue, boto_sqs: SQSClient
) -> None:
    queue = create_queue()
    await send(sqs, queue, message_of(Noted(name="x")))
    async with consuming(database, sqs, queue, unknown_messages="ignore"):
        await until(lambda: asyncio.to_thread(lambda: counts(boto_sqs, queue.url) == (0, 0)))
    assert counts(boto_sqs, queue.dead_letter_url) == (0, 0)


async def test_a_failed_handler_is_rolled_back_and_tried_again_after_a_backoff(
    database: Database, sqs: Sqs, create_queue: CreateQueue
) -> None:
    queue = create_queue()
    attempts: list[float] = []

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        await count(uow, event, message)
        attempts.append(time.monotonic())
        if len(attempts) < 2:
            raise ValueError("not yet")

    await send(sqs, queue, message_of(Counted(name="x")))
    async with consuming(database, sqs, queue, handler, retry_base_seconds=1.0):
        await wait_until_handled(database, 1)
    assert len(attempts) == 2
    assert await effects(database) == ["x"]


async def test_a_message_that_fails_at_its_last_receive_goes_to_the_dead_letter_queue_with_its_reason(
    database: Database, sqs: Sqs, create_queue: CreateQueue
) -> None:
    queue = create_queue(max_receive_count=2)

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        raise ValueError("never")

    await send(sqs, queue, message_of(Counted(name="x")))
    async with consuming(database, sqs, queue, handler, retry_base_seconds=0.5):
        dead = await one_from(sqs, queue.dead_letter_url)
    assert dead.attributes[DeadLetterAttribute.REASON] == "retries-exhausted"
    assert dead.attributes[DeadLetterAttribute.ERROR_TYPE] == "ValueError"
    assert dead.attributes[DeadLetterAttribute.RECEIVE_COUNT] == "2"


async def test_a_deadlock_is_retried_in_the_process(database: Database, sqs: Sqs, create_queue: CreateQueue) -> None:
    queue = create_queue()
    raised: list[int] = []

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        await count(uow, event, message)
        if len(raised) < 2:
            raised.append(1)
            raise asyncpg.DeadlockDetectedError("as if")

    await send(sqs, queue, message_of(Counted(name="x")))
    async with consuming(database, sqs, queue, handler, retry_base_seconds=600):
        await wait_until_handled(database, 1)
    assert len(await recorded_events(database)) == 1


async def test_no_more_messages_are_in_hand_than_concurrency_and_prefetch(
    database: Database, sqs: Sqs, create_queue: CreateQueue, boto_sqs: SQSClient
) -> None:
    queue = create_queue()
    running: list[int] = [0, 0]

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0.1)
        running[0] -= 1
        await count(uow, event, message)

    await send(sqs, queue, *[message_of(Counted(name=str(number))) for number in range(30)])
    async with consuming(database, sqs, queue, handler, concurrency=3, prefetch=2):
        for _ in range(8):
            await asyncio.sleep(0.1)
            # Handled messages stay invisible for up to 30 ms until their batch is deleted.
            assert counts(boto_sqs, queue.url)[1] <= 5 + 3
        await wait_until_handled(database, 30)
    assert running[1] == 3


async def test_messages_of_one_aggregate_are_handled_one_after_another(
    database: Database, sqs: Sqs, create_queue: CreateQueue
) -> None:
    queue = create_queue()
    running: dict[str, int] = {"a": 0, "b": 0}

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        assert running[message.aggregate_id] == 0
        running[message.aggregate_id] += 1
        await asyncio.sleep(0.03)
        running[message.aggregate_id] -= 1
        await count(uow, event, message)

    messages = [message_of(Counted(name=str(number)), aggregate_id="ab"[number % 2]) for number in range(10)]
    await send(sqs, queue, *messages)
    async with consuming(database, sqs, queue, handler):
        await wait_until_handled(database, 10)


async def test_visibility_is_extended_while_a_message_is_in_hand(
    database: Database, sqs: Sqs, create_queue: CreateQueue
) -> None:
    queue = create_queue(visibility_seconds=2)
    started: list[str] = []

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        started.append(event.name)
        await asyncio.sleep(2.6)
        await count(uow, event, message)

    await send(sqs, queue, message_of(Counted(name="first")), message_of(Counted(name="waits its turn")))
    async with consuming(database, sqs, queue, handler, concurrency=1):
        await wait_until_handled(database, 2)
    assert len(started) == 2


async def test_a_handler_that_takes_too_long_is_cancelled_and_rolled_back(
    database: Database, sqs: Sqs, create_queue: CreateQueue
) -> None:
    queue = create_queue(visibility_seconds=1)
    started: list[float] = []

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        await count(uow, event, message)
        started.append(time.monotonic())
        if len(started) == 1:
            await asyncio.sleep(60)

    await send(sqs, queue, message_of(Counted(name="x")))
    async with consuming(database, sqs, queue, handler, max_processing_seconds=1.0):
        await wait_until_handled(database, 1)
    assert len(started) >= 2
    assert await effects(database) == ["x"]


async def test_a_queue_that_does_not_exist_yet_is_waited_for(
    database: Database, sqs: Sqs, boto_sqs: SQSClient, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"late-{new_id()}"
    queue = QueuePair(name, "", "", "")

    async def looked_for() -> bool:
        return "queue is not there" in caplog.text

    async with consuming(database, sqs, queue):
        await until(looked_for)
        url = boto_sqs.create_queue(QueueName=name)["QueueUrl"]
        await send(sqs, QueuePair(name, url, "", ""), message_of(Counted(name="x")))
        await wait_until_handled(database, 1)


async def test_what_a_handler_publishes_belongs_to_the_trace_of_its_message(
    database: Database, sqs: Sqs, create_queue: CreateQueue
) -> None:
    queue = create_queue()
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    attributes = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    await send(sqs, queue, message_of(Counted(name="x")), attributes=attributes)
    async with consuming(database, sqs, queue):
        await wait_until_handled(database, 1)
    (event,) = await recorded_events(database)
    assert event.headers["traceparent"].split("-")[1] == trace_id
