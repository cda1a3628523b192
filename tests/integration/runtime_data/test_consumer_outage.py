"""PostgreSQL is stopped and started under a working consumer: no message is lost, none uses up its tries."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mypy_boto3_sqs import SQSClient

from local_aws.processes import free_port
from local_aws.servers.postgres import PostgresServer
from platform_sdk.runtime.database import tables
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.consumer import Consumer
from platform_sdk.runtime.messaging.messages import Event, Message
from platform_sdk.runtime.messaging.relay import Relay
from platform_sdk.runtime.messaging.sqs import Sqs
from tests.integration.runtime_data.conftest import QueuePair


class Tick(Event):
    type = "clock.ticked"
    number: int


async def note(uow: UnitOfWork, event: Tick, message: Message) -> None:
    await uow.execute("INSERT INTO ticks VALUES ($1)", event.number)


async def test_messages_survive_a_restart_of_the_database_without_a_restart_of_the_worker(
    tmp_path: Path, sqs: Sqs, create_queue: Callable[..., QueuePair], boto_sqs: SQSClient
) -> None:
    queue = create_queue(max_receive_count=2, visibility_seconds=30)
    server = PostgresServer(tmp_path / "postgres", free_port())
    server.start()
    database = Database(server.url, max_connections=5)
    await database.open()
    async with database.unit_of_work() as uow:
        await uow.execute("CREATE SCHEMA postgres")
        for statement in (*tables.VERSION_1, "CREATE TABLE ticks (number integer)"):
            await uow.execute(statement)
    relay = Relay(database, sqs, {"clock.ticked": [queue.name]})
    relay.start()
    consumer = Consumer(database, sqs, queue=queue.name, consumer="test", handlers={Tick: note}, wait_seconds=1)
    running = asyncio.create_task(consumer.run())

    async def publish(numbers: range) -> None:
        async with database.unit_of_work() as uow:
            for number in numbers:
                uow.publish(Tick(number=number), aggregate_id=str(number), aggregate_version=1)

    async def ticks() -> int:
        async with database.reader() as reader:
            return int(await reader.fetch_value("SELECT count(*) FROM ticks"))

    try:
        await publish(range(100))
        while await ticks() < 10:  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(1.5)
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):
            while await ticks() < 100:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert await ticks() == 100
        attributes = boto_sqs.get_queue_attributes(QueueUrl=queue.dead_letter_url, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "0"
    finally:
        consumer.stop()
        await running
        await relay.stop()
        await database.close()
        server.stop()
