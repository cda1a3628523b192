"""Redis away, PostgreSQL restarted: what users notice, and that all is well again without a restart of any task."""

import asyncio
import os
import signal

import httpx

from tests.support.local_stack import LocalStack
from tests.support.shop import Shopper, sign_up, stock_item


async def every_kind_of_request(http: httpx.AsyncClient, admin: Shopper) -> None:
    """One request of each kind that touches the cache; each must succeed."""
    shopper = await sign_up(http, "cacheless")
    sku = await stock_item(admin, 5)
    for path in (f"/inventory/items/{sku}", "/inventory/items?limit=5", "/users/.well-known/jwks.json"):
        assert (await http.get(path)).status_code == 200, path
    placed = await shopper.place({sku: 1})
    assert placed.status_code == 202, placed.text
    assert (await shopper.decided(placed.json()["id"]))["status"] == "confirmed"
    assert (await shopper.get("/users/me"))["id"]


async def test_every_request_answers_while_redis_hangs(
    local_stack: LocalStack, http: httpx.AsyncClient, admin: Shopper
) -> None:
    pid = local_stack.server_pid("redis")
    os.kill(pid, signal.SIGSTOP)
    try:
        await every_kind_of_request(http, admin)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_every_request_answers_when_redis_is_killed(
    local_stack: LocalStack, http: httpx.AsyncClient, admin: Shopper
) -> None:
    for _ in range(3):
        os.kill(local_stack.server_pid("redis"), signal.SIGKILL)
        await every_kind_of_request(http, admin)
        await asyncio.to_thread(local_stack.wait_until_healthy)


async def test_postgres_restart_needs_no_restart_of_a_task(
    local_stack: LocalStack, http: httpx.AsyncClient, admin: Shopper, shopper: Shopper
) -> None:
    sku = await stock_item(admin, 20)
    before = {task["name"]: task["pid"] for task in local_stack.status()["tasks"]}
    in_flight = [asyncio.create_task(shopper.place_for_sure({sku: 1})) for _ in range(10)]

    os.kill(local_stack.server_pid("postgres"), signal.SIGINT)

    placed = await asyncio.gather(*in_flight)
    decided = await asyncio.gather(*(shopper.decided(order["id"]) for order in placed))
    assert {order["status"] for order in decided} == {"confirmed"}
    await asyncio.to_thread(local_stack.wait_until_healthy)
    await every_kind_of_request(http, admin)
    assert {task["name"]: task["pid"] for task in local_stack.status()["tasks"]} == before
