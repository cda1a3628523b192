"""The SQS client against a real endpoint."""

import asyncio
from collections.abc import Callable

import orjson
import pytest
from mypy_boto3_sqs import SQSClient

from local_aws.servers.ministack import AwsServer
from platform_sdk.runtime.messaging.messages import OutgoingMessage, QueueDoesNotExist, SqsError
from platform_sdk.runtime.messaging.sqs import Sqs
from tests.integration.runtime_data.conftest import QueuePair


async def test_messages_are_sent_received_and_deleted_with_their_attributes(
    sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    url = create_queue().url
    messages = [OutgoingMessage(body=f"{n} ä\U0001f600", attributes={"traceparent": "00-1"}) for n in range(25)]
    assert await sqs.send_message_batch(url, messages) == []
    bodies: set[str] = set()
    while len(bodies) < 25:
        received = await sqs.receive_messages(url, wait_seconds=20)
        assert len(received) <= 10
        assert all(each.attributes == {"traceparent": "00-1"} and each.receive_count == 1 for each in received)
        bodies |= {each.body for each in received}
        assert await sqs.delete_message_batch(url, [each.receipt_handle for each in received]) == []
    assert bodies == {message.body for message in messages}
    assert await sqs.receive_messages(url, wait_seconds=0) == []


async def test_visibility_can_be_given_back_and_the_receive_count_grows(
    sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    url = create_queue(visibility_seconds=60).url
    await sqs.send_message_batch(url, [OutgoingMessage(body="x")])
    (first,) = await sqs.receive_messages(url, wait_seconds=20)
    assert await sqs.receive_messages(url, wait_seconds=0) == []
    assert await sqs.change_message_visibility_batch(url, [first.receipt_handle], [0]) == []
    (second,) = await sqs.receive_messages(url, wait_seconds=20)
    assert (second.message_id, second.receive_count) == (first.message_id, 2)


async def test_entries_that_fail_are_values_and_the_others_succeed(
    sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    url = create_queue().url
    oversize = OutgoingMessage(body="x" * 300_000)
    (failed,) = await sqs.send_message_batch(url, [OutgoingMessage(body="a"), oversize, OutgoingMessage(body="b")])
    assert (failed.index, failed.code, failed.sender_fault) == (1, "MessageTooLong", True)
    received = [*(await sqs.receive_messages(url, wait_seconds=20)), *(await sqs.receive_messages(url, wait_seconds=0))]
    assert sorted(each.body for each in received) == ["a", "b"]
    (failed,) = await sqs.delete_message_batch(
        url, [received[0].receipt_handle, "nonsense", received[1].receipt_handle]
    )
    assert failed.index == 1


async def test_the_queue_attributes_are_those_of_the_queue(sqs: Sqs, create_queue: Callable[..., QueuePair]) -> None:
    queue = create_queue(visibility_seconds=17, max_receive_count=3)
    attributes = await sqs.queue_attributes(await sqs.queue_url(queue.name))
    assert attributes["VisibilityTimeout"] == "17"
    assert orjson.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].endswith(queue.dead_letter_name)


async def test_a_missing_queue_has_an_error_of_its_own_by_its_name_and_by_its_url(
    sqs: Sqs, create_queue: Callable[..., QueuePair], boto_sqs: SQSClient
) -> None:
    with pytest.raises(QueueDoesNotExist):
        await sqs.queue_url("no-such-queue")
    url = boto_sqs.create_queue(QueueName="soon-gone")["QueueUrl"]
    boto_sqs.delete_queue(QueueUrl=url)
    with pytest.raises(QueueDoesNotExist):
        await sqs.receive_messages(url, wait_seconds=0)
    (failed,) = await sqs.send_message_batch(url, [OutgoingMessage(body="x")])
    assert failed.code in {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}


async def test_a_cancelled_poll_loses_no_message(sqs: Sqs, create_queue: Callable[..., QueuePair]) -> None:
    url = create_queue(visibility_seconds=1).url
    poll = asyncio.create_task(sqs.receive_messages(url))
    await asyncio.sleep(0.1)
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)
    assert poll.cancelled()
    await sqs.send_message_batch(url, [OutgoingMessage(body="x")])
    # SQS may give it to the poll that nobody reads any more, and again when its visibility timeout has passed.
    (received,) = await sqs.receive_messages(url, wait_seconds=10)
    assert received.body == "x"


async def test_closing_ends_a_poll_and_loses_no_message(
    aws_server: AwsServer, sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    url = create_queue(visibility_seconds=1).url
    closed = Sqs(region="us-east-1", endpoint_url=aws_server.endpoint_url)
    poll = asyncio.create_task(closed.receive_messages(url))
    await asyncio.sleep(0.3)
    await closed.close()
    with pytest.raises(SqsError):
        await poll
    await sqs.send_message_batch(url, [OutgoingMessage(body="x")])
    (received,) = await sqs.receive_messages(url, wait_seconds=10)
    assert received.body == "x"
