"""A database with the SDK's tables, a real SQS client, and queues to throw away."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import boto3
import pytest
from mypy_boto3_sqs import SQSClient

from local_aws.servers.ministack import AwsServer
from platform_sdk.runtime.database import tables
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.messaging.sqs import Sqs
from tests.support.databases import Databases


@dataclass(frozen=True)
class QueuePair:
    """Names and URLs of a queue and its dead-letter queue."""

    name: str
    url: str
    dead_letter_name: str
    dead_letter_url: str


async def create_tables(database_url: str) -> None:
    """Create the SDK's tables in the schema of the role."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(";".join(("CREATE SCHEMA postgres", *tables.VERSION_1)))
    await connection.close()


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A database with the SDK's tables."""
    async with databases.copy_of("sdk", create_tables) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, service_name="orders", max_connections=10)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def effects_table(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await uow.execute("CREATE TABLE effects (name text, amount integer)")


@pytest.fixture
async def sqs(aws_server: AwsServer) -> AsyncIterator[Sqs]:
    sqs = Sqs(region="us-east-1", endpoint_url=aws_server.endpoint_url)
    await sqs.open()
    yield sqs
    await sqs.close()


@pytest.fixture(scope="session")
def boto_sqs(aws_server: AwsServer) -> Iterator[SQSClient]:
    client = boto3.client("sqs", region_name="us-east-1", endpoint_url=aws_server.endpoint_url)
    yield client
    client.close()


@pytest.fixture
def create_queue(boto_sqs: SQSClient) -> Iterator[Callable[..., QueuePair]]:
    """Makes a queue with a dead-letter queue; both are deleted after the test."""
    created: list[str] = []

    def create(*, visibility_seconds: int = 30, max_receive_count: int = 5) -> QueuePair:
        name = f"queue-{uuid4().hex[:8]}"
        dead_letter_name = f"{name}-dead-letter"
        dead_letter_url = boto_sqs.create_queue(QueueName=dead_letter_name)["QueueUrl"]
        attributes = boto_sqs.get_queue_attributes(QueueUrl=dead_letter_url, AttributeNames=["QueueArn"])["Attributes"]
        redrive = {"deadLetterTargetArn": attributes["QueueArn"], "maxReceiveCount": max_receive_count}
        url = boto_sqs.create_queue(
            QueueName=name,
            Attributes={"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)},
        )["QueueUrl"]
        created.extend((url, dead_letter_url))
        return QueuePair(name, url, dead_letter_name, dead_letter_url)

    yield create
    for url in created:
        boto_sqs.delete_queue(QueueUrl=url)
