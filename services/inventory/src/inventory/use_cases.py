"""Use cases of inventory. Each runs in the unit of work of its edge (request, message, sweep), which commits. HTTP
and consumers share the functions below.

The rules of the saga: a reservation's row is claimed or locked before stock moves. A message makes the one possible
transition, or changes nothing. Each transition publishes exactly one event.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from inventory import errors, events, model, reservations
from inventory.events import InventoryCommitted, InventoryRejected, InventoryReleased, InventoryReserved, Shortage
from inventory.model import Item, Movement, StockLevel
from inventory.reservations import COMMIT, RELEASE, RETURN, Hold, Moved, NothingTaken, Offer, Reservation, Status
from inventory.settings import InventorySettings
from platform_sdk.runtime.database.unit_of_work import UnitOfWork

EXPIRED: Final = "expired"


def _nobody(_: Collection[str]) -> None:
    """Do nothing: there is no cache to update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Settings of the use cases. `items_changed` is called with SKUs after their change commits."""

    hold: timedelta = timedelta(minutes=15)
    low_stock_threshold: int = 5
    items_changed: Callable[[Collection[str]], None] = field(default=_nobody)

    @classmethod
    def of(cls, settings: InventorySettings, items_changed: Callable[[Collection[str]], None] = _nobody) -> "Terms":
        return cls(
            hold=timedelta(seconds=settings.inventory_hold_seconds),
            low_stock_threshold=settings.inventory_low_stock_threshold,
            items_changed=items_changed,
        )


# ── the catalogue ────────────────────────────────────────────────────────────────────────────────────────────────────


async def create_item(uow: UnitOfWork, *, sku: str, name: str, price: int, currency: str) -> Item:
    """Add an item without stock. Raises SkuExists."""
    item = await model.insert_item(uow, sku=sku, name=name, price=price, currency=currency)
    if item is None:
        raise errors.SkuExists(sku)
    return item


async def change_item(
    uow: UnitOfWork, terms: Terms, sku: str, *, name: str | None, price: int | None, guard: Callable[[Item], None]
) -> Item:
    """Change the given fields; `guard` sees the locked item and may raise. Raises UnknownItem."""
    item = await model.lock_item(uow, sku)
    if item is None:
        raise errors.UnknownItem(sku)
    guard(item)
    changed = replace(item, name=item.name if name is None else name, price=item.price if price is None else price)
    if changed == item:
        return item
    version, updated_at = await model.update_item(uow, sku, name=changed.name, price=changed.price)
    if changed.price != item.price:
        event = events.ItemPriceChanged(sku=sku, old_price=item.price, new_price=changed.price, currency=item.currency)
        uow.publish(event, aggregate_id=sku, aggregate_version=version)
    _emit_levels(uow, terms, [sku])
    return replace(changed, version=version, updated_at=updated_at)


async def archive_item(uow: UnitOfWork, terms: Terms, sku: str, *, guard: Callable[[Item], None]) -> None:
    """Archive the item; its ledger stays. Raises UnknownItem, HasActiveHolds."""
    item = await model.lock_item_and_stock(uow, sku)
    if item is None:
        raise errors.UnknownItem(sku)
    guard(item)
    if item.reserved:
        raise errors.HasActiveHolds(sku, item.reserved)
    await model.archive_item(uow, sku)
    _emit_levels(uow, terms, [sku])


async def adjust_stock(uow: UnitOfWork, terms: Terms, sku: str, *, delta: int, reason: str) -> Movement:
    """Record a delivery, a loss or a count. Raises UnknownItem, InsufficientStock, TooMuchStock."""
    adjusted = await model.adjust_stock(uow, sku, delta=delta, reason=reason)
    if adjusted is None:
        item = await model.fetch_item(uow, sku)
        if item is None:
            raise errors.UnknownItem(sku)
        if delta > 0:
            raise errors.TooMuchStock(sku, model.MAX_AVAILABLE)
        raise errors.InsufficientStock([Shortage(sku=sku, requested=-delta, available=item.available)])
    movement, level = adjusted
    _report_low_stock(uow, terms, [level])
    _emit_levels(uow, terms, [sku])
    return movement


# ── the saga: messages of orders ────────────────────────────────────────────────────────────────────────────────────


async def reserve_for_order(uow: UnitOfWork, terms: Terms, placed: events.OrderPlaced) -> None:
    """Hold all items of an order, or reject it. A repeated order changes nothing."""
    quantities = merge_quantities((item.sku, item.quantity) for item in placed.items)
    taken = await reservations.reserve(uow, placed.order_id, quantities, currency=placed.currency, hold=terms.hold)
    if isinstance(taken, Hold):
        _publish_hold(uow, terms, placed.order_id, taken)
    elif isinstance(taken, NothingTaken):
        rejected = rejection(placed.order_id, await reservations.offers(uow, quantities), placed.currency)
        await reservations.reject(uow, taken.reservation_id, rejected.reason)
        uow.publish(rejected, aggregate_id=taken.reservation_id, aggregate_version=1)


async def commit_for_order(uow: UnitOfWork, terms: Terms, order_id: UUID) -> None:
    """Commit the hold of an order. Without a hold, do nothing: its release has been or will be published."""
    for moved in await reservations.move(uow, COMMIT, [order_id]):
        _publish_commit(uow, terms, moved)


async def give_back_for_order(uow: UnitOfWork, terms: Terms, order_id: UUID, *, reason: str) -> None:
    """Release a hold, restock sold units, or block an order whose `order.placed` has not arrived yet."""
    barred = await reservations.insert_tombstone(uow, order_id, reason)
    if barred is not None:
        event = InventoryReleased(order_id=order_id, reservation_id=barred, reason=reason)
        uow.publish(event, aggregate_id=barred, aggregate_version=1)
        return
    match await reservations.lock_status(uow, order_id):
        case Status.HELD:
            transition = RELEASE
        case Status.COMMITTED:
            transition = RETURN
        case Status.RETURNED | Status.RELEASED | Status.REJECTED:
            return
    for moved in await reservations.move(uow, transition, [order_id], reason=reason):
        _publish_release(uow, terms, moved, reason)


async def release_expired_holds(uow: UnitOfWork, terms: Terms, *, limit: int) -> int:
    """Release up to `limit` expired holds. Skip locked ones. Return the count."""
    expired = await reservations.lock_expired_holds(uow, limit=limit)
    if not expired:
        return 0
    released = await reservations.move(uow, RELEASE, expired, reason=EXPIRED)
    for moved in released:
        _publish_release(uow, terms, moved, EXPIRED)
    return len(released)


# ── reservations over HTTP ───────────────────────────────────────────────────────────────────────────────────────────


async def make_reservation(
    uow: UnitOfWork, terms: Terms, order_id: UUID, quantities: Mapping[str, int], *, hold_seconds: int | None = None
) -> tuple[Reservation, bool]:
    """Hold all items or none. Return the reservation, and whether it is new.

    A repeated request returns the same reservation while it is active.

    Raises:
        UnknownSkus, InsufficientStock, CurrencyMismatch: nothing is held.
        IllegalState: the order's reservation has ended.
        ReservationExists: it is one of other items.
    """
    hold = terms.hold if hold_seconds is None else timedelta(seconds=hold_seconds)
    taken = await reservations.reserve(uow, order_id, quantities, currency=None, hold=hold)
    if isinstance(taken, NothingTaken):
        raise _refusal(rejection(order_id, await reservations.offers(uow, quantities), None))
    if isinstance(taken, Hold):
        _publish_hold(uow, terms, order_id, taken)
    reservation = await reservations.fetch_reservation(uow, order_id=order_id)
    assert reservation is not None
    if reservation.status not in (Status.HELD, Status.COMMITTED):
        raise errors.IllegalState(reservation.status, Status.HELD)
    if {line.sku: line.quantity for line in reservation.lines} != dict(quantities):
        raise errors.ReservationExists(order_id, reservation.reservation_id)
    return reservation, taken is not None


async def commit_reservation(uow: UnitOfWork, terms: Terms, reservation_id: UUID) -> Reservation:
    """Commit a hold; safe to repeat. Raises UnknownReservation, HoldExpired, IllegalState."""
    reservation = await _reservation(uow, reservation_id)
    await commit_for_order(uow, terms, reservation.order_id)
    reservation = await _reservation(uow, reservation_id)
    if reservation.status is Status.RELEASED and reservation.reason == EXPIRED:
        raise errors.HoldExpired(reservation_id)
    if reservation.status is not Status.COMMITTED:
        raise errors.IllegalState(reservation.status, Status.COMMITTED)
    return reservation


async def release_reservation(uow: UnitOfWork, terms: Terms, reservation_id: UUID) -> Reservation:
    """Release a hold; safe to repeat. Raises UnknownReservation, IllegalState."""
    reservation = await _reservation(uow, reservation_id)
    for moved in await reservations.move(uow, RELEASE, [reservation.order_id], reason="requested"):
        _publish_release(uow, terms, moved, "requested")
    reservation = await _reservation(uow, reservation_id)
    if reservation.status is not Status.RELEASED:
        raise errors.IllegalState(reservation.status, Status.RELEASED)
    return reservation


async def _reservation(uow: UnitOfWork, reservation_id: UUID) -> Reservation:
    reservation = await reservations.fetch_reservation(uow, reservation_id=reservation_id)
    if reservation is None:
        raise errors.UnknownReservation(reservation_id)
    return reservation


# ── pure parts ───────────────────────────────────────────────────────────────────────────────────────────────────────


def merge_quantities(items: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the total quantity of each SKU."""
    total: Counter[str] = Counter()
    for sku, quantity in items:
        total[sku] += quantity
    return dict(total)


def rejection(order_id: UUID, offers: Iterable[Offer], currency: str | None) -> InventoryRejected:
    """Return why an order was rejected; permanent reasons come first.

    The offers were read after the attempt, so they may include stock that was released in between.
    """
    offers = list(offers)
    unknown = [offer for offer in offers if offer.currency is None]
    if unknown:
        return _rejected(order_id, "unknown_sku", unknown)
    if len({offer.currency for offer in offers} | ({currency} if currency else set())) > 1:
        return _rejected(order_id, "currency_mismatch", [])
    return _rejected(order_id, "out_of_stock", [offer for offer in offers if offer.available < offer.requested])


def _rejected(order_id: UUID, reason: str, short: Iterable[Offer]) -> InventoryRejected:
    shortages = tuple(Shortage(sku=it.sku, requested=it.requested, available=it.available) for it in short)
    return InventoryRejected(order_id=order_id, reason=reason, shortages=shortages)


def _refusal(rejected: InventoryRejected) -> Exception:
    match rejected.reason:
        case "unknown_sku":
            return errors.UnknownSkus([shortage.sku for shortage in rejected.shortages])
        case "currency_mismatch":
            return errors.CurrencyMismatch()
        case _:
            return errors.InsufficientStock(rejected.shortages)


# ── published events ───────────────────────────────────────────────────────────────────────────────────────────────


def _publish_hold(uow: UnitOfWork, terms: Terms, order_id: UUID, hold: Hold) -> None:
    event = InventoryReserved(
        order_id=order_id,
        reservation_id=hold.reservation_id,
        items=tuple(
            events.ReservedItem(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price) for line in hold.lines
        ),
        currency=hold.currency,
        total=hold.total,
        expires_at=hold.expires_at,
    )
    uow.publish(event, aggregate_id=hold.reservation_id, aggregate_version=1)
    _report_low_stock(uow, terms, hold.levels)
    _emit_levels(uow, terms, [line.sku for line in hold.lines])


def _publish_commit(uow: UnitOfWork, terms: Terms, moved: Moved) -> None:
    event = InventoryCommitted(order_id=moved.order_id, reservation_id=moved.reservation_id)
    uow.publish(event, aggregate_id=moved.reservation_id, aggregate_version=moved.version)
    _emit_levels(uow, terms, moved.skus)


def _publish_release(uow: UnitOfWork, terms: Terms, moved: Moved, reason: str) -> None:
    event = InventoryReleased(order_id=moved.order_id, reservation_id=moved.reservation_id, reason=reason)
    uow.publish(event, aggregate_id=moved.reservation_id, aggregate_version=moved.version)
    _emit_levels(uow, terms, moved.skus)


def _report_low_stock(uow: UnitOfWork, terms: Terms, levels: Iterable[StockLevel]) -> None:
    for level in levels:
        if level.fell_to(terms.low_stock_threshold):
            event = events.StockLow(sku=level.sku, available=level.available, threshold=terms.low_stock_threshold)
            uow.publish(event, aggregate_id=level.sku, aggregate_version=level.version)


def _emit_levels(uow: UnitOfWork, terms: Terms, skus: Collection[str]) -> None:
    uow.on_commit(lambda: terms.items_changed(skus))
