"""The relay sends what was committed, in order, once it can, and never loses it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast
from uuid import uuid4

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.messaging.messages import (
    Event,
    Failed,
    Message,
    OutgoingMessage,
    QueueService,
    decode_message,
)
from platform_sdk.runtime.messaging.relay import Relay
from platform_sdk.runtime.messaging.sqs import Sqs
from tests.integration.runtime_data.conftest import QueuePair


class Placed(Event):
    type = "order.placed"
    number: int
    note: str = ""


class Unrouted(Event):
    type = "order.unrouted"


async def publish(database: Database, *numbers: int, aggregate_id: str | None = None, note: str = "") -> None:
    async with database.unit_of_work(correlation_id="a-request") as uow:
        for number in numbers:
            event = Placed(number=number, note=note)
            uow.publish(event, aggregate_id=aggregate_id or str(uuid4()), aggregate_version=number)


async def rows_in(database: Database, table: str = "outbox") -> int:
    async with database.reader() as reader:
        return int(await reader.fetch_value(f"SELECT count(*) FROM {table}"))


async def receive_all(sqs: Sqs, url: str, count: int) -> list[Message]:
    messages: list[Message] = []
    while len(messages) < count:
        received = await sqs.receive_messages(url, wait_seconds=20)
        assert received, f"only {len(messages)} of {count} messages came"
        await sqs.delete_message_batch(url, [each.receipt_handle for each in received])
        messages += [decode_message(each.body) for each in received]
    return messages


async def test_what_was_committed_arrives_with_its_envelope_and_leaves_the_outbox(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    await publish(database, 7, aggregate_id="order-1", note="\x01\ufffe\U0001f600")
    await Relay(database, sqs, {"order.placed": [queue.name]}).relay_once()
    (message,) = await receive_all(sqs, queue.url, 1)
    assert (message.type, message.version, message.source) == ("order.placed", 1, "orders")
    assert (message.aggregate_id, message.aggregate_version, message.correlation_id) == ("order-1", 7, "a-request")
    assert message.data == {"number": 7, "note": "\x01\ufffe\U0001f600"}
    assert await rows_in(database) == 0


async def test_what_was_rolled_back_is_never_sent(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    try:
        async with database.unit_of_work() as uow:
            uow.publish(Placed(number=1), aggregate_id="order-1", aggregate_version=1)
            raise RuntimeError("changed its mind")
    except RuntimeError:
        pass
    assert (await Relay(database, sqs, {"order.placed": [queue.name]}).relay_once()).rows == []
    assert await rows_in(database) == 0


async def test_a_commit_wakes_the_relay_at_once(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    await sqs.queue_url(queue.name)
    relay = Relay(database, sqs, {"order.placed": [queue.name]}, poll_seconds=600)
    relay.start()
    await asyncio.sleep(0.1)
    await publish(database, 1)
    # Without the commit's signal it would sleep for the rest of its ten minutes.
    async with asyncio.timeout(60):
        while await rows_in(database):  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.005)
    await relay.stop()


async def test_polling_finds_what_another_process_left(
    database: Database, database_url: str, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    relay = Relay(database, sqs, {"order.placed": [queue.name]}, poll_seconds=0.1)
    relay.start()
    killed = Database(database_url, service_name="orders")
    await killed.open()
    await publish(killed, 1)
    await killed.close()
    await receive_all(sqs, queue.url, 1)
    await relay.stop()


async def test_an_event_goes_to_every_queue_of_its_route_and_to_none_if_the_route_is_empty(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    one, two = create_queue(), create_queue()
    await publish(database, 1, 2)
    await Relay(database, sqs, {"order.placed": [one.name, two.name]}).relay_once()
    assert {each.data["number"] for each in await receive_all(sqs, one.url, 2)} == {1, 2}
    assert {each.data["number"] for each in await receive_all(sqs, two.url, 2)} == {1, 2}
    await publish(database, 3)
    await Relay(database, sqs, {"order.placed": []}).relay_once()
    assert await rows_in(database) == 0


async def test_an_event_without_a_route_goes_to_quarantine_with_the_reason(database: Database, sqs: Sqs) -> None:
    async with database.unit_of_work() as uow:
        uow.publish(Unrouted(), aggregate_id="order-1", aggregate_version=1)
    await Relay(database, sqs, {}).relay_once()
    assert await rows_in(database) == 0
    async with database.reader() as reader:
        assert "no route for `order.unrouted`" in await reader.fetch_value("SELECT reason FROM outbox_quarantine")


async def test_an_oversize_event_goes_to_quarantine_and_blocks_nobody(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    await publish(database, 1, aggregate_id="order-1", note="x" * 300_000)
    await publish(database, 2, aggregate_id="order-1")
    await Relay(database, sqs, {"order.placed": [queue.name]}).relay_once()
    (message,) = await receive_all(sqs, queue.url, 1)
    assert message.data["number"] == 2
    assert await rows_in(database, "outbox_quarantine") == 1


async def test_a_relay_without_rows_does_not_load_the_client(database: Database) -> None:
    assert (await Relay(database, cast(QueueService, object()), {"order.placed": ["q"]}).relay_once()).rows == []


class FailsFor:
    """The real client, but messages whose body holds `text` fail, as SQS may fail single entries."""

    def __init__(self, sqs: Sqs, text: str) -> None:
        self.sqs, self.text = sqs, text

    def __getattr__(self, name: str) -> object:
        return getattr(self.sqs, name)

    async def send_message_batch(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[Failed]:
        good = [message for message in messages if not self.text or self.text not in message.body]
        assert await self.sqs.send_message_batch(queue_url, good) == []
        return [
            Failed(index=index, code="InternalError", message="try again", sender_fault=False)
            for index, message in enumerate(messages)
            if message not in good
        ]


async def test_a_failed_row_is_retried_with_backoff_and_holds_back_only_its_aggregate(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    await publish(database, 1, 2, 3, aggregate_id="order-1", note="bad")
    await publish(database, 4, aggregate_id="order-2")
    flaky = FailsFor(sqs, '"number":1}')
    relay = Relay(database, flaky, {"order.placed": [queue.name]})  # type: ignore[arg-type]  # delegates
    await relay.relay_once()
    assert [each.data["number"] for each in await receive_all(sqs, queue.url, 1)] == [4]
    async with database.reader() as reader:
        row = await reader.fetch_row("SELECT *, available_at > created_at AS later FROM outbox ORDER BY seq LIMIT 1")
    assert row is not None
    assert (row["attempts"], row["later"]) == (1, True)
    assert "InternalError" in row["last_error"]
    async with database.unit_of_work() as uow:
        await uow.execute("UPDATE outbox SET available_at = now() + interval '1 hour' WHERE attempts = 1")
    assert (await relay.relay_once()).rows == []
    flaky.text = ""
    async with database.unit_of_work() as uow:
        await uow.execute("UPDATE outbox SET available_at = now()")
    await relay.relay_once()
    assert [each.data["number"] for each in await receive_all(sqs, queue.url, 3)] == [1, 2, 3]


async def test_a_missing_queue_delays_its_events_and_no_others(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    await publish(database, 1)
    async with database.unit_of_work() as uow:
        uow.publish(Unrouted(), aggregate_id="order-2", aggregate_version=1)
    await Relay(database, sqs, {"order.placed": [queue.name], "order.unrouted": ["no-such-queue"]}).relay_once()
    await receive_all(sqs, queue.url, 1)
    async with database.reader() as reader:
        assert "no-such-queue" in await reader.fetch_value("SELECT last_error FROM outbox")


async def test_many_relays_together_send_each_row_once_and_keep_the_order_of_each_aggregate(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    relays = [Relay(database, sqs, {"order.placed": [queue.name]}, poll_seconds=0.05) for _ in range(3)]
    for relay in relays:
        relay.start()
    aggregates = [f"order-{number}" for number in range(12)]
    for version in range(1, 11):
        await asyncio.gather(*(publish(database, version, aggregate_id=each) for each in aggregates))
    messages = await receive_all(sqs, queue.url, 120)
    await asyncio.gather(*(relay.stop() for relay in relays))
    assert len({message.id for message in messages}) == len(messages) == 120
    for aggregate in aggregates:
        versions = [each.aggregate_version for each in messages if each.aggregate_id == aggregate]
        assert versions == sorted(versions)


async def test_due_rows_of_a_partition_that_another_relay_holds_are_left_to_it(database: Database, sqs: Sqs) -> None:
    await publish(database, 1)
    relay = Relay(database, sqs, {"order.placed": []})
    async with database.unit_of_work() as other:
        await other.fetch(
            "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.outbox'), partition) FROM outbox"
        )
        claimed = await relay.relay_once()
        assert (claimed.rows, claimed.others_at_work) == ([], True)
    assert len((await relay.relay_once()).rows) == 1


async def test_a_stopping_relay_sends_what_is_due_first(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    queue = create_queue()
    relay = Relay(database, sqs, {"order.placed": [queue.name]})
    await publish(database, *range(25))
    relay.start()
    await relay.stop()
    assert await rows_in(database) == 0


async def test_trace_context_of_the_unit_of_work_travels_as_message_attributes(
    database: Database, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    from platform_sdk.runtime.process.telemetry import consumer_span, current_trace_headers

    queue = create_queue()
    with consumer_span("process something"):
        expected = current_trace_headers()
        await publish(database, 1)
    await Relay(database, sqs, {"order.placed": [queue.name]}).relay_once()
    (received,) = await sqs.receive_messages(queue.url, wait_seconds=20)
    assert received.attributes == expected
