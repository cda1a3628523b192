"""Events that inventory publishes, and its own classes for the events of orders that it consumes.

Samples in tests/contracts/events bind both sides. A message about a reservation has the reservation's id and version
as its aggregate; one about stock or an item has the SKU.
"""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import BaseModel, Field

from platform_sdk.runtime.http.inputs import INT4_MAX, Text
from platform_sdk.runtime.messaging.messages import Event

StorableText = Annotated[str, Text(1_000)]


class OrderedItem(BaseModel, frozen=True):
    sku: StorableText
    quantity: int = Field(ge=1, le=INT4_MAX)


class OrderPlaced(Event):
    """Asks for all items of an order, or none. Without a currency, all items must have the same one."""

    type: ClassVar[str] = "order.placed"
    order_id: UUID
    items: tuple[OrderedItem, ...] = Field(min_length=1)
    currency: StorableText | None = None


class OrderReserved(Event):
    """The order asks to commit its hold."""

    type: ClassVar[str] = "order.reserved"
    order_id: UUID


class OrderCancelled(Event):
    type: ClassVar[str] = "order.cancelled"
    order_id: UUID


class OrderExpired(Event):
    type: ClassVar[str] = "order.expired"
    order_id: UUID


class OrderRefunded(Event):
    type: ClassVar[str] = "order.refunded"
    order_id: UUID


class ReservedItem(BaseModel, frozen=True):
    """One line of a reservation; `unit_price` in minor units, as it was when the stock was reserved."""

    sku: str
    quantity: int
    unit_price: int


class Shortage(BaseModel, frozen=True):
    """A SKU that prevented a reservation; `available` is 0 for a SKU that is not in the catalogue."""

    sku: str
    requested: int
    available: int


class InventoryReserved(Event):
    """All items are held until `expires_at`; `total` in minor units of `currency`."""

    type: ClassVar[str] = "inventory.reserved"
    order_id: UUID
    reservation_id: UUID
    items: tuple[ReservedItem, ...]
    currency: str
    total: int
    expires_at: datetime


class InventoryRejected(Event):
    """Nothing is held. `reason` is `out_of_stock`, `unknown_sku` or `currency_mismatch`."""

    type: ClassVar[str] = "inventory.rejected"
    order_id: UUID
    reason: str
    shortages: tuple[Shortage, ...]


class InventoryCommitted(Event):
    """The held stock is sold."""

    type: ClassVar[str] = "inventory.committed"
    order_id: UUID
    reservation_id: UUID


class InventoryReleased(Event):
    """Nothing is or will be held or sold for the order. `reason`: `cancelled`, `expired` …"""

    type: ClassVar[str] = "inventory.released"
    order_id: UUID
    reservation_id: UUID
    reason: str


class StockLow(Event):
    """The available units of an item fell to its threshold or below."""

    type: ClassVar[str] = "stock.low"
    sku: str
    available: int
    threshold: int


class ItemPriceChanged(Event):
    """Prices in minor units of `currency`; holds keep the price at which they were made."""

    type: ClassVar[str] = "item.price_changed"
    sku: str
    old_price: int
    new_price: int
    currency: str
