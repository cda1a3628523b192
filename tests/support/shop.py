"""A customer of the running platform: what the acceptance and fault tests do through the load balancer."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

PASSWORD = "correct horse battery staple"
DECIDED = {"confirmed", "rejected", "cancelled", "expired", "paid", "shipped", "delivered", "refunded"}

Json = dict[str, Any]


def fresh_email(name: str) -> str:
    """An address that no other test uses."""
    return f"{name}-{uuid4().hex}@example.com"


def fresh_sku(name: str = "TEST") -> str:
    """An article number that no other test uses."""
    return f"{name}-{uuid4().hex[:12]}".upper()


@dataclass
class Shopper:
    """One logged-in person; `client` talks to the load balancer."""

    client: httpx.AsyncClient
    token: str
    keys: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {**self.headers, **arguments.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **arguments)

    async def get(self, path: str) -> Json:
        response = await self.request("GET", path)
        assert response.status_code == 200, response.text
        body: Json = response.json()
        return body

    async def place(
        self, items: Mapping[str, int], *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """POST /orders for `{sku: quantity}`."""
        body = {"items": [{"sku": sku, "quantity": quantity} for sku, quantity in items.items()]}
        return await self.request(
            "POST", "/orders", json=body, headers={"Idempotency-Key": key or str(uuid4()), **(headers or {})}
        )

    async def place_for_sure(self, items: Mapping[str, int], *, deadline_seconds: float = 60) -> Json:
        """Places one order as a careful client does: on any unknown outcome, again with the same key."""
        key = str(uuid4())
        end = time.monotonic() + deadline_seconds
        last: object = None
        while time.monotonic() < end:
            try:
                response = await self.place(items, key=key)
            except httpx.TransportError as error:
                last = error
            else:
                if response.status_code in {201, 202}:
                    body: Json = response.json()
                    return body
                last = response.text
                assert response.status_code in {409, 500, 502, 503, 504}, response.text
            await asyncio.sleep(0.2)
        raise AssertionError(f"no answer within {deadline_seconds} s, at last {last!r}")

    async def decided(self, order_id: str, *, deadline_seconds: float = 60) -> Json:
        """The order once it is neither pending nor reserved."""
        end = time.monotonic() + deadline_seconds
        order: Json = {}
        while time.monotonic() < end:
            try:
                response = await self.request("GET", f"/orders/{order_id}?wait=10")
            except httpx.TransportError:
                await asyncio.sleep(0.2)
                continue
            if response.status_code != 200:
                await asyncio.sleep(0.2)
                continue
            order = response.json()
            if order["status"] in DECIDED:
                return order
        raise AssertionError(f"order {order_id} is not decided after {deadline_seconds} s: {order}")


async def log_in(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> Shopper:
    """Logs in through the load balancer."""
    response = await client.post("/users/sessions", json={"email": email, "password": password})
    assert response.status_code == 200, response.text
    return Shopper(client, response.json()["access_token"])


async def sign_up(client: httpx.AsyncClient, name: str = "shopper") -> Shopper:
    """Registers a new customer and logs in."""
    email = fresh_email(name)
    response = await client.post("/users", json={"email": email, "password": PASSWORD, "name": name.title()})
    assert response.status_code == 201, response.text
    return await log_in(client, email)


async def stock_item(admin: Shopper, stock: int, *, price: int = 1250, sku: str | None = None) -> str:
    """Creates an article with that much stock and returns its SKU."""
    sku = sku or fresh_sku()
    body = {"sku": sku, "name": f"Test article {sku}", "price": price, "currency": "EUR"}
    response = await admin.request("POST", "/inventory/items", json=body)
    assert response.status_code == 201, response.text
    if stock:
        response = await admin.request(
            "POST", f"/inventory/items/{sku}/adjustments", json={"delta": stock, "reason": "delivery"}
        )
        assert response.status_code == 201, response.text
    return sku
