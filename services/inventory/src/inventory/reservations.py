"""Reservations: stock that is held, sold and returned for an order; values and SQL.

    held ─▶ committed ─▶ returned          rejected (order.placed could not be served)
    held ─▶ released                       released without lines: the order ended before order.placed arrived

Every transaction takes its locks in the same order, so there is no deadlock: first the reservation, by inserting or
updating its row, then stock rows by SKU. An order has at most one reservation (`order_id` is unique), so late,
duplicate and reordered messages are harmless.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

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


# One round trip while a hot stock row is locked. `locked` filters before it locks, so an order that cannot be served
# never waits, and PostgreSQL filters again after a wait, on the current row. `deal` has its one row only if
# every SKU passed and all have one currency, the wanted one; without it nothing below happens.
_RESERVE = """
WITH claim AS (
    INSERT INTO reservations (reservation_id, order_id, status, expires_at) VALUES ($1, $2, 'held', now() + $3)
    ON CONFLICT (order_id) DO NOTHING
    RETURNING reservation_id, order_id, expires_at
), wanted AS (
    SELECT sku, quantity FROM claim, unnest($4::text[], $5::bigint[]) AS wanted (sku, quantity)
), locked AS MATERIALIZED (
    SELECT stock.sku, wanted.quantity, items.price, items.currency
    FROM wanted JOIN stock ON stock.sku = wanted.sku JOIN items ON items.sku = stock.sku
    WHERE stock.available >= wanted.quantity AND stock.archived_at IS NULL
    ORDER BY stock.sku FOR NO KEY UPDATE OF stock
), deal AS (
    SELECT currency FROM locked GROUP BY currency
    HAVING count(*) = cardinality($4::text[]) AND currency = coalesce($6::text, currency)
), taken AS (
    UPDATE stock SET available = available - locked.quantity, reserved = reserved + locked.quantity,
                     version = version + 1
    FROM locked, deal WHERE stock.sku = locked.sku
    RETURNING stock.sku, locked.quantity, locked.price AS unit_price, locked.currency, available, version
), lines AS (
    INSERT INTO reservation_lines (reservation_id, sku, quantity, unit_price, currency)
    SELECT reservation_id, sku, quantity, unit_price, currency FROM claim, taken
), ledger AS (
    INSERT INTO stock_movements (sku, kind, delta_available, delta_reserved, order_id)
    SELECT sku, 'reserve', -quantity, quantity, order_id FROM claim, taken
)
SELECT claim.reservation_id, claim.expires_at, taken.* FROM claim LEFT JOIN taken ON true ORDER BY taken.sku
"""

# Several reservations may share a SKU (the sweeper moves a batch): a stock row changes once, by the sum.
_MOVE = """
WITH moved AS (
    UPDATE reservations SET status = $3, reason = coalesce($5, reason), version = version + 1, updated_at = now()
    WHERE order_id = ANY($1::uuid[]) AND status = $2
    RETURNING reservation_id, order_id, version
), lines AS (
    SELECT moved.reservation_id, order_id, sku, quantity FROM moved JOIN reservation_lines USING (reservation_id)
), sums AS (
    SELECT sku, sum(quantity)::bigint AS quantity FROM lines GROUP BY sku
), locked AS MATERIALIZED (
    SELECT stock.sku, sums.quantity FROM sums JOIN stock ON stock.sku = sums.sku
    ORDER BY stock.sku FOR NO KEY UPDATE OF stock
), stocked AS (
    UPDATE stock SET available = available + $6 * locked.quantity, reserved = reserved + $7 * locked.quantity,
                     sold = sold + $8 * locked.quantity, version = version + 1
    FROM locked WHERE stock.sku = locked.sku
), ledger AS (
    INSERT INTO stock_movements (sku, kind, delta_available, delta_reserved, delta_sold, order_id, reason)
    SELECT sku, $4, $6 * quantity, $7 * quantity, $8 * quantity, order_id, $5 FROM lines
)
SELECT reservation_id, order_id, version,
       array(SELECT sku FROM lines WHERE lines.reservation_id = moved.reservation_id) AS skus
FROM moved ORDER BY reservation_id
"""

_OFFERS = """
SELECT wanted.sku, wanted.quantity AS requested, coalesce(stock.available, 0) AS available, items.currency
FROM unnest($1::text[], $2::bigint[]) AS wanted (sku, quantity)
LEFT JOIN stock ON stock.sku = wanted.sku AND stock.archived_at IS NULL
LEFT JOIN items ON items.sku = stock.sku
ORDER BY wanted.sku
"""

_REJECT = "UPDATE reservations SET status = 'rejected', reason = $2 WHERE reservation_id = $1"

_INSERT_TOMBSTONE = """
INSERT INTO reservations (reservation_id, order_id, status, reason, expires_at) VALUES ($1, $2, 'released', $3, now())
ON CONFLICT (order_id) DO NOTHING
"""

_LOCK_STATUS = "SELECT status FROM reservations WHERE order_id = $1 FOR UPDATE"

# Skip a hold that another sweeper or a commit has locked.
_EXPIRED_HOLDS = """
SELECT order_id FROM reservations WHERE status = 'held' AND expires_at <= now()
ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""

_FETCH = """
SELECT reservation_id, order_id, status, reason, version, expires_at, created_at, updated_at,
       array_agg(sku ORDER BY sku) FILTER (WHERE sku IS NOT NULL) AS skus,
       array_agg(quantity ORDER BY sku) AS quantities,
       array_agg(unit_price ORDER BY sku) AS unit_prices,
       min(currency) AS currency
FROM reservations LEFT JOIN reservation_lines USING (reservation_id)
WHERE reservation_id = $1 OR order_id = $2 GROUP BY reservation_id
"""


async def reserve(
    uow: UnitOfWork, order_id: UUID, quantities: Mapping[str, int], *, currency: str | None, hold: timedelta
) -> Hold | NothingTaken | None:
    """Claim the order's reservation and take all of the stock or none of it.

    Returns:
        None if the order already has a reservation, in any state.
    """
    skus = sorted(quantities)
    amounts = [quantities[sku] for sku in skus]
    rows = await uow.fetch(_RESERVE, new_id(), order_id, hold, skus, amounts, currency)
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
    rows = await reader.fetch(_OFFERS, list(quantities), list(quantities.values()))
    return [Offer(**dict(row)) for row in rows]


async def reject(uow: UnitOfWork, reservation_id: UUID, reason: str) -> None:
    """Record the rejection, so that a duplicate of the order is not reserved later."""
    await uow.execute(_REJECT, reservation_id, reason)


async def move(
    uow: UnitOfWork, transition: Transition, order_ids: Sequence[UUID], *, reason: str | None = None
) -> list[Moved]:
    """Move reservations in the transition's source state, and their stock. Skip the others."""
    step = transition
    rows = await uow.fetch(
        _MOVE, order_ids, step.source, step.target, step.kind, reason, step.available, step.reserved, step.sold
    )
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
    inserted = await uow.execute(_INSERT_TOMBSTONE, reservation_id, order_id, reason)
    return reservation_id if inserted == "INSERT 0 1" else None


async def lock_status(uow: UnitOfWork, order_id: UUID) -> Status:
    """Lock the order's reservation until the unit of work ends. Return its state."""
    return Status(await uow.fetch_value(_LOCK_STATUS, order_id))


async def lock_expired_holds(uow: UnitOfWork, *, limit: int) -> list[UUID]:
    """Return the orders whose holds have expired, locked."""
    return [row["order_id"] for row in await uow.fetch(_EXPIRED_HOLDS, limit)]


async def fetch_reservation(
    reader: Reader, *, reservation_id: UUID | None = None, order_id: UUID | None = None
) -> Reservation | None:
    """Return the reservation with that id, or of that order."""
    row = await reader.fetch_row(_FETCH, reservation_id, order_id)
    if row is None:
        return None
    columns = dict(row)
    parts = zip(columns.pop("skus") or (), columns.pop("quantities"), columns.pop("unit_prices"), strict=False)
    lines = tuple(Line(sku=sku, quantity=quantity, unit_price=price) for sku, quantity, price in parts)
    return Reservation(**columns | {"status": Status(columns["status"]), "lines": lines})
