"""Nobody reaches what belongs to somebody else: every operation of every service, from its own OpenAPI document."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.shop import Shopper, sign_up, stock_item

SERVICES = ("orders", "users", "inventory")

# What each `{id}` route may be asked by whom. A route that is not listed fails the first test below.
OWNED = {
    "GET /orders/{order_id}",
    "GET /orders/{order_id}/events",
    "POST /orders/{order_id}/cancel",
    "GET /users/me/addresses/{address_id}",
    "PATCH /users/me/addresses/{address_id}",
    "DELETE /users/me/addresses/{address_id}",
}
ADMINISTRATION = {
    "POST /orders/{order_id}/pay",
    "POST /orders/{order_id}/ship",
    "POST /orders/{order_id}/deliver",
    "POST /orders/{order_id}/refund",
    "GET /users/{user_id}",
    "PATCH /users/{user_id}",
    "PATCH /inventory/items/{sku}",
    "DELETE /inventory/items/{sku}",
    "POST /inventory/items/{sku}/adjustments",
    "GET /inventory/items/{sku}/movements",
    "GET /inventory/reservations/{reservation_id}",
    "POST /inventory/reservations/{reservation_id}/commit",
    "POST /inventory/reservations/{reservation_id}/release",
}
PUBLIC = {"GET /inventory/items/{sku}"}

BODIES: dict[str, dict[str, Any]] = {
    "PATCH /users/me/addresses/{address_id}": {"city": "Elsewhere"},
    "PATCH /users/{user_id}": {"role": "admin"},
    "PATCH /inventory/items/{sku}": {"price": 1},
    "POST /inventory/items/{sku}/adjustments": {"delta": 1, "reason": "theft"},
}
ADDRESS = {"line1": "1 Main Street", "city": "Springfield", "postal_code": "12345", "country": "US"}


async def operations(http: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """`METHOD /path` to the operation object, over all services."""
    found = {}
    for service in SERVICES:
        document = (await http.get(f"/{service}/openapi.json")).json()
        for path, methods in document["paths"].items():
            found.update({f"{method.upper()} {path}": operation for method, operation in methods.items()})
    return found


async def test_every_route_with_an_id_is_in_this_test(http: httpx.AsyncClient) -> None:
    with_id = {name for name in await operations(http) if "{" in name}
    assert with_id == OWNED | ADMINISTRATION | PUBLIC


async def test_no_route_without_a_token_answers_anything_but_401(http: httpx.AsyncClient) -> None:
    checked = 0
    for name, operation in (await operations(http)).items():
        if not operation.get("security"):
            continue
        method, path = name.split(" ", 1)
        for part in ("order_id", "user_id", "address_id", "reservation_id", "sku"):
            path = path.replace(f"{{{part}}}", str(uuid4()))
        response = await http.request(method, path)
        assert response.status_code == 401, name
        assert response.headers["www-authenticate"].startswith("Bearer"), name
        assert response.headers["content-type"] == "application/problem+json", name
        checked += 1
    assert checked >= len(OWNED | ADMINISTRATION)


async def things_of(owner: Shopper, admin: Shopper) -> dict[str, str]:
    """An order, an address and an article with a reservation, all belonging to the owner."""
    sku = await stock_item(admin, 5)
    order = (await owner.place({sku: 1})).json()
    await owner.decided(order["id"])
    address = await owner.request("POST", "/users/me/addresses", json=ADDRESS)
    assert address.status_code == 201, address.text
    reservation = await admin.request(
        "POST",
        "/inventory/reservations",
        json={"order_id": str(uuid4()), "items": [{"sku": sku, "quantity": 1}]},
    )
    assert reservation.status_code == 201, reservation.text
    return {
        "order_id": order["id"],
        "user_id": (await owner.get("/users/me"))["id"],
        "address_id": address.json()["id"],
        "sku": sku,
        "reservation_id": reservation.json()["id"],
    }


@pytest.mark.parametrize("name", sorted(OWNED | ADMINISTRATION))
async def test_another_customer_gets_404_for_what_is_owned_and_403_for_administration(
    http: httpx.AsyncClient, admin: Shopper, name: str
) -> None:
    owner = await sign_up(http, "owner")
    stranger = await sign_up(http, "stranger")
    method, template = name.split(" ", 1)
    path = template.format(**await things_of(owner, admin))

    answer = await stranger.request(method, path, json=BODIES.get(name))

    assert answer.status_code == (404 if name in OWNED else 403), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
