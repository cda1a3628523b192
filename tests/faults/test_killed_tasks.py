"""kill -9 of workers and API tasks under load: no order lost, none doubled, every one decided."""

import asyncio
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from tests.acceptance.test_stock_is_never_oversold import all_movements
from tests.support.local_stack import LocalStack
from tests.support.shop import Json, Shopper, sign_up, stock_item

ORDERS = 80


async def all_orders(shopper: Shopper) -> list[Json]:
    page = await shopper.get("/orders?limit=100")
    orders: list[Json] = page["data"]
    while page["next_cursor"]:
        page = await shopper.get(f"/orders?limit=100&cursor={page['next_cursor']}")
        orders += page["data"]
    return orders


async def order_under_fire(shopper: Shopper, sku: str, fire: Callable[[], object]) -> list[Json]:
    """Places ORDERS orders as a careful client while `fire` runs three times, and returns them decided."""

    async def fire_three_times() -> None:
        for _ in range(3):
            await asyncio.sleep(0.6)
            await asyncio.to_thread(fire)

    async def order(number: int) -> Json:
        await asyncio.sleep(number * 0.03)
        placed = await shopper.place_for_sure({sku: 1}, deadline_seconds=90)
        return await shopper.decided(placed["id"], deadline_seconds=120)

    firing = asyncio.create_task(fire_three_times())
    orders = await asyncio.gather(*(order(number) for number in range(ORDERS)))
    await firing
    return list(orders)


WORKERS = [("inventory", "worker"), ("orders", "worker"), ("inventory", "worker")]
API_TASKS = [("orders", "api"), ("inventory", "api"), ("orders", "api")]


@pytest.mark.parametrize("victims", [WORKERS, API_TASKS], ids=["workers", "api tasks"])
async def test_nothing_is_lost_or_doubled_when_tasks_are_killed(
    local_stack: LocalStack, http: httpx.AsyncClient, admin: Shopper, victims: list[tuple[str, str]]
) -> None:
    stock = ORDERS // 2
    sku = await stock_item(admin, stock)
    shopper = await sign_up(http, "careful")
    left = iter(victims)

    orders = await order_under_fire(shopper, sku, lambda: local_stack.kill_task(*next(left)))

    local_stack.wait_until_healthy()
    assert Counter(order["status"] for order in orders) == {"confirmed": stock, "rejected": ORDERS - stock}
    assert Counter(order["id"] for order in await all_orders(shopper)) == Counter(order["id"] for order in orders)
    kinds = Counter(movement["kind"] for movement in await all_movements(admin, sku))
    assert kinds == {"adjustment": 1, "reserve": stock, "commit": stock}
    item = (await http.get(f"/inventory/items/{sku}")).json()
    assert (item["available"], item["reserved"]) == (0, 0)
