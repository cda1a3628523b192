"""Fixtures of the whole system; tests/conftest.py makes them known to every test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.local_stack import LocalStack, environment
from tests.support.shop import Shopper, log_in, sign_up


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The whole platform, started once for all tests that use it. A test that breaks it repairs it."""
    state: Path = tmp_path_factory.mktemp("local_stack") / "state"
    running = LocalStack(environment(state))
    running.up()
    yield running
    running.down()


@pytest.fixture
async def http(local_stack: LocalStack) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the load balancer."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=local_stack.url, timeout=40, limits=limits) as client:
        yield client


@pytest.fixture
async def admin(http: httpx.AsyncClient) -> Shopper:
    return await log_in(http, "admin@example.com")


@pytest.fixture
async def shopper(http: httpx.AsyncClient) -> Shopper:
    return await sign_up(http)


@pytest.fixture
async def two_shoppers(http: httpx.AsyncClient) -> tuple[Shopper, Shopper]:
    first, second = await asyncio.gather(sign_up(http, "first"), sign_up(http, "second"))
    return first, second
