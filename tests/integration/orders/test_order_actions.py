"""Cancel, pay, ship, deliver and refund: which transitions are legal, and how the others are answered."""

from uuid import UUID, uuid4

from orders.consumers import InventoryCommitted
from tests.integration.orders.conftest import OrdersDatabase
from tests.integration.orders.serving import Api
from tests.integration.orders.test_order_messages import assert_consistent, rejected, reserved


async def confirm(orders: OrdersDatabase, order_id: UUID) -> None:
    await orders.deliver(reserved(order_id))
    await orders.deliver(InventoryCommitted(order_id=order_id))


async def test_the_whole_way_to_delivery(api: Api, orders: OrdersDatabase) -> None:
    order_id = await api.customer().place_one()
    await confirm(orders, order_id)
    admin = api.admin()
    for action, status in (("pay", "paid"), ("ship", "shipped"), ("deliver", "delivered")):
        response = await admin.post(f"/orders/{order_id}/{action}")
        assert (response.status_code, response.json()["status"]) == (200, status)
    assert await assert_consistent(orders, order_id) == "delivered"
    statuses = [step["status"] for step in response.json()["status_history"]]
    assert statuses == ["pending", "reserved", "confirmed", "paid", "shipped", "delivered"]


async def test_a_paid_order_is_refunded(api: Api, orders: OrdersDatabase) -> None:
    order_id = await api.customer().place_one()
    await confirm(orders, order_id)
    admin = api.admin()
    await admin.post(f"/orders/{order_id}/pay")
    assert (await admin.post(f"/orders/{order_id}/refund")).json()["status"] == "refunded"
    assert (await orders.published(order_id))[-1] == ("order.refunded", 5)


async def test_cancelling_twice_changes_nothing_more(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    first, second = [await customer.post(f"/orders/{order_id}/cancel") for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert (first.json()["status"], first.json()["reason"]) == ("cancelled", "customer")
    assert await orders.published(order_id) == [("order.placed", 1), ("order.cancelled", 2)]


async def test_an_illegal_transition_is_a_409_that_names_both_ends(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    await orders.deliver(rejected(order_id))
    response = await customer.post(f"/orders/{order_id}/cancel")
    assert (response.status_code, response.headers["content-type"]) == (409, "application/problem+json")
    problem = response.json()
    assert (problem["type"], problem["from"], problem["to"]) == (
        "/problems/illegal-transition",
        "rejected",
        "cancelled",
    )


async def test_if_match_is_honoured(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    await orders.deliver(reserved(order_id))
    stale = await customer.post(f"/orders/{order_id}/cancel", headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    fresh = await customer.post(f"/orders/{order_id}/cancel", headers={"If-Match": '"2"'})
    assert (fresh.status_code, fresh.headers["etag"]) == (200, '"3"')


async def test_an_action_with_a_key_is_replayed(api: Api, orders: OrdersDatabase) -> None:
    order_id = await api.customer().place_one()
    await confirm(orders, order_id)
    admin, headers = api.admin(), {"Idempotency-Key": str(uuid4())}
    first, second = [await admin.post(f"/orders/{order_id}/pay", headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert (first.content, second.headers["idempotency-replayed"]) == (second.content, "true")
    again = await admin.post(f"/orders/{order_id}/pay")
    assert (again.status_code, again.json()["from"]) == (409, "paid")


async def test_one_key_cancels_one_order_only(api: Api) -> None:
    customer, headers = api.customer(), {"Idempotency-Key": str(uuid4())}
    first, second = await customer.place_one(), await customer.place_one()
    assert (await customer.post(f"/orders/{first}/cancel", headers=headers)).status_code == 200
    assert (await customer.post(f"/orders/{second}/cancel", headers=headers)).status_code == 422
    assert (await customer.get(f"/orders/{second}")).json()["status"] == "pending"
