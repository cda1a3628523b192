"""Use cases of orders. Each runs in a unit of work that its edge (api, consumers, sweepers) opens and ends.

Each transition publishes exactly one event in the same transaction, with the new version of the order.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from orders import model
from orders.errors import IllegalTransition, OrderNotFound, UserDisabled
from orders.events import OrderPlaced, PlacedItem, transition_event
from orders.model import Draft, Hold, Moved, Order, UserState
from orders.states import Status, can_move
from platform_sdk.runtime.database.unit_of_work import UnitOfWork

log = logging.getLogger(__name__)

EXPIRE_BATCH_ORDERS = 100


async def place_order(uow: UnitOfWork, draft: Draft, lifetime: timedelta) -> Order:
    """Accept an order as pending and ask inventory to reserve it. It expires unless reserved within `lifetime`.

    Raises:
        UserDisabled: the user is disabled or deleted.
    """
    order = await model.insert(uow, draft, lifetime)
    if order is None:
        raise UserDisabled
    placed = OrderPlaced.model_construct(
        order_id=order.order_id,
        user_id=order.user_id,
        items=tuple(PlacedItem.model_construct(sku=item.sku, quantity=item.quantity) for item in order.items),
        currency=order.currency,
        expires_at=order.expires_at,
    )
    uow.publish(placed, aggregate_id=order.order_id, aggregate_version=order.version)
    return order


async def move_order(
    uow: UnitOfWork,
    order_id: UUID,
    target: Status,
    *,
    owner: UUID | None = None,
    reason: str | None = None,
    check_version: Callable[[int], None] = lambda version: None,
) -> Order:
    """Move an order for a user. Cancelling a cancelled order changes nothing and succeeds.

    Args:
        owner: the customer whose order it must be; None for an administrator.
        check_version: raises if the caller's precondition (If-Match) does not hold for this version.

    Raises:
        OrderNotFound: none, or not this owner's.
        IllegalTransition: `target` cannot follow the order's status.
    """
    standing = await model.lock(uow, order_id, owner)
    if standing is None:
        raise OrderNotFound
    status, version = standing
    check_version(version)
    if not (status is target is Status.CANCELLED):
        if not can_move(status, target):
            raise IllegalTransition(status, target)
        await _advance(uow, order_id, target, reason=reason)
    order = await model.find(uow, order_id, owner)
    if order is None:
        raise OrderNotFound
    return order


async def reserve_order(uow: UnitOfWork, order_id: UUID, hold: Hold) -> None:
    """Store the reserved prices and ask inventory to commit the hold."""
    reserved = await model.reserve(uow, order_id, hold)
    if reserved is None:
        _log_ignored(order_id, Status.RESERVED)
        return
    moved, hold_committed, user_disabled = reserved
    _publish(uow, moved, Status.RESERVED)
    if user_disabled:
        # The order was placed while the message about its user was handled, so neither saw the other.
        await _advance(uow, order_id, Status.CANCELLED, reason="user_disabled")
    elif hold_committed:
        await _advance(uow, order_id, Status.CONFIRMED)


async def reject_order(
    uow: UnitOfWork, order_id: UUID, reason: str, shortages: Sequence[Mapping[str, Any]] | None
) -> None:
    await _advance(uow, order_id, Status.REJECTED, reason=reason, shortages=shortages)


async def confirm_order(uow: UnitOfWork, order_id: UUID) -> None:
    """Confirm an order whose hold is committed. A pending order records it until the reservation arrives."""
    if not await _advance(uow, order_id, Status.CONFIRMED):
        await model.remember_committed(uow, order_id)


async def release_order(uow: UnitOfWork, order_id: UUID, reason: str) -> None:
    """Expire or cancel the order whose hold inventory released."""
    if reason == "expired":
        await _advance(uow, order_id, Status.EXPIRED, reason="reservation_expired")
    else:
        await _advance(uow, order_id, Status.CANCELLED, reason="reservation_released")


async def note_user(uow: UnitOfWork, user_id: UUID, version: int, state: UserState) -> None:
    """Store the state of a user, unless a later one is known.

    A disabled or deleted user may not order, and their undecided orders are cancelled.
    """
    is_news = await model.note_user(uow, user_id, version, state)
    if not is_news or state == "enabled":
        return
    reason = f"user_{state}"
    for moved in await model.cancel_of_user(uow, user_id, reason):
        _publish(uow, moved, Status.CANCELLED, reason)


async def expire_overdue(uow: UnitOfWork) -> int:
    """Expire one batch of pending orders that inventory has not answered in time. Return the count."""
    expired = await model.expire_due(uow, EXPIRE_BATCH_ORDERS)
    for moved in expired:
        _publish(uow, moved, Status.EXPIRED)
    return len(expired)


async def _advance(
    uow: UnitOfWork,
    order_id: UUID,
    target: Status,
    *,
    reason: str | None = None,
    shortages: Sequence[Mapping[str, Any]] | None = None,
) -> bool:
    moved = await model.advance(uow, order_id, target, reason=reason, shortages=shortages)
    if moved is None:
        _log_ignored(order_id, target)
        return False
    _publish(uow, moved, target, reason)
    return True


def _publish(uow: UnitOfWork, moved: Moved, status: Status, reason: str | None = None) -> None:
    event = transition_event(status, order_id=moved.order_id, user_id=moved.user_id, reason=reason)
    uow.publish(event, aggregate_id=moved.order_id, aggregate_version=moved.version)


def _log_ignored(order_id: UUID, target: Status) -> None:
    # Late, duplicate and reordered messages are normal; the status is already correct.
    log.debug("transition ignored", extra={"action": "transition_ignored", "order_id": order_id, "target": target})
