"""The bodies of the HTTP interface. Amounts are integers in minor units of the currency named beside them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from inventory.model import MAX_AVAILABLE, MAX_PRICE, Item, Movement, MovementKind
from inventory.reservations import Reservation, Status
from inventory.use_cases import merge_quantities
from platform_sdk.runtime.http.inputs import Integer, RequestModel, ResponseModel, Text

MAX_LINES = 100
MAX_HOLD_SECONDS = 86_400
SKU_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"

Sku = Annotated[str, Text(64, pattern=SKU_PATTERN), Field(examples=["KETTLE-STEEL-17L"])]
Price = Annotated[int, Integer(0, MAX_PRICE), Field(description="Minor units", examples=[3490])]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217", examples=["EUR"])]


def _not_zero(delta: int) -> int:
    if delta == 0:
        raise ValueError("must not be 0")
    return delta


class NewItem(RequestModel):
    """A new item has no stock; add it with an adjustment."""

    sku: Sku
    name: Annotated[str, Text(200)]
    price: Price
    currency: CurrencyCode


class ItemChange(RequestModel):
    """Fields that are left out stay unchanged."""

    name: Annotated[str, Text(200)] | None = None
    price: Price | None = None


class Adjustment(RequestModel):
    delta: Annotated[
        int,
        Integer(-MAX_AVAILABLE, MAX_AVAILABLE),
        AfterValidator(_not_zero),
        Field(description="Units to add, or to take away", json_schema_extra={"not": {"const": 0}}),
    ]
    reason: Annotated[str, Text(200), Field(examples=["delivery 4711"])]


class WantedItem(RequestModel):
    sku: Sku
    quantity: Annotated[int, Integer(1, MAX_AVAILABLE)]


class NewReservation(RequestModel):
    """All items are held, or none. Lines with the same SKU become one."""

    order_id: UUID
    items: Annotated[list[WantedItem], Field(min_length=1, max_length=MAX_LINES)]
    ttl_seconds: Annotated[int, Integer(1, MAX_HOLD_SECONDS)] | None = None

    def quantities(self) -> dict[str, int]:
        return merge_quantities((item.sku, item.quantity) for item in self.items)


class ItemOut(ResponseModel):
    sku: str
    name: str
    price: int
    currency: str
    available: Annotated[int, Field(description="Units that can be ordered now")]
    reserved: Annotated[int, Field(description="Units held for open orders")]
    version: Annotated[int, Field(description="Also the ETag; counts changes of name and price, not of stock")]
    created_at: datetime
    updated_at: datetime


class ItemsOut(ResponseModel):
    data: list[ItemOut]
    missing: Annotated[list[str], Field(description="SKUs that are not in the catalogue")]


class MovementOut(ResponseModel):
    """An entry of the ledger; the sums of all deltas of an item are its stock."""

    id: int
    sku: str
    kind: MovementKind
    delta_available: int
    delta_reserved: int
    delta_sold: int
    order_id: UUID | None
    reason: str | None
    created_at: datetime


class LineOut(ResponseModel):
    sku: str
    quantity: int
    unit_price: int


class ReservationOut(ResponseModel):
    """`currency` is null and `items` empty where nothing was ever held for the order."""

    id: UUID
    order_id: UUID
    status: Status
    reason: str | None
    version: int
    items: list[LineOut]
    currency: str | None
    total: int
    expires_at: Annotated[datetime, Field(description="When a hold that nobody commits is released")]
    created_at: datetime
    updated_at: datetime


def item_out(item: Item) -> ItemOut:
    return ItemOut.model_validate(item)


def item_body(item: Item) -> dict[str, Any]:
    """Return the item as JSON values, as the cache keeps it."""
    return item_out(item).model_dump(mode="json")


def items_out(items: Iterable[Item], wanted: Iterable[str]) -> ItemsOut:
    found = {item.sku: item_out(item) for item in items}
    return ItemsOut(data=list(found.values()), missing=sorted(set(wanted) - found.keys()))


def movement_out(movement: Movement) -> MovementOut:
    return MovementOut(
        id=movement.movement_id,
        sku=movement.sku,
        kind=movement.kind,
        delta_available=movement.delta_available,
        delta_reserved=movement.delta_reserved,
        delta_sold=movement.delta_sold,
        order_id=movement.order_id,
        reason=movement.reason,
        created_at=movement.created_at,
    )


def reservation_out(reservation: Reservation) -> ReservationOut:
    return ReservationOut(
        id=reservation.reservation_id,
        order_id=reservation.order_id,
        status=reservation.status,
        reason=reservation.reason,
        version=reservation.version,
        items=[LineOut.model_validate(line) for line in reservation.lines],
        currency=reservation.currency,
        total=reservation.total,
        expires_at=reservation.expires_at,
        created_at=reservation.created_at,
        updated_at=reservation.updated_at,
    )
