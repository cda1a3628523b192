"""How many requests an app works on at once, what counts as one, and how one ends whose body is still on its way."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter
from starlette.responses import StreamingResponse

from platform_sdk.runtime.http.app import create_app
from platform_sdk.runtime.http.auth import Public
from platform_sdk.runtime.http.inputs import Integer, RequestModel
from platform_sdk.runtime.http.resources import ShuttingDown
from tests.integration.runtime_edge.edge_server import Edge, parse, serve
from tests.unit.runtime_edge.edge_settings import settings

router = APIRouter(prefix="/shop", dependencies=[Public])


@router.get("/quick")
async def get_quick() -> str:
    return "quick"


@router.get("/slow")
async def get_slow() -> None:
    await asyncio.sleep(60)


@router.get("/stream")
async def get_stream(stopping: ShuttingDown) -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        while not stopping.is_set():
            yield b":\n\n"
            await asyncio.sleep(0.02)

    return StreamingResponse(content(), media_type="text/event-stream")


@router.get("/download")
async def get_download() -> StreamingResponse:
    async def content() -> AsyncIterator[bytes]:
        yield b"first "
        await asyncio.sleep(1)
        yield b"last"

    return StreamingResponse(content(), media_type="text/csv")


class Order(RequestModel):
    quantity: Integer


@router.post("/orders")
async def post_order(order: Order) -> None: ...


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    limits = settings(request_timeout_seconds=0.5, max_concurrent_requests=3, max_body_bytes=1000)
    async with serve(create_app(limits, title="Shop", routers=[router])) as edge:
        yield edge


async def test_beyond_the_limit_requests_are_shed_but_health_answers(edge: Edge) -> None:
    slow = [asyncio.create_task(edge.get("/shop/slow")) for _ in range(3)]
    await asyncio.sleep(0.2)
    answer = await edge.get("/shop/quick")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert (await edge.get("/shop/readyz")).status == 200
    assert [answer.status for answer in await asyncio.gather(*slow)] == [504] * 3
    assert (await edge.get("/shop/quick")).status == 200


async def test_streams_do_not_take_the_places_of_requests(edge: Edge) -> None:
    streams = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(5)]
    for reader, writer in streams:
        writer.write(b"GET /shop/stream HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b" 200 " in await reader.readline()
    assert (await edge.get("/shop/quick")).status == 200
    await asyncio.sleep(0.6)
    for reader, writer in streams:
        assert len(await reader.read(65_536)) > 0
        writer.close()


async def test_other_answers_keep_their_place_until_they_end(edge: Edge) -> None:
    downloads = [asyncio.create_task(edge.get("/shop/download")) for _ in range(3)]
    await asyncio.sleep(0.2)
    assert (await edge.get("/shop/quick")).status == 503
    # Longer than an answer may take to start: the clock stops when it has.
    assert [answer.body.count(b"last") for answer in await asyncio.gather(*downloads)] == [1] * 3
    assert (await edge.get("/shop/quick")).status == 200


@pytest.mark.parametrize(
    ("content_type", "path", "length", "status"),
    [("text/plain", "orders", 30, 415), ("text/plain", "slow", 30, 405), ("application/json", "orders", 5000, 413)],
)
async def test_a_refusal_before_the_body_has_arrived_does_not_reset_the_connection(
    edge: Edge, content_type: str, path: str, length: int, status: int
) -> None:
    head = (
        f"POST /shop/{path} HTTP/1.1\r\nhost: edge\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(head.encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    for _ in range(10):
        writer.write(b" " * (length // 10))
        # On a connection that was reset, one of these raises.
        await writer.drain()
        await asyncio.sleep(0.001)
    assert parse(answer + await reader.read()).json()["status"] == status
    writer.close()
