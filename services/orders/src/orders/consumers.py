"""Map each message that orders consumes to its use case.

The worker claims a message's id in the same transaction as the use case, so a duplicate changes nothing. The state
machine refuses transitions from late or reordered messages.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import BaseModel, Field

from orders import use_cases
from orders.model import Hold
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.http.inputs import INT8_MAX
from platform_sdk.runtime.messaging.inbox import Handler
from platform_sdk.runtime.messaging.messages import Event, Message

Amount = Annotated[int, Field(ge=0, le=INT8_MAX)]
"""Integer minor units."""


class ReservedItem(BaseModel, frozen=True):
    sku: str
    unit_price: Amount


class InventoryReserved(Event):
    type: ClassVar[str] = "inventory.reserved"
    order_id: UUID
    reservation_id: UUID
    items: tuple[ReservedItem, ...]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    total: Amount


class Shortage(BaseModel, frozen=True):
    sku: str
    requested: int
    available: int


class InventoryRejected(Event):
    """`reason` is out_of_stock, unknown_sku or currency_mismatch; other values are stored unchanged."""

    type: ClassVar[str] = "inventory.rejected"
    order_id: UUID
    reason: str
    shortages: tuple[Shortage, ...] = ()


class InventoryCommitted(Event):
    type: ClassVar[str] = "inventory.committed"
    order_id: UUID


class InventoryReleased(Event):
    type: ClassVar[str] = "inventory.released"
    order_id: UUID
    reason: str


class UserDisabled(Event):
    type: ClassVar[str] = "user.disabled"
    user_id: UUID


class UserEnabled(Event):
    type: ClassVar[str] = "user.enabled"
    user_id: UUID


class UserDeleted(Event):
    type: ClassVar[str] = "user.deleted"
    user_id: UUID


async def on_reserved(uow: UnitOfWork, event: InventoryReserved, message: Message) -> None:
    hold = Hold(
        reservation_id=event.reservation_id,
        currency=event.currency,
        total=event.total,
        unit_prices={item.sku: item.unit_price for item in event.items},
    )
    await use_cases.reserve_order(uow, event.order_id, hold)


async def on_rejected(uow: UnitOfWork, event: InventoryRejected, message: Message) -> None:
    shortages = [shortage.model_dump() for shortage in event.shortages] or None
    await use_cases.reject_order(uow, event.order_id, event.reason, shortages)


async def on_committed(uow: UnitOfWork, event: InventoryCommitted, message: Message) -> None:
    await use_cases.confirm_order(uow, event.order_id)


async def on_released(uow: UnitOfWork, event: InventoryReleased, message: Message) -> None:
    await use_cases.release_order(uow, event.order_id, event.reason)


async def on_user_disabled(uow: UnitOfWork, event: UserDisabled, message: Message) -> None:
    await use_cases.note_user(uow, event.user_id, message.aggregate_version, "disabled")


async def on_user_enabled(uow: UnitOfWork, event: UserEnabled, message: Message) -> None:
    await use_cases.note_user(uow, event.user_id, message.aggregate_version, "enabled")


async def on_user_deleted(uow: UnitOfWork, event: UserDeleted, message: Message) -> None:
    await use_cases.note_user(uow, event.user_id, message.aggregate_version, "deleted")


HANDLERS: Mapping[type[Event], Handler] = {
    InventoryReserved: on_reserved,
    InventoryRejected: on_rejected,
    InventoryCommitted: on_committed,
    InventoryReleased: on_released,
    UserDisabled: on_user_disabled,
    UserEnabled: on_user_enabled,
    UserDeleted: on_user_deleted,
}
