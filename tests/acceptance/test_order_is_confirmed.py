"""What a customer sees: an order placed through the load balancer and confirmed by way of the queues."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from tests.support.shop import Shopper, fresh_sku, log_in, stock_item

ARTICLE_PRICE_MINOR_UNITS = 1250


async def test_order_is_confirmed_and_priced(admin: Shopper, shopper: Shopper) -> None:
    sku = await stock_item(admin, 5, price=ARTICLE_PRICE_MINOR_UNITS)
    placed = await shopper.place({sku: 2})
    assert placed.status_code == 202, placed.text
    body = placed.json()
    assert (body["status"], body["total"]) == ("pending", None)
    assert placed.headers["Location"] == f"/orders/{body['id']}"

    order = await shopper.decided(body["id"])

    assert order["status"] == "confirmed"
    assert (order["total"], order["currency"]) == (2 * ARTICLE_PRICE_MINOR_UNITS, "EUR")
    assert [step["status"] for step in order["status_history"]] == ["pending", "reserved", "confirmed"]
    item = (await admin.client.get(f"/inventory/items/{sku}")).json()
    assert (item["available"], item["reserved"]) == (3, 0)


async def test_replay_of_an_idempotency_key_gives_the_same_bytes(admin: Shopper, shopper: Shopper) -> None:
    sku = await stock_item(admin, 5)
    key = str(uuid4())
    first = await shopper.place({sku: 1}, key=key)
    await shopper.decided(first.json()["id"])

    replay = await shopper.place({sku: 1}, key=key)

    assert (replay.status_code, replay.content) == (first.status_code, first.content)
    assert replay.headers["Location"] == first.headers["Location"]
    assert replay.headers["Idempotency-Replayed"] == "true"
    orders = await shopper.get("/orders")
    assert [order["id"] for order in orders["data"]] == [first.json()["id"]]


async def test_same_key_with_another_body_is_refused(admin: Shopper, shopper: Shopper) -> None:
    sku = await stock_item(admin, 5)
    key = str(uuid4())
    assert (await shopper.place({sku: 1}, key=key)).status_code == 202

    refused = await shopper.place({sku: 2}, key=key)

    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert "idempotency-key-reused" in refused.json()["type"]


async def test_same_key_of_another_customer_is_another_order(
    admin: Shopper, two_shoppers: tuple[Shopper, Shopper]
) -> None:
    sku = await stock_item(admin, 5)
    key = str(uuid4())
    first, second = [await shopper.place({sku: 1}, key=key) for shopper in two_shoppers]
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]


async def test_prefer_wait_answers_with_the_decided_order_and_replays_it(admin: Shopper, shopper: Shopper) -> None:
    sku = await stock_item(admin, 5)
    key = str(uuid4())
    first = await shopper.place({sku: 1}, key=key, headers={"Prefer": "wait=10"})
    assert first.status_code == 201, first.text
    assert first.json()["status"] == "confirmed"

    replay = await shopper.place({sku: 1}, key=key, headers={"Prefer": "wait=10"})

    assert (replay.status_code, replay.content) == (201, first.content)


@pytest.mark.parametrize(("stock", "reason"), [(0, "out_of_stock"), (None, "unknown_sku")])
async def test_order_that_cannot_be_filled_is_rejected_with_its_reason(
    admin: Shopper, shopper: Shopper, stock: int | None, reason: str
) -> None:
    sku = fresh_sku() if stock is None else await stock_item(admin, stock)
    placed = await shopper.place({sku: 1})
    order = await shopper.decided(placed.json()["id"])
    assert (order["status"], order["reason"]) == ("rejected", reason)


async def test_cancelled_order_gives_its_stock_back(admin: Shopper, shopper: Shopper) -> None:
    sku = await stock_item(admin, 3)
    order_id = (await shopper.place({sku: 3})).json()["id"]
    assert (await shopper.decided(order_id))["status"] == "confirmed"

    cancelled = await shopper.request("POST", f"/orders/{order_id}/cancel")

    assert cancelled.status_code == 200, cancelled.text
    for _ in range(200):
        item = (await admin.client.get(f"/inventory/items/{sku}")).json()
        if item["available"] == 3:
            break
        await asyncio.sleep(0.05)
    assert (item["available"], item["reserved"]) == (3, 0)


async def test_administrator_pays_ships_and_delivers(admin: Shopper, shopper: Shopper) -> None:
    sku = await stock_item(admin, 1)
    order_id = (await shopper.place({sku: 1})).json()["id"]
    await shopper.decided(order_id)
    for step, status in (("pay", "paid"), ("ship", "shipped"), ("deliver", "delivered")):
        assert (await shopper.request("POST", f"/orders/{order_id}/{step}")).status_code == 403
        done = await admin.request("POST", f"/orders/{order_id}/{step}")
        assert (done.status_code, done.json()["status"]) == (200, status)
    assert (await shopper.request("POST", f"/orders/{order_id}/cancel")).status_code == 409


async def test_live_status_reports_every_step(admin: Shopper, shopper: Shopper) -> None:
    sku = await stock_item(admin, 1)
    order_id = (await shopper.place({sku: 1})).json()["id"]
    seen: list[str] = []
    async with shopper.client.stream("GET", f"/orders/{order_id}/events", headers=shopper.headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async with asyncio.timeout(60):
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    seen.append(line)
                if '"confirmed"' in line:
                    break
    assert seen


async def test_unknown_path_is_the_load_balancers_own_404(http: httpx.AsyncClient) -> None:
    for path in ("/", "/ordersx", "/nothing/here"):
        response = await http.get(path)
        assert response.status_code == 404
        assert response.json()["status"] == 404


async def test_demo_accounts_and_catalogue_are_there(http: httpx.AsyncClient) -> None:
    for name in ("admin", "ada", "grace"):
        await log_in(http, f"{name}@example.com")
    items = (await http.get("/inventory/items", params={"limit": 100})).json()["data"]
    assert len([item for item in items if item["available"] > 0]) >= 24
