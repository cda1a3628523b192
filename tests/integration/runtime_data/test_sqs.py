"""The SQS data plane against a real endpoint, and against one that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from aiohttp import web

from platform_sdk.runtime.messaging.sqs import OutgoingMessage, QueueDoesNotExist, Sqs, SqsError
from tests.integration.runtime_data.conftest import QueuePair


async def test_messages_are_sent_received_and_deleted_with_their_attributes(
    sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    url = create_queue().url
    messages = [OutgoingMessage(body=f"{n} ä\U0001f600", attributes={"traceparent": "00-1"}) for n in range(25)]
    assert await sqs.send_message_batch(url, messages) == []
    bodies: set[str] = set()
    while len(bodies) < 25:
        received = await sqs.receive_messages(url, wait_seconds=1)
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
    (first,) = await sqs.receive_messages(url, wait_seconds=1)
    assert await sqs.receive_messages(url, wait_seconds=0) == []
    assert await sqs.change_message_visibility_batch(url, [first.receipt_handle], [0]) == []
    (second,) = await sqs.receive_messages(url, wait_seconds=1)
    assert (second.message_id, second.receive_count) == (first.message_id, 2)


async def test_entries_that_fail_are_values_and_the_others_succeed(
    sqs: Sqs, create_queue: Callable[..., QueuePair]
) -> None:
    url = create_queue().url
    oversize = OutgoingMessage(body="x" * 300_000)
    (failed,) = await sqs.send_message_batch(url, [OutgoingMessage(body="a"), oversize, OutgoingMessage(body="b")])
    assert (failed.index, failed.code, failed.sender_fault) == (1, "MessageTooLong", True)
    received = [*(await sqs.receive_messages(url)), *(await sqs.receive_messages(url, wait_seconds=0))]
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


async def test_a_missing_queue_has_an_error_of_its_own(sqs: Sqs) -> None:
    with pytest.raises(QueueDoesNotExist):
        await sqs.queue_url("no-such-queue")


class Endpoint:
    """Answer as scripted, then normally; record the requests."""

    def __init__(self) -> None:
        self.answers: list[web.Response | float] = []
        self.requests: list[web.BaseRequest] = []

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else web.json_response({"QueueUrl": "http://queue"})
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return web.json_response({})
        return answer


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[Endpoint, Sqs]]:
    endpoint = Endpoint()
    runner = web.ServerRunner(web.Server(endpoint.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    sqs = Sqs(region="us-east-1", endpoint_url=f"http://{host}:{port}")
    await sqs.open()
    yield endpoint, sqs
    await sqs.close()
    await runner.cleanup()


def error(status: int, code: str, **headers: str) -> web.Response:
    body = {"__type": f"com.amazonaws.sqs#{code}", "message": "as scripted"}
    return web.json_response(body, status=status, headers=headers)


@pytest.mark.parametrize("answer", [(500, "InternalError"), (503, "ServiceUnavailable"), (400, "ThrottlingException")])
async def test_faults_of_the_server_and_throttling_are_retried(
    endpoint: tuple[Endpoint, Sqs], answer: tuple[int, str]
) -> None:
    server, sqs = endpoint
    server.answers = [error(*answer), error(*answer)]
    assert await sqs.queue_url("x") == "http://queue"
    assert len(server.requests) == 3


async def test_retries_end_and_a_refusal_is_not_retried(endpoint: tuple[Endpoint, Sqs]) -> None:
    server, sqs = endpoint
    server.answers = [web.Response(status=502, text="<html>bad gateway") for _ in range(9)]
    with pytest.raises(SqsError, match="HTTP 502"):
        await sqs.queue_url("x")
    assert len(server.requests) == 4
    server.answers = [error(403, "AccessDenied")]
    with pytest.raises(SqsError, match="AccessDenied"):
        await sqs.queue_url("x")
    assert len(server.requests) == 5


async def test_a_call_that_fails_altogether_is_a_failure_of_each_entry(endpoint: tuple[Endpoint, Sqs]) -> None:
    server, sqs = endpoint
    server.answers = [error(403, "AccessDenied")]
    failures = await sqs.send_message_batch("http://queue", [OutgoingMessage(body="a"), OutgoingMessage(body="b")])
    assert [(failure.index, failure.code, failure.sender_fault) for failure in failures] == [
        (0, "AccessDenied", False),
        (1, "AccessDenied", False),
    ]


async def test_a_wrong_clock_is_corrected_from_the_answer(endpoint: tuple[Endpoint, Sqs]) -> None:
    server, sqs = endpoint
    right = datetime.now(UTC) + timedelta(hours=1)
    server.answers = [error(403, "RequestTimeTooSkewed", Date=format_datetime(right, usegmt=True))]
    await sqs.queue_url("x")
    signed_at = datetime.strptime(server.requests[1].headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(signed_at - right) < timedelta(seconds=5)


async def test_expired_credentials_are_asked_for_again(
    endpoint: tuple[Endpoint, Sqs], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, sqs = endpoint
    await sqs.queue_url("x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed")
    server.answers = [error(403, "ExpiredTokenException")]
    await sqs.queue_url("y")
    authorizations = [request.headers["authorization"] for request in server.requests]
    assert ["Credential=renewed/" in each for each in authorizations] == [False, False, True]


async def test_a_damaged_message_is_left_for_redelivery(endpoint: tuple[Endpoint, Sqs]) -> None:
    server, sqs = endpoint
    message = {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": "damaged",
        "MD5OfBody": "0" * 32,
        "Attributes": {"ApproximateReceiveCount": "1"},
    }
    server.answers = [web.json_response({"Messages": [message]})]
    assert await sqs.receive_messages("http://queue") == []


async def test_a_session_token_is_sent_and_signed(
    endpoint: tuple[Endpoint, Sqs], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, sqs = endpoint
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token")
    await sqs.queue_url("x")
    headers = server.requests[0].headers
    assert headers["x-amz-security-token"] == "the-token"
    assert "x-amz-security-token" in headers["authorization"]


def test_endpoints_of_aws_follow_the_region() -> None:
    assert str(Sqs(region="eu-central-1")._url) == "https://sqs.eu-central-1.amazonaws.com/"
    assert str(Sqs(region="cn-north-1")._url) == "https://sqs.cn-north-1.amazonaws.com.cn/"
