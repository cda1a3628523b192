"""Measure messages per second of the SDK's consumer with an empty handler, and of two plain aiobotocore loops.

Ours also claims each message in the inbox and commits, in PostgreSQL with fsync on; the plain loops do not. All three
empty a full queue of the same endpoint, which takes part of the same two cores.
"""

import asyncio
import time
from typing import Any

import uvloop
from aiobotocore.session import get_session

from benchmarks.messaging import REGION, Bench, bench
from benchmarks.table import Row

ROUNDS, MESSAGES = 5, 1000
NAIVE_MESSAGES = 300


def run() -> list[Row]:
    return uvloop.run(_measure())


async def _measure() -> list[Row]:
    samples: dict[str, list[float]] = {"one": [], "ten": [], "ours": [], "ours in tens": []}
    async with bench() as servers:
        for number in range(ROUNDS):
            samples["one"].append(await _plain(servers, f"one-{number}", NAIVE_MESSAGES, at_once=1))
            samples["ten"].append(await _plain(servers, f"ten-{number}", MESSAGES, at_once=10))
            samples["ours"].append(await _ours(servers, f"ours-{number}", messages_per_transaction=1))
            samples["ours in tens"].append(await _ours(servers, f"tens-{number}", messages_per_transaction=10))
    one = Row("receive 1, delete 1", "messages/s", samples["one"])
    ten = Row("receive 10, delete 10", "messages/s", samples["ten"])
    tens = samples["ours in tens"]
    return [
        one,
        ten,
        Row("consumer, a transaction each", "messages/s", samples["ours"], compared_with=one),
        Row("consumer, ten to a transaction", "messages/s", tens, compared_with=one, aim="10 x receive 1, delete 1"),
        Row("consumer, ten to a transaction", "messages/s", tens, compared_with=ten),
    ]


async def _plain(servers: Bench, name: str, messages: int, *, at_once: int) -> float:
    """Receive up to `at_once`, delete them, repeat: as the client's documentation shows."""
    url = await servers.queue(name, messages)
    async with get_session().create_client("sqs", region_name=REGION, endpoint_url=servers.endpoint_url) as client:
        left = messages
        start = time.perf_counter()
        while left:
            received = await client.receive_message(QueueUrl=url, MaxNumberOfMessages=at_once, WaitTimeSeconds=1)
            left -= await _delete(client, url, [message["ReceiptHandle"] for message in received.get("Messages", [])])
        return messages / (time.perf_counter() - start)


async def _delete(client: Any, url: str, handles: list[str]) -> int:
    if len(handles) == 1:
        await client.delete_message(QueueUrl=url, ReceiptHandle=handles[0])
    elif handles:
        entries = [{"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate(handles)]
        await client.delete_message_batch(QueueUrl=url, Entries=entries)
    return len(handles)


async def _ours(servers: Bench, name: str, *, messages_per_transaction: int) -> float:
    await servers.queue(name, MESSAGES)
    await servers.forget_handled()
    consumer = servers.consumer(name, messages_per_transaction=messages_per_transaction)
    start = time.perf_counter()
    running = asyncio.create_task(consumer.run())
    while await servers.handled() < MESSAGES:
        await asyncio.sleep(0.02)
    seconds = time.perf_counter() - start
    consumer.stop()
    await running
    return MESSAGES / seconds
