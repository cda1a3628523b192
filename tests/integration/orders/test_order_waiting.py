"""Waiting for the decision: `Prefer: wait`, `?wait` and the one loop behind all who wait."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from orders.consumers import InventoryCommitted
from orders.watching import OrderWatcher, is_decided
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import Reader
from tests.integration.orders.conftest import OrdersDatabase
from tests.integration.orders.serving import Api
from tests.integration.orders.test_order_messages import rejected, reserved


async def confirm_soon(orders: OrdersDatabase, order_id: UUID, seconds: float = 0.1) -> None:
    await asyncio.sleep(seconds)
    await orders.deliver(reserved(order_id))
    await orders.deliver(InventoryCommitted(order_id=order_id))


async def confirm_whatever_comes(orders: OrdersDatabase) -> None:
    """Stands in for inventory: confirms the first order that is placed."""
    while True:
        async with orders.database.reader() as reader:
            order_id = await reader.fetch_value("SELECT order_id FROM orders WHERE status = 'pending'")
        if order_id is not None:
            return await confirm_soon(orders, order_id)
        await asyncio.sleep(0.02)


async def test_an_order_that_is_decided_in_time_is_a_201_and_so_is_its_replay(api: Api, orders: OrdersDatabase) -> None:
    customer, key = api.customer(), str(uuid4())
    response, _ = await asyncio.gather(customer.place(key=key, prefer="wait=10"), confirm_whatever_comes(orders))
    assert (response.status_code, response.json()["status"]) == (201, "confirmed")
    assert response.headers["preference-applied"] == "wait=10"
    assert response.headers["etag"] == '"3"'
    replay = await customer.place(key=key)
    assert (replay.status_code, replay.content) == (201, response.content)
    assert replay.headers["location"] == response.headers["location"]
    assert replay.headers["idempotency-replayed"] == "true"


async def test_an_order_that_is_not_decided_in_time_is_a_202_and_so_is_its_replay(api: Api) -> None:
    customer, key = api.customer(), str(uuid4())
    started = time.monotonic()
    response = await customer.place(key=key, prefer="wait=1")
    assert time.monotonic() - started > 0.9
    assert (response.status_code, response.json()["status"]) == (202, "pending")
    assert response.headers["preference-applied"] == "wait=1"
    started = time.monotonic()
    replay = await customer.place(key=key, prefer="wait=10")
    assert (replay.status_code, replay.content) == (202, response.content)
    assert time.monotonic() - started < 10


async def test_a_read_waits_for_the_decision(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    response, _ = await asyncio.gather(
        customer.get(f"/orders/{order_id}", params={"wait": 10}), confirm_soon(orders, order_id)
    )
    assert (response.status_code, response.json()["status"]) == (200, "confirmed")


async def test_a_read_of_a_decided_order_does_not_wait(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    await orders.deliver(rejected(order_id))
    started = time.monotonic()
    response = await customer.get(f"/orders/{order_id}", params={"wait": 10})
    assert (response.json()["status"], time.monotonic() - started < 10) == ("rejected", True)


async def test_a_conditional_read_waits_for_the_next_version(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    unchanged = await customer.get(f"/orders/{order_id}", headers={"If-None-Match": '"1"'}, params={"wait": 1})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", '"1"')

    async def reserve_soon() -> None:
        await asyncio.sleep(0.1)
        await orders.deliver(reserved(order_id))

    changed, _ = await asyncio.gather(
        customer.get(f"/orders/{order_id}", headers={"If-None-Match": '"1"'}, params={"wait": 10}), reserve_soon()
    )
    assert (changed.status_code, changed.json()["status"], changed.headers["etag"]) == (200, "reserved", '"2"')


class CountingDatabase(Database):
    """Counts who reads."""

    readers = 0

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        self.readers += 1
        async with super().reader() as reader:
            yield reader


async def test_many_waiters_cost_one_query_at_a_time_and_none_when_all_have_gone(
    database_url: str, orders: OrdersDatabase
) -> None:
    database = CountingDatabase(database_url)
    await database.open()
    watcher = OrderWatcher(database, 0.05, asyncio.Event())
    order_ids = [await orders.place() for _ in range(5)]
    waiting = [asyncio.create_task(watcher.wait(order_ids[i % 5], is_decided, 60)) for i in range(100)]
    await asyncio.sleep(0.5)
    for order_id in order_ids:
        await orders.deliver(rejected(order_id))
    glimpses = await asyncio.gather(*waiting)
    assert all(glimpse is not None and glimpse.version == 2 for glimpse in glimpses)
    assert database.readers < 25
    asked = database.readers
    await asyncio.sleep(0.3)
    assert database.readers <= asked + 1
    await database.close()


async def test_waiting_goes_on_while_the_database_is_away() -> None:
    away = Database("postgresql://postgres@127.0.0.1:1/none")
    await away.open()
    watcher = OrderWatcher(away, 0.05, asyncio.Event())
    started = time.monotonic()
    assert await watcher.wait(uuid4(), is_decided, 0.7) is None
    assert time.monotonic() - started > 0.6
    await away.close()


async def test_a_stopping_process_sends_everybody_away(database: Database, orders: OrdersDatabase) -> None:
    stopping = asyncio.Event()
    watcher = OrderWatcher(database, 0.05, stopping)
    order_id = await orders.place()
    waiting = asyncio.create_task(watcher.wait(order_id, is_decided, 300))
    await asyncio.sleep(0.1)
    stopping.set()
    assert await asyncio.wait_for(waiting, 30) is None
    assert await watcher.wait(order_id, is_decided, 300) is None


class SilentDatabase(Database):
    """Takes questions and does not answer."""

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        await asyncio.sleep(300)
        async with super().reader() as reader:
            yield reader


async def test_a_stop_does_not_wait_for_a_database_that_is_silent(database_url: str) -> None:
    stopping = asyncio.Event()
    watcher = OrderWatcher(SilentDatabase(database_url), 0.05, stopping)
    waiting = asyncio.create_task(watcher.wait(uuid4(), is_decided, 300))
    await asyncio.sleep(0.1)
    stopping.set()
    assert await asyncio.wait_for(waiting, 30) is None
