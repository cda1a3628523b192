"""The worker handles several messages in one transaction; each has its effect as if it were alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import boto3
import pytest

from local_aws.servers.ministack import AwsServer
from orders.consumers import InventoryRejected, UserDisabled
from orders.states import Status
from orders.worker import build_worker
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.messaging.consumer import Consumer
from platform_sdk.runtime.messaging.messages import Event, OutgoingMessage, encode_message
from platform_sdk.runtime.messaging.sqs import Sqs
from tests.integration.orders.conftest import OrdersDatabase, message_of
from tests.integration.orders.test_order_messages import assert_consistent, rejected, reserved

LINES = {
    "SERVICE_NAME": "orders",
    "SERVICE_PATH": "/orders",
    "ENVIRONMENT": "test",
    "AWS_REGION": "us-east-1",
    "TOKEN_ISSUER": "https://users.test",
    "TOKEN_AUDIENCE": "platform",
    "JWKS_URL": "http://127.0.0.1:9/jwks.json",
}


@pytest.fixture
def queue(aws_server: AwsServer) -> Iterator[str]:
    """A queue whose messages have one try."""
    client = boto3.client("sqs", region_name="us-east-1", endpoint_url=aws_server.endpoint_url)
    name = f"orders-{uuid4()}"
    dead = client.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    target = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 1})
    url = client.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    yield name
    for each in (url, dead):
        client.delete_queue(QueueUrl=each)
    client.close()


class Consuming:
    """The worker's consumer, with its own number of messages for each transaction."""

    def __init__(self, orders: OrdersDatabase, sqs: Sqs, queue: str) -> None:
        self._orders, self._sqs, self._queue = orders, sqs, queue

    async def handle(self, *events: Event) -> None:
        """Sends the events in one batch, and returns when nothing of it is left in the queue."""
        url = await self._sqs.queue_url(self._queue)
        bodies = [OutgoingMessage(body=encode_message(message_of(event, aggregate_id=uuid4()))) for event in events]
        assert await self._sqs.send_message_batch(url, bodies) == []
        async with _consuming(self._orders.database, self._sqs, self._queue):
            for _ in range(200):
                if await self.depth(self._queue) == 0:
                    return
                await asyncio.sleep(0.05)
        raise AssertionError("messages are left in the queue")

    async def depth(self, queue: str) -> int:
        attributes = await self._sqs.queue_attributes(await self._sqs.queue_url(queue))
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(attributes[name]) for name in names)

    async def transactions(self) -> int:
        """How many transactions the handled messages took."""
        async with self._orders.database.reader() as reader:
            return int(await reader.fetch_value("SELECT count(DISTINCT xmin::text) FROM inbox"))


@asynccontextmanager
async def _consuming(database: Database, sqs: Sqs, queue: str) -> AsyncIterator[None]:
    worker = build_worker()
    consumer = Consumer(
        database,
        sqs,
        queue=queue,
        consumer="orders",
        handlers=worker.handlers,
        messages_per_transaction=worker.messages_per_transaction,
        wait_seconds=1,
    )
    running = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        consumer.stop()
        await running


@pytest.fixture
async def consuming(
    orders: OrdersDatabase, aws_server: AwsServer, queue: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Consuming]:
    for name, value in LINES.items():
        monkeypatch.setenv(name, value)
    sqs = Sqs(region="us-east-1", endpoint_url=aws_server.endpoint_url)
    await sqs.open()
    yield Consuming(orders, sqs, queue)
    await sqs.close()


async def statuses(orders: OrdersDatabase, order_ids: list[UUID]) -> list[Status]:
    return [await assert_consistent(orders, order_id) for order_id in order_ids]


async def test_messages_that_share_a_transaction_each_have_their_effect(
    orders: OrdersDatabase, consuming: Consuming
) -> None:
    order_ids = [await orders.place() for _ in range(10)]
    answers: list[Callable[[UUID], Event]] = [reserved, rejected] * 5
    await consuming.handle(*(answer(order_id) for answer, order_id in zip(answers, order_ids, strict=True)))
    assert await statuses(orders, order_ids) == [Status.RESERVED, Status.REJECTED] * 5
    assert await consuming.transactions() < 10


async def test_a_message_that_fails_takes_no_other_with_it(
    orders: OrdersDatabase, consuming: Consuming, queue: str
) -> None:
    order_ids = [await orders.place() for _ in range(9)]
    # PostgreSQL stores no NUL: what is wrong is found by the database, in the middle of the transaction.
    poison = InventoryRejected(order_id=order_ids[4], reason="\x00")
    events = [poison if order_id == order_ids[4] else reserved(order_id) for order_id in order_ids]
    await consuming.handle(*events)
    assert await statuses(orders, order_ids) == [*[Status.RESERVED] * 4, Status.PENDING, *[Status.RESERVED] * 4]
    assert await consuming.depth(f"{queue}-dead") == 1


async def test_two_messages_about_the_same_orders_may_share_a_transaction(
    orders: OrdersDatabase, consuming: Consuming
) -> None:
    user_id = uuid4()
    order_ids = [await orders.place(user_id=user_id) for _ in range(4)]
    await consuming.handle(*map(reserved, order_ids), UserDisabled(user_id=user_id), *map(rejected, order_ids))
    # Which of the two wins is the queue's choice; that none is left behind is ours.
    assert set(await statuses(orders, order_ids)) <= {Status.CANCELLED, Status.REJECTED}
