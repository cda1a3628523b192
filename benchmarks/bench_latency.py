"""Measure the time from COMMIT to a consumer's handler, and of a plain send to the same queue."""

import asyncio
import statistics
import time

import uvloop

from benchmarks.messaging import Bench, Nothing, bench, body
from benchmarks.table import Row
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.consumer import Consumer
from platform_sdk.runtime.messaging.messages import Message, OutgoingMessage
from platform_sdk.runtime.messaging.relay import Relay

ROUNDS, MESSAGES = 5, 60
PAUSE_SECONDS = 0.037


def run() -> list[Row]:
    return uvloop.run(_measure())


async def _measure() -> list[Row]:
    direct: list[float] = []
    ours: list[float] = []
    slowest: list[float] = []
    async with bench() as servers:
        direct_url = await servers.queue("direct")
        await servers.queue("latency")
        for _ in range(ROUNDS):
            direct.append(statistics.median(await _sent_to_received(servers, direct_url)))
            delays = await _committed_to_received(servers)
            ours.append(statistics.median(delays))
            slowest.append(statistics.quantiles(delays, n=20)[-1])
    plain = Row("send to received, p50", "ms", direct)
    return [
        plain,
        Row("commit to received, p50", "ms", ours, compared_with=plain, aim="20 ms"),
        Row("commit to received, p95", "ms", slowest),
    ]


async def _committed_to_received(servers: Bench) -> list[float]:
    """Return milliseconds from the end of each unit of work to the start of the handler."""
    committed: dict[int, float] = {}
    received: dict[int, float] = {}

    async def note(uow: UnitOfWork, event: Nothing, message: Message) -> None:
        received[event.number] = time.perf_counter()

    relay = Relay(servers.database, servers.sqs, {Nothing.type: ("latency",)})
    relay.start()
    consumer = Consumer(
        servers.database, servers.sqs, queue="latency", consumer="bench", handlers={Nothing: note}, wait_seconds=1
    )
    running = asyncio.create_task(consumer.run())
    await asyncio.sleep(0.3)
    for number in range(MESSAGES):
        async with servers.database.unit_of_work() as uow:
            uow.publish(Nothing(number=number), aggregate_id=str(number), aggregate_version=1)
        committed[number] = time.perf_counter()
        await asyncio.sleep(PAUSE_SECONDS)
    async with asyncio.timeout(30):
        while len(received) < MESSAGES:
            await asyncio.sleep(0.01)
    consumer.stop()
    await running
    await relay.stop()
    return [(received[number] - committed[number]) * 1000 for number in range(MESSAGES)]


async def _sent_to_received(servers: Bench, url: str) -> list[float]:
    """Return milliseconds from a send's answer to the receive's, one message at a time: the share of the endpoint."""
    delays = []
    for _ in range(MESSAGES):
        receiving = asyncio.create_task(servers.sqs.receive_messages(url, wait_seconds=5))
        await asyncio.sleep(PAUSE_SECONDS)
        await servers.sqs.send_message_batch(url, [OutgoingMessage(body=body())])
        sent = time.perf_counter()
        messages = await receiving
        delays.append((time.perf_counter() - sent) * 1000)
        await servers.sqs.delete_message_batch(url, [message.receipt_handle for message in messages])
    return delays
