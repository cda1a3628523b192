"""Reservations: stock that is held, sold and returned for an order; values and functions.

    held ─▶ committed ─▶ returned          rejected (order.placed could not be served)
    held ─▶ released                       released without lines: the order ended before order.placed arrived

Every transaction takes its locks in the same order, so there is no deadlock: first the reservation, by inserting or
updating its row, then stock rows by SKU. An order has at most one reservation (`order_id` is unique), so late,
duplicate and reordered messages are harmless.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from inventory import statements
from inventory.model import MovementKind, StockLevel
from platform_sdk.runtime.database.unit_of_work import Reader, UnitOfWork
from platform_sdk.runtime.messaging.messages import new_id


class Status(StrEnum):
    HELD = "held"
    COMMITTED = "committed"
    RETURNED = "returned"
    RELEASED = "released"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`unit_price` in minor units, as it was when the stock was reserved."""

    sku: str
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """`currency` is None and `total` 0 where nothing was ever held."""

    reservation_id: UUID
    order_id: UUID
    status: Status
    reason: str | None
    version: int
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    lines: tuple[Line, ...]
    currency: str | None

    @property
    def total(self) -> int:
        return sum(line.quantity * line.unit_price for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The stock that a new reservation has taken."""

    reservation_id: UUID
    expires_at: datetime
    lines: tuple[Line, ...]
    currency: str
    levels: tuple[StockLevel, ...]

    @property
    def total(self) -> int:
        return sum(line.quantity * line.unit_price for line in self.lines)


@dataclass(frozen=True, slots=True)
class NothingTaken:
    """The reservation's row exists, but at least one SKU was not available, so none was taken."""

    reservation_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the catalogue has of a wanted SKU; `currency` is None if it is not sold."""

    sku: str
    requested: int
    available: int
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """How a reservation changes, and what each unit of its lines does to the stock."""

    source: Status
    target: Status
    kind: MovementKind
    available: int
    reserved: int
    sold: int


COMMIT: Final = Transition(source=Status.HELD, target=Status.COMMITTED, kind="commit", available=0, reserved=-1, sold=1)
RELEASE: Final = Transition(
    source=Status.HELD, target=Status.RELEASED, kind="release", available=1, reserved=-1, sold=0
)
RETURN: Final = Transition(
    source=Status.COMMITTED, target=Status.RETURNED, kind="return", available=1, reserved=0, sold=-1
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A reservation after a transition."""

    reservation_id: UUID
    order_id: UUID
    version: int
    skus: tuple[str, ...]


async def reserve(
    uow: UnitOfWork, order_id: UUID, quantities: Mapping[str, int], *, currency: str | None, hold: timedelta
) -> Hold | NothingTaken | None:
    """Claim the order's reservation and take all of the stock or none of it.

    Returns:
        None if the order already has a reservation, in any state.
    """
    skus = sorted(quantities)
    rows = await uow.fetch(
        statements.RESERVE,
        reservation_id=new_id(),
        order_id=order_id,
        hold=hold,
        skus=skus,
        quantities=[quantities[sku] for sku in skus],
        currency=currency,
    )
    if not rows:
        return None
    if rows[0]["sku"] is None:
        return NothingTaken(rows[0]["reservation_id"])
    return Hold(
        reservation_id=rows[0]["reservation_id"],
        expires_at=rows[0]["expires_at"],
        lines=tuple(Line(sku=it["sku"], quantity=it["quantity"], unit_price=it["unit_price"]) for it in rows),
        currency=rows[0]["currency"],
        levels=tuple(
            StockLevel(sku=it["sku"], available=it["available"], delta=-it["quantity"], version=it["version"])
            for it in rows
        ),
    )


async def offers(reader: Reader, quantities: Mapping[str, int]) -> list[Offer]:
    """Return what the catalogue has of each wanted SKU, as of now."""
    rows = await reader.fetch(statements.OFFERS, skus=list(quantities), quantities=list(quantities.values()))
    return [Offer(**dict(row)) for row in rows]


async def reject(uow: UnitOfWork, reservation_id: UUID, reason: str) -> None:
    """Record the rejection, so that a duplicate of the order is not reserved later."""
    await uow.execute(statements.REJECT, reservation_id=reservation_id, reason=reason)


async def move(
    uow: UnitOfWork, transition: Transition, order_ids: Sequence[UUID], *, reason: str | None = None
) -> list[Moved]:
    """Move reservations in the transition's source state, and their stock. Skip the others."""
    rows = await uow.fetch(statements.MOVE, order_ids=order_ids, reason=reason, **asdict(transition))
    return [
        Moved(
            reservation_id=row["reservation_id"],
            order_id=row["order_id"],
            version=row["version"],
            skus=tuple(row["skus"]),
        )
        for row in rows
    ]


async def insert_tombstone(uow: UnitOfWork, order_id: UUID, reason: str) -> UUID | None:
    """Block an order without a reservation from ever getting one. Return None if it has one, unchanged."""
    reservation_id = new_id()
    inserted = await uow.execute(
        statements.INSERT_TOMBSTONE, reservation_id=reservation_id, order_id=order_id, reason=reason
    )
    return reservation_id if inserted == "INSERT 0 1" else None


async def lock_status(uow: UnitOfWork, order_id: UUID) -> Status:
    """Lock the order's reservation until the unit of work ends. Return its state."""
    return Status(await uow.fetch_value(statements.LOCK_STATUS, order_id=order_id))


async def lock_expired_holds(uow: UnitOfWork, *, limit: int) -> list[UUID]:
    """Return the orders whose holds have expired, locked."""
    return [row["order_id"] for row in await uow.fetch(statements.EXPIRED_HOLDS, limit=limit)]


async def fetch_reservation(
    reader: Reader, *, reservation_id: UUID | None = None, order_id: UUID | None = None
) -> Reservation | None:
    """Return the reservation with that id, or of that order."""
    row = await reader.fetch_row(statements.FETCH_RESERVATION, reservation_id=reservation_id, order_id=order_id)
    if row is None:
        return None
    columns = dict(row)
    parts = zip(columns.pop("skus") or (), columns.pop("quantities"), columns.pop("unit_prices"), strict=False)
    lines = tuple(Line(sku=sku, quantity=quantity, unit_price=price) for sku, quantity, price in parts)
    return Reservation(**columns | {"status": Status(columns["status"]), "lines": lines})
