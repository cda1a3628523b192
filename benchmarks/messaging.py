"""Shared parts of the messaging benchmarks: a database with the SDK's tables, an SQS endpoint, an empty event."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiobotocore.session import get_session

from local_aws.processes import free_port
from local_aws.servers.ministack import AwsServer
from local_aws.servers.postgres import PostgresServer
from platform_sdk.runtime.database import tables
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.consumer import Consumer
from platform_sdk.runtime.messaging.messages import Event, Message, OutgoingMessage, encode_message, new_id
from platform_sdk.runtime.messaging.sqs import Sqs

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": REGION}


class Nothing(Event):
    """An event without consequences."""

    type = "nothing.happened"
    number: int = 0


async def do_nothing(uow: UnitOfWork, event: Nothing, message: Message) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Bench:
    """Open connections to servers of this run's own."""

    database: Database
    sqs: Sqs
    endpoint_url: str

    async def queue(self, name: str, messages: int = 0) -> str:
        """Create a queue holding that many messages; return its URL."""
        async with get_session().create_client("sqs", region_name=REGION, endpoint_url=self.endpoint_url) as client:
            url: str = (await client.create_queue(QueueName=name))["QueueUrl"]
        outgoing = [OutgoingMessage(body=body()) for _ in range(messages)]
        failed = await self.sqs.send_message_batch(url, outgoing) if outgoing else []
        if failed:
            raise RuntimeError(f"could not fill {name}: {failed[0]}")
        return url

    def consumer(self, queue: str, *, messages_per_transaction: int = 1) -> Consumer:
        return Consumer(
            self.database,
            self.sqs,
            queue=queue,
            consumer="bench",
            handlers={Nothing: do_nothing},
            wait_seconds=1,
            concurrency=20 if messages_per_transaction == 1 else 4,
            prefetch=40,
            messages_per_transaction=messages_per_transaction,
        )

    async def handled(self) -> int:
        async with self.database.reader() as reader:
            return int(await reader.fetch_value("SELECT count(*) FROM inbox"))

    async def forget_handled(self) -> None:
        async with self.database.unit_of_work() as uow:
            await uow.execute("TRUNCATE inbox")


def body() -> str:
    """Return a message as it is on the wire."""
    return encode_message(
        Message(
            id=new_id(),
            type=Nothing.type,
            version=1,
            source="bench",
            occurred_at=datetime.now(UTC),
            aggregate_id=str(new_id()),
            aggregate_version=1,
            correlation_id="bench",
            causation_id=None,
            data={"number": 1},
        )
    )


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Run PostgreSQL and SQS for one benchmark."""
    os.environ.update(CREDENTIALS)
    with tempfile.TemporaryDirectory(prefix="platform-bench-") as folder:
        postgres = PostgresServer(Path(folder) / "postgres", free_port())
        aws = AwsServer(Path(folder) / "aws", free_port())
        postgres.start()
        aws.start()
        database = Database(postgres.url, service_name="bench", max_connections=24)
        sqs = Sqs(region=REGION, endpoint_url=aws.endpoint_url)
        try:
            await database.open()
            await sqs.open()
            async with database.unit_of_work() as uow:
                await uow.execute("CREATE SCHEMA postgres")
                for statement in tables.VERSION_1:
                    await uow.execute(statement)
            yield Bench(database, sqs, aws.endpoint_url)
        finally:
            await sqs.close()
            await database.close()
            aws.stop()
            postgres.stop()
