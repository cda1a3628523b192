"""The saga as orders sees it: every message in every order, with duplicates, against a real database."""

import asyncio
import itertools
from uuid import UUID, uuid4

import pytest

from orders.consumers import (
    InventoryCommitted,
    InventoryRejected,
    InventoryReleased,
    InventoryReserved,
    ReservedItem,
    Shortage,
    UserDeleted,
    UserDisabled,
)
from orders.errors import UserDisabled as UserMayNotOrder
from orders.states import TRANSITIONS, Status, can_move
from platform_sdk.runtime.messaging.messages import Event
from tests.integration.orders.conftest import OrdersDatabase


def reserved(order_id: UUID, unit_price: int = 250) -> InventoryReserved:
    items = (ReservedItem(sku="TEA", unit_price=unit_price),)
    return InventoryReserved(order_id=order_id, reservation_id=uuid4(), items=items, currency="EUR", total=unit_price)


def rejected(order_id: UUID) -> InventoryRejected:
    shortage = Shortage(sku="TEA", requested=1, available=0)
    return InventoryRejected(order_id=order_id, reason="out_of_stock", shortages=(shortage,))


async def assert_consistent(orders: OrdersDatabase, order_id: UUID) -> Status:
    """Versions go up by one, every step is legal, and each has its message."""
    order = await orders.order(order_id)
    statuses = [step.status for step in order.history]
    assert order.version == len(statuses)
    assert statuses[-1] is order.status
    assert all(can_move(current, target) for current, target in itertools.pairwise(statuses))
    moments = [step.at for step in order.history]
    assert moments == sorted(moments)
    expected = [("order.placed" if status is Status.PENDING else f"order.{status}") for status in statuses]
    assert await orders.published(order_id) == list(zip(expected, range(1, order.version + 1), strict=True))
    return order.status


async def test_reserved_takes_over_the_prices_and_asks_for_the_commit(orders: OrdersDatabase) -> None:
    order_id = await orders.place("TEA")
    await orders.deliver(reserved(order_id, 250))
    order = await orders.order(order_id)
    assert (order.status, order.currency, order.total, order.items[0].unit_price) == (Status.RESERVED, "EUR", 250, 250)
    assert await orders.published(order_id) == [("order.placed", 1), ("order.reserved", 2)]


async def test_committed_confirms_the_order(orders: OrdersDatabase) -> None:
    order_id = await orders.place()
    await orders.deliver(reserved(order_id))
    await orders.deliver(InventoryCommitted(order_id=order_id))
    assert await assert_consistent(orders, order_id) is Status.CONFIRMED


async def test_rejected_reports_reason_and_shortages(orders: OrdersDatabase) -> None:
    order_id = await orders.place()
    await orders.deliver(rejected(order_id))
    order = await orders.order(order_id)
    assert (order.status, order.reason) == (Status.REJECTED, "out_of_stock")
    assert order.shortages == [{"sku": "TEA", "requested": 1, "available": 0}]
    assert order.total is None


@pytest.mark.parametrize(
    ("reason", "status"), [("expired", Status.EXPIRED), ("released_by_administrator", Status.CANCELLED)]
)
async def test_a_released_hold_ends_the_order(orders: OrdersDatabase, reason: str, status: Status) -> None:
    order_id = await orders.place()
    await orders.deliver(reserved(order_id))
    await orders.deliver(InventoryReleased(order_id=order_id, reason=reason))
    assert await assert_consistent(orders, order_id) is status


async def test_a_message_about_an_unknown_order_changes_nothing(orders: OrdersDatabase) -> None:
    stray = uuid4()
    for event in (
        reserved(stray),
        rejected(stray),
        InventoryCommitted(order_id=stray),
        InventoryReleased(order_id=stray, reason="expired"),
    ):
        await orders.deliver(event)
    assert await orders.published(stray) == []


async def test_reserved_and_committed_confirm_in_any_order_and_number(orders: OrdersDatabase) -> None:
    kinds = ("reserved", "committed") * 2
    for sequence in set(itertools.permutations(kinds)):
        order_id = await orders.place()
        events: dict[str, Event] = {"reserved": reserved(order_id), "committed": InventoryCommitted(order_id=order_id)}
        for kind in sequence:
            await orders.deliver(events[kind])
        assert await assert_consistent(orders, order_id) is Status.CONFIRMED, sequence


async def test_no_order_of_messages_with_duplicates_breaks_an_order(orders: OrdersDatabase) -> None:
    """All permutations of everything that inventory can say, some of it twice, and a user who is disabled between."""
    kinds = ("reserved", "rejected", "committed", "expired", "disabled")
    for sequence in set(itertools.permutations((*kinds, "reserved"))):
        user_id = uuid4()
        order_id = await orders.place(user_id=user_id)
        events: dict[str, Event] = {
            "reserved": reserved(order_id),
            "rejected": rejected(order_id),
            "committed": InventoryCommitted(order_id=order_id),
            "expired": InventoryReleased(order_id=order_id, reason="expired"),
            "disabled": UserDisabled(user_id=user_id),
        }
        for kind in sequence:
            await orders.deliver(events[kind])
        status = await assert_consistent(orders, order_id)
        assert status not in {Status.PENDING, Status.RESERVED}, sequence


async def test_messages_at_the_same_time_leave_one_outcome(orders: OrdersDatabase) -> None:
    for _ in range(10):
        order_id = await orders.place()
        await asyncio.gather(
            orders.deliver(reserved(order_id)),
            orders.deliver(rejected(order_id)),
            orders.deliver(InventoryReleased(order_id=order_id, reason="expired")),
            orders.deliver(InventoryCommitted(order_id=order_id)),
            orders.deliver(reserved(order_id)),
        )
        assert await assert_consistent(orders, order_id) in TRANSITIONS


@pytest.mark.parametrize("kind", [UserDisabled, UserDeleted])
async def test_a_disabled_users_open_orders_are_cancelled_and_no_new_one_is_taken(
    orders: OrdersDatabase, kind: type[UserDisabled] | type[UserDeleted]
) -> None:
    user_id = uuid4()
    pending, held, confirmed = [await orders.place(user_id=user_id) for _ in range(3)]
    others = await orders.place()
    await orders.deliver(reserved(held))
    await orders.deliver(reserved(confirmed))
    await orders.deliver(InventoryCommitted(order_id=confirmed))
    for _ in range(2):
        await orders.deliver(kind(user_id=user_id))
    statuses = [await assert_consistent(orders, order_id) for order_id in (pending, held, confirmed, others)]
    assert statuses == [Status.CANCELLED, Status.CANCELLED, Status.CONFIRMED, Status.PENDING]
    with pytest.raises(UserMayNotOrder):
        await orders.place(user_id=user_id)


async def test_an_order_that_slipped_past_its_disabled_user_is_cancelled_when_reserved(orders: OrdersDatabase) -> None:
    user_id = uuid4()
    order_id = await orders.place(user_id=user_id)
    async with orders.database.unit_of_work() as uow:
        await uow.execute("INSERT INTO disabled_users (user_id, version, state) VALUES ($1, 2, 'disabled')", user_id)
    await orders.deliver(reserved(order_id))
    assert await assert_consistent(orders, order_id) is Status.CANCELLED
