"""GET /orders: your own, newest first, in pages; administrators see all."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from orders.schemas import OrderOut
from platform_sdk.runtime.http.inputs import Page
from tests.integration.orders.conftest import OrdersDatabase
from tests.integration.orders.serving import Api
from tests.integration.orders.test_order_messages import rejected


async def test_pages_hold_all_own_orders_newest_first(api: Api) -> None:
    customer = api.customer()
    placed = [str(await customer.place_one()) for _ in range(5)]
    await api.customer().place_one()
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await customer.get("/orders", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        Page[OrderOut].model_validate_json(page.content, strict=True, extra="forbid")
        found += [order["id"] for order in page.json()["data"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert found == placed[::-1]


async def test_filters_by_status_and_time(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    first, second = await customer.place_one(), await customer.place_one()
    await orders.deliver(rejected(first))
    by_status = await customer.get("/orders", params={"status": "rejected"})
    assert [order["id"] for order in by_status.json()["data"]] == [str(first)]
    moment = (await orders.order(second)).created_at.isoformat()
    since = await customer.get("/orders", params={"from": moment})
    until = await customer.get("/orders", params={"to": moment})
    assert [order["id"] for order in since.json()["data"]] == [str(second)]
    assert [order["id"] for order in until.json()["data"]] == [str(first)]
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert (await customer.get("/orders", params={"from": later})).json() == {"data": [], "next_cursor": None}


async def test_an_administrator_sees_any_and_may_name_a_user(api: Api) -> None:
    customer, other, admin = api.customer(), api.customer(), api.admin()
    theirs, others = str(await customer.place_one()), str(await other.place_one())
    seen = {order["id"] for order in (await admin.get("/orders", params={"limit": 100})).json()["data"]}
    assert {theirs, others} <= seen
    named = await admin.get("/orders", params={"user_id": str(customer.user_id)})
    assert [order["id"] for order in named.json()["data"]] == [theirs]


async def test_a_customer_may_name_nobody_else(api: Api) -> None:
    customer, other = api.customer(), api.customer()
    await other.place_one()
    assert (await customer.get("/orders", params={"user_id": str(other.user_id)})).status_code == 403
    assert (await customer.get("/orders", params={"user_id": str(customer.user_id)})).json()["data"] == []


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "limit=0", "limit=101", "status=lost", "from=yesterday", f"user={UUID(int=1)}"]
)
async def test_a_bad_query_is_a_422(api: Api, query: str) -> None:
    assert (await api.customer().get(f"/orders?{query}")).status_code == 422
