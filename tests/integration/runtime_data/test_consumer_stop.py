"""A stop of the consumer: what runs is finished or rolled back, and everything else is given back to the queue."""

import asyncio

import pytest
from mypy_boto3_sqs import SQSClient

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.messages import Message
from platform_sdk.runtime.messaging.sqs import Sqs
from tests.integration.runtime_data.test_consumer import (
    Counted,
    CreateQueue,
    consuming,
    count,
    counts,
    effects,
    message_of,
    send,
    until,
)

pytestmark = pytest.mark.usefixtures("effects_table")


async def test_a_stop_finishes_what_runs_and_gives_back_what_has_not_started(
    database: Database, sqs: Sqs, create_queue: CreateQueue, boto_sqs: SQSClient
) -> None:
    queue = create_queue(visibility_seconds=60)
    started: list[str] = []

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        started.append(event.name)
        await asyncio.sleep(0.3)
        await count(uow, event, message)

    await send(sqs, queue, *[message_of(Counted(name=str(number))) for number in range(10)])
    async with consuming(database, sqs, queue, handler, concurrency=2, prefetch=8):
        await until(lambda: asyncio.sleep(0, len(started) >= 2))
    assert sorted(await effects(database)) == sorted(started)
    assert counts(boto_sqs, queue.url) == (10 - len(started), 0)


async def test_a_stop_cancels_what_exceeds_the_drain_time_and_gives_it_back(
    database: Database, sqs: Sqs, create_queue: CreateQueue, boto_sqs: SQSClient
) -> None:
    queue = create_queue(visibility_seconds=60)
    started = asyncio.Event()

    async def handler(uow: UnitOfWork, event: Counted, message: Message) -> None:
        await count(uow, event, message)
        started.set()
        await asyncio.sleep(60)

    await send(sqs, queue, message_of(Counted(name="x")))
    async with consuming(database, sqs, queue, handler, drain_seconds=0.2):
        await started.wait()
    assert await effects(database) == []
    assert counts(boto_sqs, queue.url) == (1, 0)


async def test_a_receive_in_progress_at_a_stop_returns_and_its_messages_are_given_back(
    database: Database, sqs: Sqs, create_queue: CreateQueue, boto_sqs: SQSClient
) -> None:
    queue = create_queue(visibility_seconds=60)
    async with consuming(database, sqs, queue, wait_seconds=2) as consumer:
        await asyncio.sleep(0.5)
        consumer.stop()
        await send(sqs, queue, message_of(Counted(name="late")))
    assert await effects(database) == []
    assert counts(boto_sqs, queue.url) == (1, 0)
