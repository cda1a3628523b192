"""Many transactions at once on the same stock: never oversold, never in a circle, and not in a crawl."""

import asyncio
import random

from inventory import use_cases
from inventory.errors import HasActiveHolds, InsufficientStock, UnknownItem
from tests.integration.inventory.warehouse import Warehouse, event_of, placed

ORDERS, STOCK = 200, 50


async def test_two_hundred_orders_for_fifty_reserve_exactly_fifty(warehouse: Warehouse) -> None:
    await warehouse.stock_item("HOT", STOCK)
    orders = [placed({"HOT": 1}) for _ in range(ORDERS)]

    # It takes half a second; a convoy behind the one hot row would take several lock timeouts.
    async with asyncio.timeout(60):
        await asyncio.gather(*(warehouse.handle(order) for order in orders))

    assert await warehouse.statuses() == {"held": STOCK, "rejected": ORDERS - STOCK}
    assert await warehouse.stock_of("HOT") == (0, STOCK, 0)
    assert len(await warehouse.published("inventory.reserved")) == STOCK
    assert len(await warehouse.published("inventory.rejected")) == ORDERS - STOCK
    await warehouse.assert_ledger_agrees()


async def test_orders_that_name_the_same_items_in_any_order_never_deadlock(warehouse: Warehouse) -> None:
    skus = ["A", "B", "C", "D", "E"]
    for sku in skus:
        await warehouse.stock_item(sku, 60)
    chance = random.Random(1)

    async def saga() -> None:
        items = {sku: chance.randint(1, 2) for sku in chance.sample(skus, 3)}
        order = placed(items)
        await warehouse.handle(order)
        if chance.random() < 0.3:
            await warehouse.let_hold_expire(order.order_id)
            await warehouse.sweep()
        await warehouse.handle(event_of(chance.choice(["reserved", "cancelled"]), order.order_id, items))

    await asyncio.gather(*(saga() for _ in range(150)))

    await warehouse.assert_ledger_agrees()
    assert (await warehouse.statuses())["held"] == 0


async def test_counting_down_and_ordering_at_once_sells_each_unit_once(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 20)

    async def lose_one() -> bool:
        try:
            async with warehouse.database.unit_of_work() as uow:
                await use_cases.adjust_stock(uow, warehouse.terms, "CUP", delta=-1, reason="breakage")
        except InsufficientStock:
            return False
        return True

    async def order_one() -> bool:
        order = placed({"CUP": 1})
        await warehouse.handle(order)
        return await warehouse.status_of(order.order_id) == "held"

    outcomes = await asyncio.gather(*(work() for _ in range(20) for work in (lose_one, order_one)))

    lost, held = sum(outcomes[::2]), sum(outcomes[1::2])
    assert lost + held == 20
    assert await warehouse.stock_of("CUP") == (0, held, 0)
    await warehouse.assert_ledger_agrees()


async def test_item_is_archived_once(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 5)

    async def archive() -> bool:
        try:
            async with warehouse.database.unit_of_work() as uow:
                await use_cases.archive_item(uow, warehouse.terms, "CUP", guard=lambda item: None)
        except UnknownItem:
            return False
        return True

    assert sum(await asyncio.gather(*(archive() for _ in range(5)))) == 1


async def test_item_that_is_archived_while_orders_arrive_keeps_no_hold(warehouse: Warehouse) -> None:
    async def archive(sku: str) -> bool:
        try:
            async with warehouse.database.unit_of_work() as uow:
                await use_cases.archive_item(uow, warehouse.terms, sku, guard=lambda item: None)
        except HasActiveHolds:
            return False
        return True

    for number in range(20):
        sku = f"CUP-{number}"
        await warehouse.stock_item(sku, 5)
        archived, *_ = await asyncio.gather(archive(sku), *(warehouse.handle(placed({sku: 1})) for _ in range(3)))
        assert await warehouse.stock_of(sku) == ((5, 0, 0) if archived else (2, 3, 0))


async def test_same_order_placed_many_times_at_once_is_served_once(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 100)
    order = placed({"CUP": 3})

    await asyncio.gather(*(warehouse.handle(order) for _ in range(20)))

    assert await warehouse.stock_of("CUP") == (97, 3, 0)
    assert len(await warehouse.published("inventory.%")) == 1
