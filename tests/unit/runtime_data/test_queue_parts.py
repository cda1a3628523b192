"""Acknowledging, extending and sending in batches, against the in-memory SQS and a clock of the test."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from platform_sdk.runtime.messaging.deliveries import Acks, Delivery, Leases
from platform_sdk.runtime.messaging.messages import MAX_BATCH_BYTES, Failed, OutgoingMessage, QueueDoesNotExist
from platform_sdk.runtime.messaging.outbox import Row
from platform_sdk.runtime.messaging.relay import Batch
from platform_sdk.runtime.messaging.sqs import _chunks
from tests.unit.runtime_data.in_memory_sqs import InMemorySqs


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sqs(clock: Clock) -> InMemorySqs:
    sqs = InMemorySqs(clock)
    sqs.create_queue("dead")
    sqs.create_queue("queue", visibility_seconds=30, dead_letter_queue="dead", max_receive_count=2)
    return sqs


async def received(sqs: InMemorySqs, count: int) -> list[str]:
    await sqs.send_message_batch("queue", [OutgoingMessage(body=str(uuid4())) for _ in range(count)])
    handles: list[str] = []
    while batch := await sqs.receive_messages("queue"):
        handles += [each.receipt_handle for each in batch]
    sqs.calls.clear()
    return handles


async def test_acks_delete_ten_at_a_time_and_the_rest_soon_after(sqs: InMemorySqs) -> None:
    acks = Acks(sqs, "queue")
    for handle in await received(sqs, 23):
        acks.add(handle)
    await asyncio.sleep(0.01)
    assert sqs.calls == [("delete_message_batch", 10), ("delete_message_batch", 10)]
    await asyncio.sleep(0.05)
    assert sqs.calls[2:] == [("delete_message_batch", 3)]
    assert sqs.bodies("queue") == []


async def test_draining_acks_deletes_at_once(sqs: InMemorySqs) -> None:
    acks = Acks(sqs, "queue")
    for handle in await received(sqs, 3):
        acks.add(handle)
    await acks.drain()
    assert sqs.bodies("queue") == []


async def test_entries_that_could_not_be_deleted_are_tried_again_alone(sqs: InMemorySqs) -> None:
    acks = Acks(sqs, "queue")
    sqs.fail_next("delete_message_batch", Failed(index=1, code="InternalError", message="", sender_fault=False))
    for handle in await received(sqs, 3):
        acks.add(handle)
    await acks.drain()
    assert sqs.calls == [("delete_message_batch", 3), ("delete_message_batch", 1)]
    assert sqs.bodies("queue") == []


async def test_lost_handles_are_not_tried_again(sqs: InMemorySqs, clock: Clock) -> None:
    acks = Acks(sqs, "queue")
    (handle,) = await received(sqs, 1)
    clock.now += 31
    acks.add(handle)
    await acks.drain()
    assert sqs.calls == [("delete_message_batch", 1)]


async def hold(sqs: InMemorySqs, clock: Clock, count: int, max_processing_seconds: float = 300) -> Leases:
    await sqs.send_message_batch("queue", [OutgoingMessage(body=str(number)) for number in range(count)])
    leases = Leases(sqs, "queue", visibility_seconds=30, max_processing_seconds=max_processing_seconds, now=clock)
    while batch := await sqs.receive_messages("queue"):
        for message in batch:
            leases.hold(Delivery(message, clock.now))
    sqs.calls.clear()
    return leases


async def test_leases_are_extended_together_ten_seconds_before_they_end(sqs: InMemorySqs, clock: Clock) -> None:
    leases = await hold(sqs, clock, 3)
    clock.now += 19
    await leases.renew()
    assert sqs.calls == []
    clock.now += 1
    await leases.renew()
    assert sqs.calls == [("change_message_visibility_batch", 3)]
    clock.now += 29
    assert await sqs.receive_messages("queue") == []
    clock.now += 2
    assert len(await sqs.receive_messages("queue")) == 3


async def test_a_lost_delivery_cancels_its_handler_and_is_no_longer_held(sqs: InMemorySqs, clock: Clock) -> None:
    leases = await hold(sqs, clock, 1)
    (delivery,) = leases._held
    handler = delivery.task = asyncio.create_task(asyncio.sleep(60))
    clock.now += 31
    await leases.renew()
    await asyncio.wait([handler])
    assert handler.cancelled()
    assert (delivery.lost, len(leases)) == (True, 0)


async def test_an_extension_that_fails_for_another_reason_is_tried_again(sqs: InMemorySqs, clock: Clock) -> None:
    leases = await hold(sqs, clock, 2)
    clock.now += 20
    sqs.fail_next(
        "change_message_visibility_batch", Failed(index=0, code="InternalError", message="", sender_fault=False)
    )
    await leases.renew()
    clock.now += 1
    await leases.renew()
    assert sqs.calls == [("change_message_visibility_batch", 2), ("change_message_visibility_batch", 1)]
    assert len(leases) == 2


async def test_a_delivery_is_given_up_after_the_longest_processing_time(sqs: InMemorySqs, clock: Clock) -> None:
    leases = await hold(sqs, clock, 1, max_processing_seconds=50)
    for _ in range(4):
        clock.now += 20
        await leases.renew()
    assert len(leases) == 0


async def test_the_in_memory_queue_hides_redelivers_counts_and_redrives(sqs: InMemorySqs, clock: Clock) -> None:
    await sqs.send_message_batch("queue", [OutgoingMessage(body="x", attributes={"a": "b"})])
    (first,) = await sqs.receive_messages("queue")
    assert (first.receive_count, first.attributes) == (1, {"a": "b"})
    assert await sqs.receive_messages("queue") == []
    clock.now += 30
    (second,) = await sqs.receive_messages("queue")
    assert second.receive_count == 2
    assert (await sqs.delete_message_batch("queue", [first.receipt_handle]))[0].code == "ReceiptHandleIsInvalid"
    await sqs.change_message_visibility_batch("queue", [second.receipt_handle], [0])
    assert await sqs.receive_messages("queue") == []
    assert (sqs.bodies("queue"), sqs.bodies("dead")) == ([], ["x"])


async def test_the_in_memory_queue_fails_entries_on_request_and_oversize_ones_always(sqs: InMemorySqs) -> None:
    sqs.fail_next("send_message_batch", Failed(index=0, code="InternalError", message="", sender_fault=False))
    messages = [OutgoingMessage(body="a"), OutgoingMessage(body="b"), OutgoingMessage(body="c" * MAX_BATCH_BYTES + "c")]
    failed = await sqs.send_message_batch("queue", messages)
    assert [(each.index, each.code) for each in failed] == [(0, "InternalError"), (2, "MessageTooLong")]
    assert sqs.bodies("queue") == ["b"]
    with pytest.raises(QueueDoesNotExist):
        await sqs.queue_url("nowhere")


def test_batches_are_cut_by_count_and_by_bytes() -> None:
    assert list(_chunks(0, ())) == []
    assert list(_chunks(23, ())) == [range(10), range(10, 20), range(20, 23)]
    assert list(_chunks(3, [100_000, 100_000, 100_000])) == [range(2), range(2, 3)]
    assert list(_chunks(3, [1, 300_000, 1])) == [range(1), range(1, 2), range(2, 3)]


def test_a_process_that_makes_no_call_does_not_load_aiobotocore() -> None:
    program = (
        "import sys; from platform_sdk.runtime.messaging.sqs import Sqs; Sqs(region='eu-central-1')\n"
        "print(*{'aiobotocore', 'aiohttp', 'botocore.session'} & sys.modules.keys())"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert outcome.stdout.split() == []


class SilentSqs(InMemorySqs):
    """Takes calls and never answers those for `silent`."""

    async def send_message_batch(self, queue_url: str, messages: Sequence[OutgoingMessage]) -> list[Failed]:
        if queue_url == "silent":
            await asyncio.Event().wait()
        return await super().send_message_batch(queue_url, messages)


async def test_a_silent_queue_cannot_keep_the_relays_transaction_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform_sdk.runtime.messaging.relay.SEND_SECONDS", 0.05)
    sqs = SilentSqs()
    for name in ("silent", "queue"):
        sqs.create_queue(name)
    headers = {"source": "s", "occurred_at": "2026-11-23T00:00:00+00:00", "correlation_id": "c"}
    rows = [
        Row(seq, uuid4(), aggregate, 1, f"to.{queue}", 1, {}, headers, datetime.now(UTC), 0)
        for seq, aggregate, queue in ((1, "a", "queue"), (2, "b", "silent"), (3, "b", "queue"))
    ]
    batch = Batch(sqs, {"to.queue": ["queue"], "to.silent": ["silent"]}, rows)
    await batch.send()
    assert batch.done == [1]
    assert list(batch.failed) == [2]
    assert len(sqs.bodies("queue")) == 1
