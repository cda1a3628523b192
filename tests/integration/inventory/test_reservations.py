"""Reserving, committing and giving back, one message at a time: numbers, ledger and published messages."""

from uuid import uuid4

import asyncpg
import pytest

from inventory import demo, use_cases
from inventory.consumers import HANDLERS
from inventory.events import InventoryReserved, OrderCancelled, OrderExpired, OrderPlaced, OrderRefunded, OrderReserved
from inventory.use_cases import Terms
from platform_sdk.runtime.testing import HandlerHarness
from tests.integration.inventory.warehouse import Warehouse, event_of, placed


async def test_order_holds_all_items_at_the_price_of_the_moment(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10, price=250)
    await warehouse.stock_item("POT", 10, price=1000)
    order = placed({"POT": 2, "CUP": 4})

    await warehouse.handle(order)

    assert await warehouse.stock_of("CUP") == (6, 4, 0)
    assert await warehouse.stock_of("POT") == (8, 2, 0)
    (event,) = await warehouse.published("inventory.%")
    assert event["type"] == "inventory.reserved"
    assert event["items"] == [
        {"sku": "CUP", "quantity": 4, "unit_price": 250},
        {"sku": "POT", "quantity": 2, "unit_price": 1000},
    ]
    assert (event["currency"], event["total"]) == ("EUR", 3000)
    await warehouse.assert_ledger_agrees()


async def test_hold_is_sold_by_a_commit_and_restocked_by_a_refund(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10)
    order = placed({"CUP": 4})
    await warehouse.handle(order)

    await warehouse.handle(OrderReserved(order_id=order.order_id))
    assert await warehouse.stock_of("CUP") == (6, 0, 4)
    await warehouse.handle(OrderRefunded(order_id=order.order_id))

    assert await warehouse.stock_of("CUP") == (10, 0, 0)
    assert await warehouse.status_of(order.order_id) == "returned"
    kinds = [event["type"] for event in await warehouse.published("inventory.%", order.order_id)]
    assert kinds == ["inventory.reserved", "inventory.committed", "inventory.released"]
    await warehouse.assert_ledger_agrees()


async def test_one_short_item_rejects_the_whole_order(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10)
    await warehouse.stock_item("POT", 1)
    order = placed({"CUP": 1, "POT": 2})

    await warehouse.handle(order)

    assert await warehouse.stock_of("CUP") == (10, 0, 0)
    (event,) = await warehouse.published("inventory.%")
    assert (event["type"], event["reason"]) == ("inventory.rejected", "out_of_stock")
    assert event["shortages"] == [{"sku": "POT", "requested": 2, "available": 1}]
    await warehouse.assert_ledger_agrees()


async def test_rejected_order_is_not_served_when_it_arrives_again_after_a_delivery(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 0)
    order = placed({"CUP": 1})
    await warehouse.handle(order)
    async with warehouse.database.unit_of_work() as uow:
        await use_cases.adjust_stock(uow, warehouse.terms, "CUP", delta=5, reason="delivery")

    await warehouse.handle(order)

    assert await warehouse.stock_of("CUP") == (5, 0, 0)
    assert await warehouse.status_of(order.order_id) == "rejected"
    assert len(await warehouse.published("inventory.%")) == 1


@pytest.mark.parametrize(
    ("items", "currency", "reason"),
    [
        ({"NOT-THERE": 1, "CUP": 1}, None, "unknown_sku"),
        ({"ARCHIVED": 1}, None, "unknown_sku"),
        ({"CUP": 1}, "USD", "currency_mismatch"),
        ({"CUP": 1, "YEN-CUP": 1}, None, "currency_mismatch"),
        ({"CUP": 11}, "EUR", "out_of_stock"),
        ({"CUP": 2**31 - 1}, "EUR", "out_of_stock"),
    ],
)
async def test_order_is_rejected_with_its_reason(
    warehouse: Warehouse, items: dict[str, int], currency: str | None, reason: str
) -> None:
    await warehouse.stock_item("CUP", 10)
    await warehouse.stock_item("YEN-CUP", 10, currency="JPY")
    await warehouse.stock_item("ARCHIVED", 10)
    async with warehouse.database.unit_of_work() as uow:
        await use_cases.archive_item(uow, warehouse.terms, "ARCHIVED", guard=lambda item: None)

    await warehouse.handle(placed(items, currency=currency))

    (event,) = await warehouse.published("inventory.%")
    assert (event["type"], event["reason"]) == ("inventory.rejected", reason)
    assert await warehouse.stock_of("CUP") == (10, 0, 0)
    assert await warehouse.stock_of("ARCHIVED") == (10, 0, 0)


async def test_lines_of_the_same_sku_are_one(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10)
    twice = OrderPlaced.model_validate({"order_id": uuid4(), "items": [{"sku": "CUP", "quantity": 3}] * 2})

    await warehouse.handle(twice)

    assert await warehouse.stock_of("CUP") == (4, 6, 0)


async def test_order_that_is_cancelled_before_it_arrives_never_holds_stock(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10)
    order = placed({"CUP": 1})

    await warehouse.handle(OrderCancelled(order_id=order.order_id))
    await warehouse.handle(order)
    await warehouse.handle(OrderExpired(order_id=order.order_id))

    assert await warehouse.stock_of("CUP") == (10, 0, 0)
    kinds = [event["type"] for event in await warehouse.published("inventory.%")]
    assert kinds == ["inventory.released"]


async def test_expired_hold_is_released_by_the_sweeper_and_a_late_commit_is_ignored(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10)
    order, fresh = placed({"CUP": 3}), placed({"CUP": 1})
    await warehouse.handle(order)
    await warehouse.handle(fresh)
    await warehouse.let_hold_expire(order.order_id)

    assert await warehouse.sweep() == 1
    assert await warehouse.sweep() == 0
    await warehouse.handle(OrderReserved(order_id=order.order_id))

    assert await warehouse.stock_of("CUP") == (9, 1, 0)
    released = await warehouse.published("inventory.released")
    assert [(event["order_id"], event["reason"]) for event in released] == [(str(order.order_id), "expired")]
    await warehouse.assert_ledger_agrees()


async def test_sweeper_adds_up_holds_that_share_a_sku(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10)
    await warehouse.stock_item("POT", 10)
    for items in ({"CUP": 1, "POT": 2}, {"CUP": 3}, {"POT": 4}):
        order = placed(items)
        await warehouse.handle(order)
        await warehouse.let_hold_expire(order.order_id)

    assert await warehouse.sweep() == 3

    assert await warehouse.stock_of("CUP") == await warehouse.stock_of("POT") == (10, 0, 0)
    await warehouse.assert_ledger_agrees()


async def test_falling_stock_is_reported_once_when_it_crosses_the_threshold(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 8)
    for quantity in (2, 1, 1):
        await warehouse.handle(placed({"CUP": quantity}))
    async with warehouse.database.unit_of_work() as uow:
        await use_cases.adjust_stock(uow, Terms(low_stock_threshold=3), "CUP", delta=-2, reason="breakage")

    reports = [(event["available"], event["threshold"]) for event in await warehouse.published("stock.low")]

    assert reports == [(5, 5), (2, 3)]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE stock_movements SET delta_available = 7", "DELETE FROM stock_movements", "TRUNCATE stock_movements"],
)
async def test_ledger_is_append_only(warehouse: Warehouse, statement: str) -> None:
    await warehouse.stock_item("CUP", 8)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await warehouse.execute(statement)


@pytest.mark.parametrize("column", ["available", "reserved", "sold"])
async def test_database_itself_refuses_negative_stock(warehouse: Warehouse, column: str) -> None:
    await warehouse.stock_item("CUP", 0)

    with pytest.raises(asyncpg.CheckViolationError):
        await warehouse.execute(f"UPDATE stock SET {column} = -1")


async def test_discrepancies_show_stock_that_the_ledger_does_not_explain(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 8)
    await warehouse.execute("UPDATE stock SET available = available + 1")

    with pytest.raises(AssertionError):
        await warehouse.assert_ledger_agrees()


async def test_demo_catalogue_is_added_once_and_agrees_with_the_ledger(warehouse: Warehouse) -> None:
    async with warehouse.database.unit_of_work() as uow:
        assert await demo.fill(uow) == len(demo.CATALOGUE) >= 36
    async with warehouse.database.unit_of_work() as uow:
        assert await demo.fill(uow) == 0

    await warehouse.assert_ledger_agrees()
    await warehouse.handle(event_of("placed", uuid4(), {"KETTLE-STEEL-17L": 1}))
    assert await warehouse.stock_of("KETTLE-STEEL-17L") == (59, 1, 0)


async def test_message_that_is_delivered_again_is_not_handled_again(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10, price=250)
    harness = HandlerHarness(warehouse.database, HANDLERS, consumer="inventory")
    order = placed({"CUP": 2})

    published = await harness.when(order)

    assert published.only(InventoryReserved).total == 500
    assert (await harness.deliver_again()).types == []
    assert await warehouse.stock_of("CUP") == (8, 2, 0)


async def test_messages_of_a_reservation_carry_its_version(warehouse: Warehouse) -> None:
    await warehouse.stock_item("CUP", 10)
    harness = HandlerHarness(warehouse.database, HANDLERS, consumer="inventory")
    order_id = uuid4()

    published = [
        event
        for step in ("placed", "reserved", "refunded")
        for event in await harness.when(event_of(step, order_id, {"CUP": 1}))
    ]

    assert [event.aggregate_version for event in published] == [1, 2, 3]
    assert {event.aggregate_id for event in published} == {published[0].data["reservation_id"]}
