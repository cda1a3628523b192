"""The cache on a real Redis, and without one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import APIRouter

from local_aws.processes import free_port
from local_aws.servers.valkey import RedisServer
from platform_sdk.runtime.cache import SKIP_SECONDS, Cache
from platform_sdk.runtime.http.app import create_app
from platform_sdk.runtime.http.auth import Public
from platform_sdk.runtime.http.resources import rate_limit
from tests.integration.runtime_edge.edge_server import serve
from tests.unit.runtime_edge.edge_settings import settings


@pytest.fixture
async def cache(redis_server: RedisServer) -> AsyncIterator[Cache]:
    cache = Cache(redis_server.url, prefix=f"test:{uuid4()}:")
    yield cache
    await cache.close()


async def test_a_value_comes_back_until_it_is_deleted_or_expires(cache: Cache) -> None:
    await cache.set_json("item", {"sku": "TEA", "price": 3}, ttl_seconds=60)
    assert await cache.get_json("item") == {"sku": "TEA", "price": 3}
    await cache.delete("item", "other")
    assert await cache.get_json("item") is None
    await cache.set_json("item", 1, ttl_seconds=0.01)
    await asyncio.sleep(0.05)
    assert await cache.get_json("item") is None


async def test_services_do_not_see_each_others_keys(redis_server: RedisServer) -> None:
    orders, users = Cache(redis_server.url, prefix="test:orders:"), Cache(redis_server.url, prefix="test:users:")
    await orders.set_json("x", 1, 60)
    assert await users.get_json("x") is None
    await orders.close()
    await users.close()


async def test_calls_are_counted_over_all_tasks(redis_server: RedisServer) -> None:
    prefix = f"test:{uuid4()}:"
    tasks = [Cache(redis_server.url, prefix=prefix) for _ in range(2)]
    decisions = [await tasks[n % 2].take_token("sign-in:ada", limit=3, window_seconds=3600) for n in range(5)]
    assert [decision.allowed for decision in decisions] == [True, True, True, False, False]
    assert [decision.remaining for decision in decisions] == [2, 1, 0, 0, 0]
    assert (await tasks[0].take_token("sign-in:bob", limit=3, window_seconds=3600)).remaining == 2
    for task in tasks:
        await task.close()


async def test_a_burst_of_callers_is_no_reason_to_give_redis_up(cache: Cache) -> None:
    await cache.set_json("item", 1, 60)
    await asyncio.gather(*(cache.get_json("item") for _ in range(1000)))
    assert await cache.get_json("item") == 1


@asynccontextmanager
async def counted_connections(*, hang: bool) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve what is no Redis: it ends each connection at once, or never answers."""
    connections: list[str] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append("one")
        if hang:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", connections


@pytest.mark.parametrize("hang", [False, True])
async def test_a_redis_that_does_not_answer_is_asked_a_few_times_and_then_left_alone(hang: bool) -> None:
    async with counted_connections(hang=hang) as (url, connections):
        cache = Cache(url, prefix="test:")
        for _ in range(200):
            assert await cache.get_json("x") is None
            await cache.set_json("x", 1, 60)
        await cache.close()
        assert 1 <= len(connections) < 20


async def test_without_redis_calls_are_counted_in_the_process() -> None:
    for cache in (Cache(None, prefix=""), Cache(f"redis://127.0.0.1:{free_port()}/0", prefix="")):
        decisions = [await cache.take_token("sign-in", limit=2, window_seconds=3600) for _ in range(3)]
        assert [decision.allowed for decision in decisions] == [True, True, False]
        await cache.close()


async def test_a_redis_that_comes_back_is_used_again(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, free_port())
    server.start()
    cache = Cache(server.url, prefix="test:")
    await cache.set_json("x", 1, 60)
    server.stop()
    assert await cache.get_json("x") is None
    server.start()
    try:
        await asyncio.sleep(SKIP_SECONDS + 0.1)
        assert await cache.get_json("x") == 1
    finally:
        await cache.close()
        server.stop()


async def test_a_route_with_a_limit_says_so_and_refuses_beyond_it(redis_server: RedisServer) -> None:
    router = APIRouter(prefix="/shop")

    @router.get("/limited", dependencies=[Public, rate_limit("sign-in", limit=2, window_seconds=3600)])
    async def get_limited() -> int:
        return 1

    @router.get(
        "/as-configured",
        dependencies=[Public, rate_limit("any", limit=lambda own: own.max_concurrent_requests, window_seconds=3600)],
    )
    async def get_as_configured() -> int:
        return 1

    own = settings(redis_url=redis_server.url, service_name=f"shop-{uuid4()}", max_concurrent_requests=7)
    async with serve(create_app(own, title="Shop", routers=[router])) as edge:
        answers = [await edge.get("/shop/limited") for _ in range(3)]
        assert (await edge.get("/shop/as-configured")).headers["ratelimit-policy"] == '"any";q=7;w=3600'
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"sign-in";q=2;w=3600'
    assert answers[0].headers["ratelimit"].startswith('"sign-in";r=1;t=')
    assert answers[2].headers["ratelimit"].startswith('"sign-in";r=0;t=')
    assert 1 <= int(answers[2].headers["retry-after"]) <= 3600
    assert answers[2].json()["violated-policies"] == ["sign-in"]
