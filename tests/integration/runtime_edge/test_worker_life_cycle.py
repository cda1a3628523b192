"""The life of a worker task, by real messages and signals."""

import json
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import boto3

from local_aws.processes import free_port
from local_aws.servers.ministack import AwsServer
from platform_sdk.runtime.database import tables
from platform_sdk.runtime.database.pool import Database
from tests.integration.runtime_edge.edge_task import running
from tests.integration.runtime_edge.edge_worker_task import NoteWritten


async def write_note(database_url: str) -> None:
    """A database with the SDK's tables, and one message in its outbox."""
    database = Database(database_url, service_name="shop")
    await database.open()
    async with database.unit_of_work() as uow:
        await uow.execute("CREATE SCHEMA postgres")
        for statement in tables.VERSION_1:
            await uow.execute(statement)
    async with database.unit_of_work() as uow:
        uow.publish(NoteWritten(note_id=uuid4()), aggregate_id="1", aggregate_version=1)
    await database.close()


async def test_a_worker_relays_consumes_sweeps_and_stops_with_0(database_url: str, aws_server: AwsServer) -> None:
    await write_note(database_url)
    queue = f"shop-{uuid4()}"
    sqs = boto3.client("sqs", endpoint_url=aws_server.endpoint_url)
    sqs.create_queue(QueueName=queue)
    parts = urlsplit(database_url)
    variables = {
        "DATABASE_URL": urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}")),
        "DATABASE_PASSWORD": parts.password or "",
        "AWS_ENDPOINT_URL": aws_server.endpoint_url,
        "EVENT_ROUTES": json.dumps({"note.written": [queue], "note.read": [queue]}),
        "CONSUMED_QUEUES": json.dumps([queue]),
        "STOP_TIMEOUT_SECONDS": "8",
        "DRAIN_DELAY_SECONDS": "0",
    }
    async with running("edge_worker_task", **variables) as worker:
        # Outbox, queue, handler, outbox again, queue again, handler: the whole way round.
        assert (await worker.logged("note_read"))["message_id"]
        assert (await worker.logged("periodic_failed"))["periodic"] == "sweep"
        worker.signal()
        assert await worker.exit_code() == 0
    actions = [line.get("action") for line in worker.lines]
    assert actions.index("own_things_opened") < actions.index("worker_started")
    assert actions.index("consumer_stopped") < actions.index("own_things_closed") < actions.index("stopped")
    sqs.close()


async def test_a_worker_without_a_database_ends_with_an_error() -> None:
    async with running("edge_worker_task", AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}") as worker:
        assert await worker.exit_code() == 1
    assert worker.complaint == (
        "error: shop uses a database, but DATABASE_URL is not set\nhint: add a [database] table to its platform.toml\n"
    )
