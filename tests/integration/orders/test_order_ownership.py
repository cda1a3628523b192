"""Who may do what to whose order: every route with an id, for everybody."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute

from orders.api import router
from tests.integration.orders.conftest import OrdersDatabase
from tests.integration.orders.serving import Api, Caller

READ, CANCEL = ("GET", "/orders/{order_id}"), ("POST", "/orders/{order_id}/cancel")
EVENTS = ("GET", "/orders/{order_id}/events")
PAY, SHIP, DELIVER, REFUND = [
    ("POST", f"/orders/{{order_id}}/{action}") for action in ("pay", "ship", "deliver", "refund")
]

# A new order is pending, so what an administrator does after payment is a conflict, and no refusal.
EXPECTED = {
    READ: {"anonymous": 401, "other": 404, "owner": 200, "admin": 200},
    EVENTS: {"anonymous": 401, "other": 404, "owner": 200, "admin": 200},
    CANCEL: {"anonymous": 401, "other": 404, "owner": 200, "admin": 200},
    PAY: {"anonymous": 401, "other": 403, "owner": 403, "admin": 409},
    SHIP: {"anonymous": 401, "other": 403, "owner": 403, "admin": 409},
    DELIVER: {"anonymous": 401, "other": 403, "owner": 403, "admin": 409},
    REFUND: {"anonymous": 401, "other": 403, "owner": 403, "admin": 409},
}


def test_every_route_with_an_id_is_in_the_matrix() -> None:
    routes = {
        (method, route.path)
        for route in router.routes
        if isinstance(route, APIRoute) and "{" in route.path
        for method in route.methods or ()
    }
    assert routes == set(EXPECTED)


async def status_of(caller: Caller | httpx.AsyncClient, method: str, path: str) -> int:
    """Closes a live stream as soon as its status is known."""
    if isinstance(caller, Caller):
        if path.endswith("/events"):
            async with caller.stream(path) as response:
                status: int = response.status_code
                return status
        return (await caller.request(method, path)).status_code
    return (await caller.request(method, path)).status_code


@pytest.mark.parametrize("who", ["anonymous", "other", "owner", "admin"])
@pytest.mark.parametrize("route", EXPECTED, ids=lambda route: " ".join(route))
async def test_the_matrix(api: Api, route: tuple[str, str], who: str) -> None:
    owner = api.customer()
    callers: dict[str, Callable[[], Caller | httpx.AsyncClient]] = {
        "anonymous": lambda: api.client,
        "other": api.customer,
        "owner": lambda: owner,
        "admin": api.admin,
    }
    method, template = route
    path = template.format(order_id=await owner.place_one())
    assert await status_of(callers[who](), method, path) == EXPECTED[route][who]


async def test_another_customers_order_looks_like_none_at_all(api: Api) -> None:
    theirs, none = await api.customer().place_one(), uuid4()
    customer = api.customer()
    for method, template in (READ, CANCEL, EVENTS):
        for order_id in (theirs, none, "not-an-id"):
            response = await customer.request(method, template.format(order_id=order_id))
            assert response.status_code == (422 if order_id == "not-an-id" else 404)
    answers = [(await customer.get(f"/orders/{order_id}")).content for order_id in (theirs, none)]
    assert answers[0] == answers[1]


async def test_another_customer_cancels_nothing(api: Api, orders: OrdersDatabase) -> None:
    order_id = await api.customer().place_one()
    await api.customer().post(f"/orders/{order_id}/cancel")
    assert (await orders.order(order_id)).status == "pending"
