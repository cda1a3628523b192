"""Request and response bodies of the HTTP interface.

Requests are validated once. Responses are encoded directly to bytes from our own values. The response models document
them in OpenAPI, and tests compare the bytes with the models.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import Field

from orders.model import Item, Order, Step
from orders.states import Status
from platform_sdk.runtime.http.inputs import Integer, RequestModel, ResponseModel, Text

Quantity = Annotated[int, Integer(1, 1000)]
Sku = Annotated[str, Text(64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217", examples=["EUR"])]


class OrderedItem(RequestModel):
    sku: Sku
    quantity: Quantity


class PlaceOrderRequest(RequestModel):
    """Lines with the same SKU become one. Without a currency, the order uses that of its items."""

    items: Annotated[list[OrderedItem], Field(min_length=1, max_length=100)]
    currency: CurrencyCode | None = None
    address_id: UUID | None = None
    note: Annotated[str, Text(500)] | None = None

    def lines(self) -> tuple[Item, ...]:
        """Return the items with distinct SKUs, in order of first appearance."""
        quantities: dict[str, int] = {}
        for item in self.items:
            quantities[item.sku] = quantities.get(item.sku, 0) + item.quantity
        return tuple(Item(sku=sku, quantity=quantity) for sku, quantity in quantities.items())


class OrderItemOut(ResponseModel):
    sku: str
    quantity: int
    unit_price: Annotated[int | None, Field(description="Minor units; null until inventory has reserved the order")]


class ShortageOut(ResponseModel):
    sku: str
    requested: int
    available: int


class StepOut(ResponseModel):
    status: Status
    at: datetime
    reason: str | None


class LinksOut(ResponseModel):
    self: str
    events: str
    cancel: str


class OrderOut(ResponseModel):
    """An order. Amounts are integer minor units of `currency`."""

    id: UUID
    status: Status
    version: Annotated[int, Field(description="Also the ETag; one higher with every change of status")]
    user_id: UUID
    items: list[OrderItemOut]
    currency: str | None
    total: Annotated[int | None, Field(description="Minor units; null until inventory has reserved the order")]
    reason: Annotated[str | None, Field(description="Why it was rejected or cancelled or has expired")]
    shortages: list[ShortageOut] | None
    address_id: UUID | None
    note: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: Annotated[datetime, Field(description="When the order expires if it is still pending")]
    status_history: list[StepOut]
    links: LinksOut


def order_body(order: Order) -> dict[str, Any]:
    location = location_of(order.order_id)
    return {
        "id": order.order_id,
        "status": order.status,
        "version": order.version,
        "user_id": order.user_id,
        "items": order.items,
        "currency": order.currency,
        "total": order.total,
        "reason": order.reason,
        "shortages": order.shortages,
        "address_id": order.address_id,
        "note": order.note,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "expires_at": order.expires_at,
        "status_history": [{"status": step.status, "at": step.at, "reason": step.reason} for step in order.history],
        "links": {"self": location, "events": f"{location}/events", "cancel": f"{location}/cancel"},
    }


def encode(body: dict[str, Any]) -> bytes:
    """Encode JSON; times are RFC 3339 in UTC with `Z`."""
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def location_of(order_id: UUID) -> str:
    return f"/orders/{order_id}"


def step_body(order_id: UUID, step: Step) -> dict[str, Any]:
    """Return the data of one server-sent event."""
    return {"order_id": order_id, "status": step.status, "version": step.version, "at": step.at, "reason": step.reason}
