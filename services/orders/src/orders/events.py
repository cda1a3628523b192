"""Messages that orders publishes. Consumers write their own classes; samples in tests/contracts/events bind both sides.

Every transition of an order publishes exactly one of these, with the order's id as aggregate id and its version as
aggregate version.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel

from orders.states import Status
from platform_sdk.runtime.messaging.messages import Event


class OrderEvent(Event):
    """The fields of every event of orders."""

    order_id: UUID
    user_id: UUID


class PlacedItem(BaseModel, frozen=True):
    sku: str
    quantity: int


class OrderPlaced(OrderEvent):
    """Asks inventory to reserve all items, or none. SKUs are distinct; `expires_at` is when a pending order expires."""

    type: ClassVar[str] = "order.placed"
    items: tuple[PlacedItem, ...]
    currency: str | None
    expires_at: datetime


class OrderReserved(OrderEvent):
    """Asks inventory to commit the hold."""

    type: ClassVar[str] = "order.reserved"


class OrderConfirmed(OrderEvent):
    type: ClassVar[str] = "order.confirmed"


class OrderRejected(OrderEvent):
    type: ClassVar[str] = "order.rejected"
    reason: str


class OrderCancelled(OrderEvent):
    """Asks inventory to release the hold, or to restock if the hold was committed."""

    type: ClassVar[str] = "order.cancelled"
    reason: str


class OrderExpired(OrderEvent):
    """Asks inventory to release the hold, if there is one."""

    type: ClassVar[str] = "order.expired"


class OrderPaid(OrderEvent):
    type: ClassVar[str] = "order.paid"


class OrderShipped(OrderEvent):
    type: ClassVar[str] = "order.shipped"


class OrderDelivered(OrderEvent):
    type: ClassVar[str] = "order.delivered"


class OrderRefunded(OrderEvent):
    """Asks inventory to restock."""

    type: ClassVar[str] = "order.refunded"


_WITHOUT_REASON: dict[Status, type[OrderEvent]] = {
    Status.RESERVED: OrderReserved,
    Status.CONFIRMED: OrderConfirmed,
    Status.EXPIRED: OrderExpired,
    Status.PAID: OrderPaid,
    Status.SHIPPED: OrderShipped,
    Status.DELIVERED: OrderDelivered,
    Status.REFUNDED: OrderRefunded,
}


def transition_event(status: Status, *, order_id: UUID, user_id: UUID, reason: str | None) -> OrderEvent:
    """Return the event for a new status. Pending has none here: see OrderPlaced."""
    if status is Status.REJECTED:
        return OrderRejected(order_id=order_id, user_id=user_id, reason=reason or "unknown")
    if status is Status.CANCELLED:
        return OrderCancelled(order_id=order_id, user_id=user_id, reason=reason or "unknown")
    return _WITHOUT_REASON[status](order_id=order_id, user_id=user_id)
