"""Long polls of the laptop's SQS."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from local_aws.servers.ministack import look_again_after_each_call


async def dispatch(action: str, data: dict[str, Any], queue_url: str) -> str:
    return f"{action} {queue_url}"


@pytest.mark.parametrize(
    "action", ["SendMessage", "SendMessageBatch", "ChangeMessageVisibility", "StartMessageMoveTask"]
)
async def test_every_receive_that_waits_looks_again_after_a_call(action: str) -> None:
    sqs = SimpleNamespace(_dispatch=dispatch)
    look_again_after_each_call(sqs)
    waiting = [asyncio.create_task(sqs.asyncio.sleep(3600)) for _ in range(2)]
    await asyncio.sleep(0)
    assert await sqs._dispatch("ReceiveMessage", {}, "q") == "ReceiveMessage q"
    await asyncio.sleep(0.01)
    assert not any(each.done() for each in waiting)
    assert await sqs._dispatch(action, {}, "q") == f"{action} q"
    async with asyncio.timeout(60):
        await asyncio.gather(*waiting)


async def test_a_receive_looks_again_by_itself_when_nothing_is_called() -> None:
    sqs = SimpleNamespace(_dispatch=dispatch)
    look_again_after_each_call(sqs)
    async with asyncio.timeout(60):
        await sqs.asyncio.sleep(0.01)
