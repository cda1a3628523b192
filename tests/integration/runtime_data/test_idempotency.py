"""A repeated request has its effect once and gets the same bytes, through a real app and a real database."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.http.auth import Principal
from platform_sdk.runtime.http.idempotency import Idempotency, OptionalIdempotencyKey, Reply, RequiredIdempotencyKey
from platform_sdk.runtime.http.problems import Problem
from platform_sdk.runtime.http.resources import Uow
from platform_sdk.runtime.messaging.messages import Event
from platform_sdk.runtime.testing import recorded_events

ADA, GRACE = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-000000000009"


class Made(Event):
    type = "thing.made"


class Anybody:
    """Takes the bearer token for the user's id."""

    async def verify(self, token: str) -> Principal:
        return Principal(UUID(token), frozenset({"customer"}), "token")


def make_app(database: Database) -> FastAPI:
    app = FastAPI()
    app.state.resources = SimpleNamespace(database=database, tokens=Anybody())

    @app.middleware("http")
    async def request_id(request: Request, call_next: Any) -> Response:
        request.scope["request_id"] = "a-request"
        response: Response = await call_next(request)
        return response

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return error.response()

    @app.post("/things/{kind}")
    async def make(kind: str, body: dict[str, Any], uow: Uow, key: RequiredIdempotencyKey) -> Response:
        return await key.once(uow, lambda: produce(uow, kind, body))

    @app.post("/others/{kind}")
    async def other(kind: str, body: dict[str, Any], uow: Uow, key: OptionalIdempotencyKey) -> Response:
        return await key.once(uow, lambda: produce(uow, kind, body))

    return app


async def produce(uow: Any, kind: str, body: dict[str, Any]) -> Reply:
    identity = uuid4()
    await uow.execute("INSERT INTO things VALUES ($1)", identity)
    uow.publish(Made(), aggregate_id=identity, aggregate_version=1)
    if seconds := body.get("seconds"):
        await asyncio.sleep(seconds)
    if status := body.get("problem"):
        raise Problem(status, "sold-out", detail=str(identity))
    if body.get("crash"):
        raise RuntimeError("crash")
    return Reply.json(201, {"id": identity, "kind": kind}, {"location": f"/things/{identity}", "etag": '"1"'})


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with database.unit_of_work() as uow:
        await uow.execute("CREATE TABLE things (id uuid PRIMARY KEY)")
    transport = httpx.ASGITransport(make_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def post(
    client: httpx.AsyncClient,
    key: str | None,
    body: dict[str, Any] | None = None,
    *,
    path: str = "/things/red",
    user: str = ADA,
) -> httpx.Response:
    headers = {"authorization": f"Bearer {user}"} | ({} if key is None else {"idempotency-key": key})
    return await client.post(path, json=body or {}, headers=headers)


async def made(database: Database) -> int:
    async with database.reader() as reader:
        return int(await reader.fetch_value("SELECT count(*) FROM things"))


async def test_a_replay_has_the_same_status_bytes_and_headers_and_no_effect(
    client: httpx.AsyncClient, database: Database
) -> None:
    first, second = await post(client, "a-key"), await post(client, "a-key")
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.headers["location"] == second.headers["location"]
    assert second.headers["etag"] == '"1"'
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await made(database) == len(await recorded_events(database)) == 1


async def test_quoted_and_bare_keys_are_the_same_key(client: httpx.AsyncClient) -> None:
    assert (await post(client, "a-key")).content == (await post(client, '"a-key"')).content


async def test_the_order_of_members_is_not_part_of_the_request(client: httpx.AsyncClient) -> None:
    assert (await post(client, "k", {"a": 1, "b": 2})).content == (await post(client, "k", {"b": 2, "a": 1})).content


@pytest.mark.parametrize("key", [None, "", '"', '""', "a b", "x" * 256, '"unbalanced', "\x7f"])
async def test_a_missing_or_malformed_key_is_a_400(
    client: httpx.AsyncClient, database: Database, key: str | None
) -> None:
    assert (await post(client, key)).status_code == 400
    assert await made(database) == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, '"' + "x" * 255 + '"', "a:b/c=!~"])
async def test_any_visible_ascii_up_to_255_characters_is_a_key(client: httpx.AsyncClient, key: str) -> None:
    assert (await post(client, key)).status_code == 201


async def test_without_an_optional_key_every_request_is_its_own(client: httpx.AsyncClient, database: Database) -> None:
    replies = [await post(client, None, path="/others/red") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert await made(database) == 2


async def test_the_same_key_with_another_body_or_path_parameter_is_a_422(client: httpx.AsyncClient) -> None:
    await post(client, "k", {"a": 1})
    for reply in (await post(client, "k", {"a": 2}), await post(client, "k", {"a": 1}, path="/things/blue")):
        assert reply.status_code == 422
        assert reply.json()["type"] == "/problems/idempotency-key-reused"


async def test_keys_of_other_users_and_of_other_routes_are_other_keys(
    client: httpx.AsyncClient, database: Database
) -> None:
    replies = [
        await post(client, "k"),
        await post(client, "k", user=GRACE),
        await post(client, "k", path="/others/red"),
    ]
    assert [reply.status_code for reply in replies] == [201, 201, 201]
    assert await made(database) == 3


@pytest.mark.parametrize("status", [409, 422])
async def test_a_refusal_by_the_business_is_replayed_and_undoes_the_work(
    client: httpx.AsyncClient, database: Database, status: int
) -> None:
    first, second = await post(client, "k", {"problem": status}), await post(client, "k", {"problem": status})
    assert first.status_code == second.status_code == status
    assert first.content == second.content
    assert second.headers["content-type"] == "application/problem+json"
    assert second.headers["idempotency-replayed"] == "true"
    assert await made(database) == len(await recorded_events(database)) == 0


@pytest.mark.parametrize("body", [{"problem": 503}, {"problem": 403}, {"problem": 429}, {"crash": True}])
async def test_other_failures_leave_the_key_free(
    client: httpx.AsyncClient, database: Database, body: dict[str, Any]
) -> None:
    assert (await post(client, "k", body)).status_code in (403, 429, 500, 503)
    assert await made(database) == 0
    assert (await post(client, "k", {"now": "right"})).status_code == 201


async def test_a_concurrent_duplicate_waits_and_gets_the_same_answer(
    client: httpx.AsyncClient, database: Database
) -> None:
    replies = await asyncio.gather(*(post(client, "k", {"seconds": 0.3}) for _ in range(5)))
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert await made(database) == 1


async def test_a_concurrent_duplicate_that_waits_in_vain_gets_a_409_with_retry_after(
    client: httpx.AsyncClient, database: Database
) -> None:
    first = asyncio.create_task(post(client, "k", {"seconds": 2.6}))
    await asyncio.sleep(0.2)
    second = await post(client, "k", {"seconds": 2.6})
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert (await first).status_code == 201
    assert await made(database) == 1


async def test_the_reply_that_was_really_sent_can_replace_the_stored_one(
    client: httpx.AsyncClient, database: Database
) -> None:
    key = Idempotency(scope="s", key="k", fingerprint=b"f")

    async def accepted() -> Reply:
        return Reply.json(202, {"status": "pending"})

    async with database.unit_of_work() as uow:
        await key.once(uow, accepted)
    await key.replace(database, Reply.json(201, {"status": "confirmed"}))
    async with database.unit_of_work() as uow:
        replayed = await key.once(uow, accepted)
    assert (replayed.status_code, bytes(replayed.body)) == (201, b'{"status":"confirmed"}')
