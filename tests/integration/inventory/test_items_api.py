"""The catalogue over HTTP: public reads, administration, the ledger, and a cache that is never behind."""

import asyncio
from typing import Any

from inventory.item_cache import ItemCache
from local_aws.processes import free_port
from local_aws.servers.valkey import RedisServer
from platform_sdk.runtime.cache import Cache
from tests.integration.inventory.serving import Api, serve, settings
from tests.integration.inventory.warehouse import Warehouse, placed

CUP = {"sku": "CUP", "name": "A cup", "price": 1290, "currency": "EUR"}


async def test_new_item_can_be_read_by_anybody_where_location_says(api: Api) -> None:
    created = await api.admin.post("/items", CUP)
    assert created.status_code == 201
    assert created.headers["location"] == "/inventory/items/CUP"

    read = await api.anybody.get("/items/CUP")

    assert read.status_code == 200
    assert read.json() == created.json()
    assert read.json().items() >= (CUP | {"available": 0, "reserved": 0, "version": 1}).items()
    assert read.headers["etag"] == created.headers["etag"] == '"1"'
    again = await api.anybody.get("/items/CUP")
    assert (again.content, again.headers["etag"]) == (read.content, '"1"')


async def test_taken_sku_is_a_conflict_even_if_its_item_is_archived(api: Api) -> None:
    assert (await api.admin.post("/items", CUP)).status_code == 201
    assert (await api.admin.post("/items", CUP)).json()["type"] == "/problems/sku-exists"
    assert (await api.admin.request("DELETE", "/items/CUP")).status_code == 204
    assert (await api.anybody.get("/items/CUP")).status_code == 404
    assert (await api.admin.post("/items", CUP)).status_code == 409
    assert (await api.admin.request("DELETE", "/items/CUP")).status_code == 404
    assert (await api.admin.get("/items/CUP/movements")).status_code == 404
    adjustment = await api.admin.post("/items/CUP/adjustments", {"delta": 1, "reason": "delivery"})
    assert adjustment.status_code == 404


async def test_list_goes_page_by_page_and_finds_parts_of_names_in_any_case(api: Api) -> None:
    for number in range(7):
        await api.admin.stock_item(f"CUP-{number}", 0)
    await api.admin.post("/items", CUP | {"sku": "POT", "name": "Teapot 100%_"})

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await api.anybody.get("/items", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [item["sku"] for item in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == [*(f"CUP-{number}" for number in range(7)), "POT"]
    for query, skus in {"teaPOT": ["POT"], "cup-3": ["CUP-3"], "%_": ["POT"], "nothing": []}.items():
        found = (await api.anybody.get("/items", params={"query": query})).json()
        assert [item["sku"] for item in found["data"]] == skus
    assert (await api.anybody.get("/items", params={"cursor": "x"})).status_code == 422


async def test_batch_get_reports_what_is_missing(api: Api) -> None:
    await api.admin.stock_item("CUP", 3)
    await api.admin.stock_item("POT", 4)

    answer = (await api.anybody.get("/items:batchGet", params={"sku": ["POT", "NONE", "CUP"]})).json()

    assert [(item["sku"], item["available"]) for item in answer["data"]] == [("CUP", 3), ("POT", 4)]
    assert answer["missing"] == ["NONE"]
    assert (await api.anybody.get("/items:batchGet")).status_code == 422


async def test_change_needs_the_current_version_and_publishes_a_new_price(api: Api) -> None:
    await api.admin.stock_item("CUP", 3, price=100)

    async def change(body: dict[str, Any], **headers: str) -> Any:
        return await api.admin.request("PATCH", "/items/CUP", json=body, headers=headers)

    assert (await change({"price": 90})).status_code == 428
    assert (await change({"price": 90}, **{"If-Match": '"7"'})).status_code == 412
    changed = await change({"price": 90}, **{"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    renamed = await change({"name": "Mug"}, **{"If-Match": '"2"'})
    assert renamed.json().items() >= {"name": "Mug", "price": 90, "available": 3, "version": 3}.items()

    (event,) = await Warehouse(api.database).published("item.%")
    assert event.items() >= {"sku": "CUP", "old_price": 100, "new_price": 90, "currency": "EUR"}.items()
    assert (await api.anybody.get("/items/CUP")).json() == renamed.json()


async def test_item_with_active_holds_cannot_be_archived(api: Api) -> None:
    await api.admin.stock_item("CUP", 3)
    await Warehouse(api.database).handle(placed({"CUP": 2}))

    refused = await api.admin.request("DELETE", "/items/CUP")

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/has-active-holds")
    assert refused.json()["reserved"] == 2
    assert (await api.admin.request("DELETE", "/items/CUP", headers={"If-Match": '"9"'})).status_code == 412


async def test_adjustment_is_a_ledger_entry_and_never_takes_what_is_not_there(api: Api) -> None:
    await api.admin.stock_item("CUP", 3)

    refused = await api.admin.post("/items/CUP/adjustments", {"delta": -4, "reason": "breakage"})
    taken = await api.admin.post("/items/CUP/adjustments", {"delta": -3, "reason": "breakage"})
    too_much = await api.admin.post("/items/CUP/adjustments", {"delta": 100_000_000, "reason": "a"})
    far_too_much = await api.admin.post("/items/CUP/adjustments", {"delta": 1, "reason": "one more"})

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/insufficient-stock")
    assert refused.json()["shortages"] == [{"sku": "CUP", "requested": 4, "available": 3}]
    assert taken.status_code == 201
    assert taken.json().items() >= {"kind": "adjustment", "delta_available": -3, "reason": "breakage"}.items()
    assert too_much.status_code == 201
    assert (far_too_much.status_code, far_too_much.json()["type"]) == (409, "/problems/too-much-stock")
    assert (await api.admin.post("/items/CUP/adjustments", {"delta": 0, "reason": "none"})).status_code == 422


async def test_adjustment_with_a_key_is_booked_once(api: Api) -> None:
    await api.admin.stock_item("CUP", 0)
    key = {"Idempotency-Key": "delivery-4711"}

    first = await api.admin.post("/items/CUP/adjustments", {"delta": 5, "reason": "delivery"}, headers=key)
    second = await api.admin.post("/items/CUP/adjustments", {"delta": 5, "reason": "delivery"}, headers=key)
    other = await api.admin.post("/items/CUP/adjustments", {"delta": 6, "reason": "delivery"}, headers=key)

    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert other.status_code == 422
    assert (await api.anybody.get("/items/CUP")).json()["available"] == 5


async def test_ledger_is_read_newest_first_page_by_page(api: Api) -> None:
    await api.admin.stock_item("CUP", 10)
    await Warehouse(api.database).handle(placed({"CUP": 2}))

    first = (await api.admin.get("/items/CUP/movements", params={"limit": 1})).json()
    second = (await api.admin.get("/items/CUP/movements", params={"cursor": first["next_cursor"]})).json()

    (reserve,), (adjustment,) = first["data"], second["data"]
    assert (reserve["kind"], reserve["delta_available"], reserve["delta_reserved"]) == ("reserve", -2, 2)
    assert (adjustment["kind"], adjustment["delta_available"], adjustment["order_id"]) == ("adjustment", 10, None)
    assert second["next_cursor"] is None
    assert (await api.admin.get("/items/NONE/movements")).status_code == 404


async def test_administration_is_for_administrators(api: Api) -> None:
    for method, path in (
        ("POST", "/items"),
        ("PATCH", "/items/CUP"),
        ("DELETE", "/items/CUP"),
        ("POST", "/items/CUP/adjustments"),
        ("GET", "/items/CUP/movements"),
    ):
        assert (await api.anybody.request(method, path)).status_code == 401, (method, path)
        assert (await api.customer.request(method, path)).status_code == 403, (method, path)
        assert (await api.service.request(method, path)).status_code == 403, (method, path)


MALFORMED: list[dict[str, Any]] = [
    {"sku": "a b"}, {"sku": ""}, {"sku": "x" * 65}, {"sku": "A\x00"}, {"name": "A\x00"}, {"name": ""},
    {"price": -1}, {"price": 2**63}, {"price": True}, {"price": 1.5}, {"price": "1"}, {"currency": "euro"},
    {"available": 5},
]  # fmt: skip


async def test_malformed_item_is_refused(api: Api) -> None:
    for change in MALFORMED:
        refused = await api.admin.post("/items", CUP | change)
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json"), change


async def test_reader_always_sees_the_stock_after_its_own_write(api: Api) -> None:
    await api.admin.stock_item("CUP", 0)
    for expected in range(1, 30):
        await api.anybody.get("/items/CUP")
        await api.admin.post("/items/CUP/adjustments", {"delta": 1, "reason": "delivery"})
        assert (await api.anybody.get("/items/CUP")).json()["available"] == expected


async def test_second_read_comes_from_the_cache(api: Api, redis_server: RedisServer) -> None:
    await api.admin.post("/items", CUP)
    await api.anybody.get("/items/CUP")
    await Warehouse(api.database).execute("UPDATE stock SET available = 77")

    assert (await api.anybody.get("/items/CUP")).json()["available"] == 0


async def test_reader_that_read_before_a_change_cannot_put_its_old_answer_back(redis_server: RedisServer) -> None:
    items = ItemCache(Cache(redis_server.url, prefix="late-reader:"), entry_seconds=5)
    before = await items.find("CUP")
    assert before.may_store

    items.items_changed(["CUP"])
    await asyncio.sleep(0.1)
    await items.store("CUP", {"available": 1})

    after = await items.find("CUP")
    assert (after.body, after.may_store) == (None, False)
    await items.cache.close()


async def test_every_request_answers_without_redis(database_url: str) -> None:
    async with serve(settings(database_url, redis_url=f"redis://127.0.0.1:{free_port()}/0")) as api:
        await api.admin.stock_item("CUP", 3)
        await api.admin.post("/items/CUP/adjustments", {"delta": -1, "reason": "breakage"})
        assert (await api.anybody.get("/items/CUP")).json()["available"] == 2
