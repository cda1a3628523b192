"""Reservations over HTTP: for services and administrators, all or nothing, and safe to repeat."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.inventory.serving import Api
from tests.integration.inventory.warehouse import Warehouse


def wanted(**items: int) -> dict[str, Any]:
    return {"order_id": str(uuid4()), "items": [{"sku": sku, "quantity": it} for sku, it in items.items()]}


@pytest.fixture
async def stocked(api: Api) -> Api:
    await api.admin.stock_item("CUP", 10, price=250)
    await api.admin.stock_item("POT", 2, price=1000)
    return api


async def test_reservation_holds_all_items_and_can_be_read(stocked: Api) -> None:
    made = await stocked.service.post("/reservations", wanted(CUP=4, POT=1) | {"ttl_seconds": 60})

    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["status"], body["total"], body["currency"]) == ("held", 2000, "EUR")
    assert [(line["sku"], line["quantity"], line["unit_price"]) for line in body["items"]] == [
        ("CUP", 4, 250),
        ("POT", 1, 1000),
    ]
    read = await stocked.admin.get(made.headers["location"].removeprefix("/inventory"))
    assert read.json() == body
    item = (await stocked.anybody.get("/items/CUP")).json()
    assert (item["available"], item["reserved"]) == (6, 4)


async def test_shortage_holds_nothing_and_leaves_the_order_free_to_try_again(stocked: Api) -> None:
    body = wanted(CUP=1, POT=3)

    refused = await stocked.service.post("/reservations", body)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/insufficient-stock")
    assert refused.json()["shortages"] == [{"sku": "POT", "requested": 3, "available": 2}]
    unknown = await stocked.service.post("/reservations", wanted(CUP=1, NONE=1))
    assert (unknown.status_code, unknown.json()["skus"]) == (404, ["NONE"])
    assert (await stocked.anybody.get("/items/CUP")).json()["available"] == 10
    await stocked.admin.post("/items/POT/adjustments", {"delta": 1, "reason": "delivery"})

    assert (await stocked.service.post("/reservations", body)).status_code == 201


async def test_mixed_currencies_are_refused(stocked: Api) -> None:
    await stocked.admin.stock_item("YEN-CUP", 5, currency="JPY")

    refused = await stocked.service.post("/reservations", wanted(**{"CUP": 1, "YEN-CUP": 1}))

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/currency-mismatch")


async def test_repeated_reservation_is_found_again_and_other_items_are_refused(stocked: Api) -> None:
    body = wanted(CUP=4)
    made = await stocked.service.post("/reservations", body)

    again = await stocked.service.post("/reservations", body)
    other = await stocked.service.post("/reservations", wanted(CUP=5) | {"order_id": body["order_id"]})

    assert (again.status_code, again.json()) == (200, made.json())
    assert (other.status_code, other.json()["type"]) == (409, "/problems/reservation-exists")
    assert (await stocked.anybody.get("/items/CUP")).json()["reserved"] == 4


async def test_commit_and_release_can_be_repeated_but_not_mixed(stocked: Api) -> None:
    first = (await stocked.service.post("/reservations", wanted(CUP=4))).json()["id"]
    second = (await stocked.service.post("/reservations", wanted(CUP=4))).json()["id"]

    async def act(reservation_id: str, action: str) -> tuple[int, str]:
        answer = await stocked.service.post(f"/reservations/{reservation_id}/{action}")
        return answer.status_code, answer.json().get("status") if answer.is_success else answer.json()["type"]

    assert [await act(first, "commit") for _ in range(2)] == [(200, "committed")] * 2
    assert await act(first, "release") == (409, "/problems/illegal-state")
    assert [await act(second, "release") for _ in range(2)] == [(200, "released")] * 2
    assert await act(second, "commit") == (409, "/problems/illegal-state")
    assert await act(str(uuid4()), "commit") == (404, "/problems/not-found")
    assert await act(str(uuid4()), "release") == (404, "/problems/not-found")
    assert await Warehouse(stocked.database).stock_of("CUP") == (6, 0, 4)
    ended = await stocked.service.post("/reservations", wanted(CUP=4) | {"order_id": await order_of(stocked, second)})
    assert (ended.status_code, ended.json()["type"]) == (409, "/problems/illegal-state")
    await Warehouse(stocked.database).assert_ledger_agrees()


async def order_of(api: Api, reservation_id: str) -> str:
    order_id: str = (await api.service.get(f"/reservations/{reservation_id}")).json()["order_id"]
    return order_id


async def test_expired_hold_cannot_be_committed(stocked: Api) -> None:
    warehouse = Warehouse(stocked.database)
    made = (await stocked.service.post("/reservations", wanted(CUP=4))).json()
    await warehouse.execute("UPDATE reservations SET expires_at = now()")
    await warehouse.sweep()

    late = await stocked.service.post(f"/reservations/{made['id']}/commit")

    assert (late.status_code, late.json()["type"]) == (409, "/problems/expired")
    assert await warehouse.stock_of("CUP") == (10, 0, 0)


async def test_reservations_are_not_for_customers(api: Api) -> None:
    one = f"/reservations/{uuid4()}"
    for method, path in (
        ("POST", "/reservations"),
        ("GET", one),
        ("POST", f"{one}/commit"),
        ("POST", f"{one}/release"),
    ):
        assert (await api.anybody.request(method, path)).status_code == 401, (method, path)
        assert (await api.customer.request(method, path)).status_code == 403, (method, path)


async def test_malformed_reservation_is_refused(stocked: Api) -> None:
    changes: list[dict[str, Any]] = [
        {"items": []},
        {"items": [{"sku": "CUP", "quantity": 0}]},
        {"items": [{"sku": "CUP", "quantity": 2**63}]},
        {"items": [{"sku": "CUP", "quantity": 1}] * 101},
        {"ttl_seconds": 0},
        {"order_id": "7"},
    ]
    for change in changes:
        refused = await stocked.service.post("/reservations", wanted(CUP=1) | change)
        assert refused.status_code == 422, change
