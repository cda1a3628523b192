"""POST /orders: accepted once for each Idempotency-Key, whatever is sent how often."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from orders.consumers import UserDisabled
from orders.schemas import OrderOut
from tests.integration.orders.conftest import OrdersDatabase
from tests.integration.orders.serving import TEA, Api


async def test_an_order_is_accepted_as_pending(api: Api) -> None:
    customer = api.customer()
    address_id = str(uuid4())
    body = {"items": [{"sku": "TEA", "quantity": 2}, {"sku": "CUP", "quantity": 1}, {"sku": "TEA", "quantity": 1}]}
    response = await customer.place({**body, "currency": "EUR", "address_id": address_id, "note": "Klingel: Müller"})
    assert response.status_code == 202
    order = response.json()
    assert response.headers["location"] == f"/orders/{order['id']}"
    assert response.headers["etag"] == '"1"'
    assert response.headers["retry-after"] == "1"
    assert (order["status"], order["version"], order["user_id"]) == ("pending", 1, str(customer.user_id))
    assert order["items"] == [
        {"sku": "TEA", "quantity": 3, "unit_price": None},
        {"sku": "CUP", "quantity": 1, "unit_price": None},
    ]
    assert (order["currency"], order["total"]) == ("EUR", None)
    assert (order["address_id"], order["note"]) == (address_id, "Klingel: Müller")
    assert [step["status"] for step in order["status_history"]] == ["pending"]


async def test_what_is_read_afterwards_is_what_was_answered(api: Api) -> None:
    customer = api.customer()
    placed = await customer.place()
    read = await customer.get(placed.headers["location"])
    assert (read.status_code, read.content, read.headers["etag"]) == (200, placed.content, placed.headers["etag"])
    OrderOut.model_validate_json(read.content, strict=True, extra="forbid")


async def test_a_replay_has_the_same_bytes(api: Api, orders: OrdersDatabase) -> None:
    customer, key = api.customer(), str(uuid4())
    first, second = [await customer.place(key=key) for _ in range(2)]
    assert (second.status_code, second.content) == (202, first.content)
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len((await customer.get("/orders")).json()["data"]) == 1


async def test_requests_with_one_key_at_the_same_time_place_one_order(api: Api) -> None:
    customer, key = api.customer(), str(uuid4())
    responses = await asyncio.gather(*(customer.place(key=key) for _ in range(8)))
    assert {response.content for response in responses} == {responses[0].content}
    assert {response.status_code for response in responses} == {202}
    assert len((await customer.get("/orders")).json()["data"]) == 1


async def test_a_key_that_belongs_to_another_body_is_refused(api: Api) -> None:
    customer, key = api.customer(), str(uuid4())
    await customer.place(key=key)
    other = await customer.place({"items": [{"sku": "CUP", "quantity": 1}]}, key=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_two_customers_may_use_the_same_key(api: Api) -> None:
    key = str(uuid4())
    first, second = await api.customer().place(key=key), await api.customer().place(key=key)
    assert first.status_code == second.status_code == 202
    assert first.json()["id"] != second.json()["id"]


async def test_without_a_key_nothing_is_placed(api: Api) -> None:
    customer = api.customer()
    response = await customer.post("/orders", json=TEA)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")
    assert (await customer.get("/orders")).json()["data"] == []


async def test_a_disabled_user_may_not_order_and_the_key_stays_free(api: Api, orders: OrdersDatabase) -> None:
    customer, key = api.customer(), str(uuid4())
    await orders.deliver(UserDisabled(user_id=customer.user_id))
    for _ in range(2):
        response = await customer.place(key=key)
        assert response.status_code == 403
        assert "idempotency-replayed" not in response.headers


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"items": []}, "#/items"),
        ({"items": [{"sku": "TEA", "quantity": 0}]}, "#/items/0/quantity"),
        ({"items": [{"sku": "TEA", "quantity": 1001}]}, "#/items/0/quantity"),
        ({"items": [{"sku": "TEA", "quantity": "1"}]}, "#/items/0/quantity"),
        ({"items": [{"sku": "TE\u0000A", "quantity": 1}]}, "#/items/0/sku"),
        ({**TEA, "status": "paid"}, "#/status"),
        ({**TEA, "currency": "euros"}, "#/currency"),
    ],
)
async def test_a_bad_body_is_reported_with_its_place(api: Api, body: dict[str, Any], pointer: str) -> None:
    response = await api.customer().place(body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
