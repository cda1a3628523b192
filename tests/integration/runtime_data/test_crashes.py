"""A process that dies at the worst moment loses nothing and doubles nothing: real processes, real servers."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.servers.ministack import AwsServer
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.consumer import Consumer
from platform_sdk.runtime.messaging.messages import Event, Message
from platform_sdk.runtime.messaging.relay import Relay
from platform_sdk.runtime.messaging.sqs import Sqs
from tests.integration.runtime_data.conftest import QueuePair

PROCESS = """
import asyncio, sys
from platform_sdk.runtime.messaging.consumer import Consumer
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.messaging.relay import Relay
from platform_sdk.runtime.messaging.sqs import Sqs
sys.path.insert(0, {folder!r})
from test_crashes import Deposited, deposit

async def main():
    database, sqs = Database({url!r}), Sqs(region="us-east-1", endpoint_url={endpoint!r})
    await database.open()
    await sqs.open()
    async with database.unit_of_work() as uow:
        uow.publish(Deposited(amount=1), aggregate_id="account", aggregate_version=1)
    relay = Relay(database, sqs, {{"account.deposited": [{queue!r}]}})
    relay.start()
    await Consumer(
        database, sqs, queue={queue!r}, consumer="test", handlers={{Deposited: deposit}}, wait_seconds=1
    ).run()

asyncio.run(main())
"""


class Deposited(Event):
    type = "account.deposited"
    amount: int


async def deposit(uow: UnitOfWork, event: Deposited, message: Message) -> None:
    await uow.execute("INSERT INTO deposits VALUES ($1)", event.amount)


async def all_is_done(database: Database, sqs: Sqs, queue_url: str) -> bool:
    counts = (value for name, value in (await sqs.queue_attributes(queue_url)).items() if "NumberOfMessages" in name)
    async with database.reader() as reader:
        unsent = await reader.fetch_value("SELECT count(*) FROM outbox")
        handled = await reader.fetch_value("SELECT count(*) FROM deposits")
    return bool(handled) and not unsent and not any(map(int, counts))


@pytest.mark.parametrize(
    "point", ["after_commit", "relay_after_send", "consumer_before_commit", "consumer_after_commit"]
)
async def test_a_crash_at_any_point_leaves_exactly_one_effect(
    database: Database,
    database_url: str,
    sqs: Sqs,
    aws_server: AwsServer,
    create_queue: Callable[..., QueuePair],
    point: str,
) -> None:
    queue = create_queue(visibility_seconds=1)
    async with database.unit_of_work() as uow:
        await uow.execute("CREATE TABLE deposits (amount integer)")
    program = PROCESS.format(
        url=database_url, endpoint=aws_server.endpoint_url, queue=queue.name, folder=str(Path(__file__).parent)
    )
    environment = {**os.environ, "ENVIRONMENT": "local", "PLATFORM_CRASH_AT": point}
    died = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], env=environment, timeout=120)
    assert died.returncode == 137

    relay = Relay(database, sqs, {"account.deposited": [queue.name]}, poll_seconds=0.1)
    consumer = Consumer(database, sqs, queue=queue.name, consumer="test", handlers={Deposited: deposit}, wait_seconds=1)
    relay.start()
    running = asyncio.create_task(consumer.run())
    async with asyncio.timeout(60):
        while not await all_is_done(database, sqs, queue.url):  # noqa: ASYNC110 - it is in the database and the queue
            await asyncio.sleep(0.05)
    consumer.stop()
    await running
    await relay.stop()
    async with database.reader() as reader:
        assert await reader.fetch_value("SELECT count(*) FROM deposits") == 1
        assert await reader.fetch_value("SELECT count(*) FROM outbox") == 0


def test_crash_points_do_nothing_outside_the_local_environment() -> None:
    program = "from platform_sdk.runtime.process.settings import crash_point; crash_point('after_commit')"
    for environment, expected in (("production", 0), ("local", 137)):
        variables = {**os.environ, "ENVIRONMENT": environment, "PLATFORM_CRASH_AT": "after_commit"}
        assert subprocess.run([sys.executable, "-c", program], env=variables, check=False).returncode == expected
