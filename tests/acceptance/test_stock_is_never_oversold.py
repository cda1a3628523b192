"""Two hundred customers want the last fifty."""

import asyncio
from collections import Counter

import httpx

from tests.support.shop import Json, Shopper, sign_up, stock_item

ORDERS, STOCK, SHOPPERS = 200, 50, 4


async def test_two_hundred_orders_for_fifty_sell_exactly_fifty(http: httpx.AsyncClient, admin: Shopper) -> None:
    sku = await stock_item(admin, STOCK)
    shoppers = [await sign_up(http, f"crowd{number}") for number in range(SHOPPERS)]
    lowest = STOCK

    async def order(number: int) -> Json:
        shopper = shoppers[number % SHOPPERS]
        placed = await shopper.place_for_sure({sku: 1})
        return await shopper.decided(placed["id"])

    async def watch() -> None:
        nonlocal lowest
        while True:
            lowest = min(lowest, (await http.get(f"/inventory/items/{sku}")).json()["available"])
            await asyncio.sleep(0.1)

    watcher = asyncio.create_task(watch())
    orders = await asyncio.gather(*(order(number) for number in range(ORDERS)))
    watcher.cancel()

    assert Counter(order["status"] for order in orders) == {"confirmed": STOCK, "rejected": ORDERS - STOCK}
    assert lowest >= 0
    item = (await http.get(f"/inventory/items/{sku}")).json()
    assert (item["available"], item["reserved"]) == (0, 0)
    movements = await all_movements(admin, sku)
    assert sum(movement["delta_available"] for movement in movements) == 0
    assert sum(movement["delta_reserved"] for movement in movements) == 0
    assert Counter(movement["kind"] for movement in movements) == {"adjustment": 1, "reserve": STOCK, "commit": STOCK}


async def all_movements(admin: Shopper, sku: str) -> list[Json]:
    """The whole ledger of an article, page by page."""
    path = f"/inventory/items/{sku}/movements?limit=100"
    page = await admin.get(path)
    movements: list[Json] = page["data"]
    while page["next_cursor"]:
        page = await admin.get(f"{path}&cursor={page['next_cursor']}")
        movements += page["data"]
    return movements
