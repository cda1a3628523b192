"""What the edge answers to requests good and bad, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from platform_sdk.runtime.http.app import create_app
from platform_sdk.runtime.http.auth import Admin, CurrentUser, Principal, Public, TokenVerifier
from platform_sdk.runtime.http.inputs import Boolean, Integer, RequestModel, Text
from platform_sdk.runtime.http.resources import ShuttingDown
from tests.integration.runtime_edge.edge_server import Edge, chunked, serve
from tests.unit.runtime_edge.edge_settings import settings

USER = Principal(uuid4(), frozenset({"customer"}), "t-1")


class KnownTokens(TokenVerifier):
    """Knows one token; the rest is verified, and refused, as always."""

    async def verify(self, token: str) -> Principal:
        return USER if token == "known" else await super().verify(token)


class Line(RequestModel):
    sku: Annotated[str, Text(20)]
    quantity: Annotated[int, Integer(1, 100)]


class Order(RequestModel):
    items: list[Line]
    gift: Boolean = False


router = APIRouter(prefix="/shop")


@router.get("/items", dependencies=[Public])
async def get_items(
    limit: Annotated[int, Query(ge=1, le=2**31 - 1)] = 5, tag: Annotated[list[str] | None, Query()] = None
) -> int:
    return limit + len(tag or ())


@router.get("/items/{item_id}", dependencies=[Public])
async def get_item(item_id: UUID) -> str:
    return str(item_id)


@router.get("/sku/{sku}", dependencies=[Public])
async def get_sku(sku: Annotated[str, Text(20)]) -> str:
    return sku


@router.post("/orders", status_code=201)
async def post_order(order: Order, user: CurrentUser) -> str:
    return str(user.user_id)


@router.get("/orders")
async def get_orders(user: CurrentUser) -> str:
    return str(user.user_id)


@router.delete("/orders")
async def delete_orders(admin: Admin, sure: bool) -> None:
    return None


@router.post("/public", dependencies=[Public], status_code=201)
async def post_public(order: Order) -> int:
    return len(order.items)


@router.get("/slow", dependencies=[Public])
async def get_slow() -> None:
    await asyncio.sleep(60)


@router.get("/broken", dependencies=[Public])
async def get_broken() -> None:
    raise ZeroDivisionError("secret detail")


@router.get("/half", dependencies=[Public])
async def get_half() -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        yield b"half"
        raise ZeroDivisionError("in the middle")

    return StreamingResponse(content())


@router.get("/stream", dependencies=[Public])
async def get_stream(stopping: ShuttingDown) -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        while not stopping.is_set():
            yield b":\n\n"
            await asyncio.sleep(0.02)

    return StreamingResponse(content(), media_type="text/event-stream")


# One server for all tests of this file: starting and stopping it takes longer than most of them.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge() -> AsyncIterator[Edge]:
    limits = settings(request_timeout_seconds=0.5, max_body_bytes=1000)
    tokens = KnownTokens.from_public_keys({}, issuer="i", audience="a")
    async with serve(create_app(limits, title="Shop", routers=[router], tokens=tokens)) as edge:
        yield edge


GOOD = b'{"items": [{"sku": "TEA", "quantity": 1}]}'


async def test_every_response_has_the_headers_of_the_edge(edge: Edge) -> None:
    answer = await edge.get("/shop/items")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert len(answer.headers["x-request-id"]) == 32
    assert "server" not in answer.headers or answer.headers["server"] == "uvicorn"


async def test_a_decent_request_id_is_echoed_and_another_is_replaced(edge: Edge) -> None:
    assert (await edge.get("/shop/items", x_request_id="client-0001")).headers["x-request-id"] == "client-0001"
    for bad in ("short", "a" * 200, 'x"}{"level', "späße-0001"):
        assert (await edge.get("/shop/items", x_request_id=bad)).headers["x-request-id"] != bad


async def test_the_callers_trace_goes_on(edge: Edge) -> None:
    answer = await edge.get("/shop/items", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    assert answer.headers["x-request-id"] == "a" * 32


@pytest.mark.parametrize("path", ["/", "/shop", "/shop/", "/shop/items/", "/shop//items", "/shop/nope", "/SHOP/items"])
async def test_an_unknown_path_is_a_404_problem(edge: Edge, path: str) -> None:
    answer = await edge.get(path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/not-found"


async def test_an_encoded_slash_chooses_no_other_route(edge: Edge) -> None:
    assert (await edge.get("/shop/sku/a%2Fb")).status == 404
    assert (await edge.get("/shop%2fitems")).status == 404


@pytest.mark.parametrize("path", ["/shop/sku/%00", "/shop/sku/a%00b", "/shop/sku/%ff", "/shop/sku/%ed%a0%80"])
async def test_a_path_that_is_no_text_is_400(edge: Edge, path: str) -> None:
    assert (await edge.get(path)).status == 400


@pytest.mark.parametrize("item_id", ["1", "x" * 500, "9" * 40, "%20"])
async def test_a_path_parameter_of_the_wrong_form_is_422(edge: Edge, item_id: str) -> None:
    answer = await edge.get(f"/shop/items/{item_id}")
    assert answer.status == 422
    assert answer.json()["errors"][0]["pointer"] == "#/path/item_id"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "limit=9999999999", "limit=1&limit=2", "limt=1", "limit=true", "limit=1.5", "limit="],
)
async def test_a_query_parameter_that_is_wrong_unknown_or_repeated_is_422(edge: Edge, query: str) -> None:
    answer = await edge.get(f"/shop/items?{query}")
    assert answer.status == 422
    assert answer.json()["errors"][0]["pointer"].startswith("#/query/lim")


async def test_a_query_parameter_that_is_a_list_may_be_repeated(edge: Edge) -> None:
    assert (await edge.get("/shop/items?tag=a&tag=b&limit=1")).json() == 3


@pytest.mark.parametrize("query", ["limit=%ff", "&".join(f"a{n}=1" for n in range(200))])
async def test_a_query_that_cannot_be_read_is_400(edge: Edge, query: str) -> None:
    assert (await edge.get(f"/shop/items?{query}")).status == 400


async def test_a_method_without_a_route_is_405_with_all_that_the_path_has(edge: Edge) -> None:
    for method in ("PUT", "PATCH", "TRACE", "QUERY"):
        answer = await edge.request(method, "/shop/orders")
        assert answer.status == 405, method
        assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST"
    assert (await edge.request("POST", "/shop/livez")).headers["allow"] == "GET, HEAD, OPTIONS"


async def test_options_answers_without_a_token(edge: Edge) -> None:
    answer = await edge.request("OPTIONS", "/shop/orders")
    assert (answer.status, answer.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, POST")
    assert (await edge.request("OPTIONS", "/shop/nope")).status == 404


async def test_head_answers_like_get_without_a_body(edge: Edge) -> None:
    get, head = await edge.get("/shop/items"), await edge.request("HEAD", "/shop/items")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert (await edge.request("HEAD", "/shop/readyz")).status == 200
    assert (await edge.request("HEAD", "/shop/public")).status == 405


async def test_head_of_an_endless_stream_ends(edge: Edge) -> None:
    answer = await asyncio.wait_for(edge.request("HEAD", "/shop/stream"), 60)
    assert answer.status == 200


@pytest.mark.parametrize("body", [GOOD, b"{", b"[]", b'{"items": 1, "extra": 2}', b""])
async def test_without_a_token_it_is_401_whatever_else_is_wrong(edge: Edge, body: bytes) -> None:
    for kind in ("application/json", "text/plain"):
        answer = await edge.request("POST", "/shop/orders", body, content_type=kind)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await edge.request("DELETE", "/shop/orders?unknown=1")).status == 401


@pytest.mark.parametrize("value", ["Basic eDp5", "Bearer", "Bearer  ", "known", "Bearer wrong"])
async def test_credentials_that_are_wrong_are_401_with_a_challenge(edge: Edge, value: str) -> None:
    answer = await edge.get("/shop/orders", authorization=value)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_')


async def test_a_role_that_is_missing_is_403_before_anything_else(edge: Edge) -> None:
    assert (await edge.request("DELETE", "/shop/orders", authorization="Bearer known")).status == 403


async def test_a_good_request_is_answered(edge: Edge) -> None:
    answer = await edge.post_json("/shop/orders", GOOD, authorization="bearer known")
    assert (answer.status, answer.json()) == (201, str(USER.user_id))


def order_with(sku: bytes = b'"TEA"', quantity: bytes = b"1", more: bytes = b"") -> bytes:
    return b'{"items": [{"sku": ' + sku + b', "quantity": ' + quantity + b"}]" + more + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        order_with(sku=b'"\xff\xfe"'),
        order_with(sku=b'"\\ud800"'),
        order_with(quantity=b"NaN"),
        order_with(quantity=b"-Infinity"),
        order_with(quantity=b"01"),
        b"[" * 900 + b"1",
        b'{"a":' * 160,
        GOOD + b"x",
        b"{'items': []}",
    ],
)
async def test_a_body_that_is_not_json_is_400(edge: Edge, body: bytes) -> None:
    answer = await edge.post_json("/shop/public", body)
    assert (answer.status, answer.json()["type"]) == (400, "/problems/malformed-json")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", "#"),
        (b"null", "#"),
        (b"[]", "#"),
        (b"1", "#"),
        (b"[" * 400 + b"]" * 400, "#"),
        (b"{}", "#/items"),
        (order_with(sku=b'"a\\u0000b"'), "#/items/0/sku"),
        (order_with(sku=b"1"), "#/items/0/sku"),
        (order_with(sku=b'""'), "#/items/0/sku"),
        (order_with(quantity=b"true"), "#/items/0/quantity"),
        (order_with(quantity=b'"1"'), "#/items/0/quantity"),
        (order_with(quantity=b"1.5"), "#/items/0/quantity"),
        (order_with(quantity=b"1e3"), "#/items/0/quantity"),
        (order_with(quantity=b"1e308"), "#/items/0/quantity"),
        (order_with(quantity=b"9" * 300), "#/items/0/quantity"),
        (order_with(more=b', "total": 1'), "#/total"),
        (order_with(more=b', "gift": 1'), "#/gift"),
    ],
)
async def test_a_body_of_the_wrong_form_is_422_with_a_pointer(edge: Edge, body: bytes, pointer: str) -> None:
    answer = await edge.post_json("/shop/public", body)
    assert answer.status == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json; charset=latin-1"],
)
async def test_a_body_of_another_kind_is_415(edge: Edge, content_type: str) -> None:
    answer = await edge.request("POST", "/shop/public", GOOD, content_type=content_type)
    assert (answer.status, answer.headers["accept"]) == (415, "application/json")


async def test_a_compressed_body_is_415(edge: Edge) -> None:
    assert (await edge.post_json("/shop/public", GOOD, content_encoding="gzip")).status == 415


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "APPLICATION/JSON", "application/vnd.shop+json"])
async def test_json_may_be_named_in_all_its_ways(edge: Edge, kind: str) -> None:
    assert (await edge.request("POST", "/shop/public", GOOD, content_type=kind)).status == 201


async def test_a_body_that_is_too_long_is_413_before_it_is_read(edge: Edge) -> None:
    head = (
        b"POST /shop/public HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n"
    )
    answer = await edge.send(head)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


async def test_a_chunked_body_is_counted_as_it_arrives(edge: Edge) -> None:
    good = await edge.post_json("/shop/public", chunked(GOOD[:10], GOOD[10:]), transfer_encoding="chunked")
    assert good.status == 201
    long = await edge.post_json("/shop/public", chunked(*[b" " * 500] * 10), transfer_encoding="chunked")
    assert (long.status, long.json()["type"]) == (413, "/problems/content-too-large")


async def test_a_body_that_does_not_arrive_is_408(edge: Edge) -> None:
    head = b"POST /shop/public HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    answer = await edge.send(head)
    assert (answer.status, answer.headers["connection"]) == (408, "close")


async def test_an_answer_that_takes_too_long_is_504(edge: Edge) -> None:
    assert (await edge.get("/shop/slow")).status == 504


async def test_the_unexpected_is_500_and_says_nothing(edge: Edge) -> None:
    answer = await edge.get("/shop/broken")
    assert (answer.status, answer.json()["type"]) == (500, "/problems/internal-error")
    assert b"secret" not in answer.body


async def test_half_an_answer_ends_in_a_closed_connection(edge: Edge) -> None:
    answer = await edge.get("/shop/half")
    assert answer.status == 200
    assert b"half" in answer.body
    assert not answer.body.endswith(b"0\r\n\r\n")


async def test_a_client_that_leaves_harms_nobody(edge: Edge) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(
        b"POST /shop/public HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    )
    await writer.drain()
    writer.transport.abort()
    assert (await edge.get("/shop/items")).status == 200


async def test_health_says_what_it_is(edge: Edge) -> None:
    live, ready, version = [await edge.get(f"/shop/{name}") for name in ("livez", "readyz", "version")]
    assert (live.status, live.headers["content-type"]) == (200, "application/health+json")
    assert ready.json() == {"status": "pass"}
    assert version.json() == {"service": "shop", "version": "dev", "environment": "test"}


async def test_a_draining_task_serves_but_is_not_ready_and_closes_connections(edge: Edge) -> None:
    edge.app.resources.health.is_draining = True
    try:
        assert (await edge.get("/shop/readyz")).status == 503
        answer = await edge.send(b"GET /shop/items HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
    finally:
        edge.app.resources.health.is_draining = False
