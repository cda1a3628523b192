"""Orders that inventory has not answered in time expire, once each, however many workers sweep."""

import asyncio
from datetime import timedelta

from orders import use_cases
from orders.states import Status
from orders.sweepers import expire_overdue_orders
from tests.integration.orders.conftest import OrdersDatabase

OVERDUE = timedelta(seconds=-1)


async def test_an_overdue_pending_order_expires(orders: OrdersDatabase) -> None:
    overdue, in_time = await orders.place(lifetime=OVERDUE), await orders.place()
    await expire_overdue_orders(orders.database)
    assert (await orders.order(overdue)).status is Status.EXPIRED
    assert (await orders.order(in_time)).status is Status.PENDING
    assert await orders.published(overdue) == [("order.placed", 1), ("order.expired", 2)]


async def test_many_sweepers_expire_each_order_once(orders: OrdersDatabase) -> None:
    placed = [await orders.place(lifetime=OVERDUE) for _ in range(use_cases.EXPIRE_BATCH_ORDERS + 20)]
    await asyncio.gather(*(expire_overdue_orders(orders.database) for _ in range(4)))
    # What another sweeper held was passed by; nothing else is left.
    await expire_overdue_orders(orders.database)
    for order_id in placed:
        assert await orders.published(order_id) == [("order.placed", 1), ("order.expired", 2)]


async def test_a_sweeper_does_not_wait_for_an_order_that_is_being_decided(orders: OrdersDatabase) -> None:
    order_id = await orders.place(lifetime=OVERDUE)
    async with orders.database.unit_of_work() as uow:
        await use_cases.reject_order(uow, order_id, "out_of_stock", None)
        await asyncio.wait_for(expire_overdue_orders(orders.database), 30)
    assert (await orders.order(order_id)).status is Status.REJECTED
