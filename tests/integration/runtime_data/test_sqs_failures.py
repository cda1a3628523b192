"""The SQS client against an endpoint that fails, hangs, damages or refuses credentials."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from local_aws.processes import free_port
from platform_sdk.runtime.messaging import sqs as sqs_module
from platform_sdk.runtime.messaging.messages import OutgoingMessage, SqsError
from platform_sdk.runtime.messaging.sqs import Sqs

FOREVER = 3600.0


class Endpoint:
    """Answers as scripted, then normally; records the requests. A number of seconds, or an event, delays the next
    answer.

    It is the agent that gives a task the credentials of its role, too: at /role, and new ones for each request.
    """

    def __init__(self) -> None:
        self.answers: list[web.Response | asyncio.Event | float | None] = []
        self.requests: list[web.BaseRequest] = []
        self.pausing = asyncio.Event()
        self.url = ""
        self.role_answers: list[web.Response] = []
        self.roles_given = 0

    @property
    def keys(self) -> list[str]:
        """The access keys by which the requests were signed."""
        return [
            request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in self.requests
        ]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/role":
            return self.role_answers.pop(0) if self.role_answers else self._role()
        self.requests.append(request)
        while self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, float):
                await asyncio.sleep(answer)
            elif isinstance(answer, asyncio.Event):
                self.pausing.set()
                await answer.wait()
            elif answer is None:
                assert request.transport is not None
                request.transport.close()
            else:
                return answer
        return web.json_response({"QueueUrl": "http://queue"})

    def _role(self) -> web.Response:
        self.roles_given += 1
        credentials = {"AccessKeyId": f"role-{self.roles_given}", "SecretAccessKey": "secret", "Token": "token"}
        return web.json_response(credentials | {"Expiration": "2999-01-01T00:00:00Z"})


@pytest.fixture
async def server() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    runner = web.ServerRunner(web.Server(endpoint.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    endpoint.url = f"http://{host}:{port}"
    yield endpoint
    await runner.cleanup()


@pytest.fixture
async def sqs(server: Endpoint) -> AsyncIterator[Sqs]:
    sqs = Sqs(region="us-east-1", endpoint_url=server.url)
    yield sqs
    await sqs.close()


@pytest.fixture
def task_role(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials come from the role of the task, as on ECS."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable)
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/role")


def error(status: int, code: str) -> web.Response:
    return web.json_response({"__type": f"com.amazonaws.sqs#{code}", "message": "as scripted"}, status=status)


def message(body: str, digest: str | None = None) -> web.Response:
    entry: dict[str, Any] = {"MessageId": "m", "ReceiptHandle": "r", "Body": body}
    entry |= {"MD5OfBody": digest or md5(body), "Attributes": {"ApproximateReceiveCount": "1"}}
    return web.json_response({"Messages": [entry]})


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("answer", [(500, "InternalError"), (503, "ServiceUnavailable"), (400, "RequestThrottled")])
async def test_faults_of_the_server_and_throttling_are_retried(
    server: Endpoint, sqs: Sqs, answer: tuple[int, str]
) -> None:
    server.answers = [error(*answer)]
    assert await sqs.queue_url("x") == "http://queue"
    assert len(server.requests) == 2


async def test_a_connection_that_breaks_is_retried(server: Endpoint, sqs: Sqs) -> None:
    server.answers = [None]
    assert await sqs.queue_url("x") == "http://queue"
    assert len(server.requests) == 2


async def test_retries_end_and_a_refusal_is_not_retried(server: Endpoint, sqs: Sqs) -> None:
    server.answers = [web.Response(status=502, text="<html>bad gateway") for _ in range(9)]
    with pytest.raises(SqsError, match="502"):
        await sqs.queue_url("x")
    assert len(server.requests) == 3
    server.answers = [error(403, "AccessDenied")]
    with pytest.raises(SqsError, match="AccessDenied"):
        await sqs.queue_url("x")
    assert len(server.requests) == 4


async def test_without_a_server_the_error_says_so() -> None:
    sqs = Sqs(region="us-east-1", endpoint_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SqsError, match="Could not connect") as raised:
        await sqs.queue_url("x")
    assert raised.value.code == "EndpointConnectionError"
    await sqs.close()


async def test_a_call_that_fails_altogether_is_a_failure_of_each_entry(server: Endpoint, sqs: Sqs) -> None:
    server.answers = [error(403, "AccessDenied")]
    failures = await sqs.send_message_batch("http://queue", [OutgoingMessage(body="a"), OutgoingMessage(body="b")])
    assert [(failure.index, failure.code, failure.sender_fault) for failure in failures] == [
        (0, "AccessDenied", False),
        (1, "AccessDenied", False),
    ]


async def test_a_call_that_hangs_ends_and_the_next_one_succeeds(
    server: Endpoint, sqs: Sqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqs.queue_url("connected")
    monkeypatch.setattr(sqs_module, "CALL_SECONDS", 0.2)
    server.answers = [FOREVER]
    with pytest.raises(SqsError, match="no answer in time"):
        await sqs.queue_url("x")
    monkeypatch.setattr(sqs_module, "CALL_SECONDS", 20)
    assert await sqs.queue_url("x") == "http://queue"


async def test_the_deadline_of_a_poll_begins_after_its_wait(
    server: Endpoint, sqs: Sqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_module, "CALL_SECONDS", 0.1)
    server.answers = [0.5, message("late")]
    (received,) = await sqs.receive_messages("http://queue", wait_seconds=20)
    assert received.body == "late"
    server.answers = [FOREVER]
    with pytest.raises(SqsError, match="no answer in time"):
        await sqs.receive_messages("http://queue", wait_seconds=0)


async def test_refused_credentials_are_asked_for_again(
    server: Endpoint, sqs: Sqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqs.queue_url("x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed")
    server.answers = [error(403, "ExpiredTokenException")]
    await sqs.queue_url("y")
    assert server.keys == ["local", "local", "renewed"]


@pytest.mark.usefixtures("task_role")
async def test_the_credentials_of_the_task_role_are_renewed_once_for_all_calls(server: Endpoint, sqs: Sqs) -> None:
    await sqs.queue_url("a")
    server.answers = [error(403, "ExpiredToken"), error(403, "ExpiredToken")]
    urls = await asyncio.gather(sqs.queue_url("b"), sqs.queue_url("c"))
    assert set(urls) == {"http://queue"}
    assert server.keys == ["role-1", "role-1", "role-1", "role-2", "role-2"]
    assert {request.headers["x-amz-security-token"] for request in server.requests} == {"token"}


async def test_a_renewal_cuts_no_poll_off(server: Endpoint, sqs: Sqs) -> None:
    await sqs.queue_url("a")
    answered = asyncio.Event()
    server.answers = [answered]
    poll = asyncio.create_task(sqs.receive_messages("http://queue"))
    await server.pausing.wait()
    server.answers = [error(403, "ExpiredToken")]
    await sqs.queue_url("b")
    assert server.answers == []
    server.answers = [message("kept")]
    answered.set()
    (received,) = await poll
    assert received.body == "kept"


@pytest.mark.usefixtures("task_role")
async def test_credentials_that_stay_refused_are_an_error_and_not_asked_for_at_each_call(
    server: Endpoint, sqs: Sqs
) -> None:
    for _ in range(3):
        server.answers = [error(403, "InvalidClientTokenId"), error(403, "InvalidClientTokenId")]
        with pytest.raises(SqsError) as raised:
            await sqs.queue_url("x")
        assert raised.value.code == "InvalidClientTokenId"
    assert server.roles_given == 2


@pytest.mark.usefixtures("task_role")
async def test_a_client_opened_before_there_are_credentials_gets_them_with_the_first_call(
    server: Endpoint, sqs: Sqs
) -> None:
    server.role_answers = [web.Response(status=500) for _ in range(3)]
    await sqs.open()
    assert server.role_answers == []
    assert await sqs.queue_url("x") == "http://queue"
    assert server.keys == ["role-1"]


async def test_without_any_credentials_the_error_says_so(
    server: Endpoint, sqs: Sqs, task_role: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    with pytest.raises(SqsError, match="Unable to locate credentials"):
        await sqs.queue_url("x")
    assert server.requests == []


async def test_a_damaged_message_is_left_for_redelivery(server: Endpoint, sqs: Sqs) -> None:
    server.answers = [message("damaged", digest="0" * 32)]
    assert await sqs.receive_messages("http://queue") == []


async def test_a_message_that_sqs_received_damaged_is_a_failure(server: Endpoint, sqs: Sqs) -> None:
    sent = [
        {"Id": "0", "MessageId": "m", "MD5OfMessageBody": md5("a")},
        {"Id": "1", "MessageId": "n", "MD5OfMessageBody": md5("something else")},
    ]
    server.answers = [web.json_response({"Successful": sent, "Failed": []})]
    failures = await sqs.send_message_batch("http://queue", [OutgoingMessage(body="a"), OutgoingMessage(body="b")])
    assert [(failure.index, failure.code, failure.sender_fault) for failure in failures] == [(1, "Damaged", False)]
