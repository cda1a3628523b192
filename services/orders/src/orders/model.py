"""Orders as values, and every SQL statement that reads or writes them.

Use cases call it inside a unit of work, and reading routes with a reader. One statement moves an order: it updates the
status if the state machine allows it, raises the version, and adds a row of history. So no order moves without its
history, and a late or repeated request changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from orders.states import UNDECIDED, Status, sources_of
from platform_sdk.runtime.database.unit_of_work import Reader, Record, UnitOfWork

UserState = Literal["disabled", "enabled", "deleted"]
"""The last state of a user that the users service published. Most users have none and may order; `deleted` is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of an order. SKUs are distinct within it; the unit price is in minor units, unknown while pending."""

    sku: str
    quantity: int
    unit_price: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of an order's history. The order's version is the number of its steps."""

    version: int
    status: Status
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as its owner sees it. Amounts are integer minor units; `total` is null until inventory has priced it."""

    order_id: UUID
    user_id: UUID
    status: Status
    version: int
    items: tuple[Item, ...]
    currency: str | None
    total: int | None
    reason: str | None
    shortages: list[dict[str, Any]] | None
    address_id: UUID | None
    note: str | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    history: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A requested order, before it is stored."""

    order_id: UUID
    user_id: UUID
    items: tuple[Item, ...]
    currency: str | None
    address_id: UUID | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A completed transition."""

    order_id: UUID
    user_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Inventory's reservation of all items, with prices in minor units."""

    reservation_id: UUID
    currency: str
    total: int
    unit_prices: Mapping[str, int]


# One round trip, whatever the number of items. The WHERE keeps disabled users out without a query of its own.
_PLACE: Final = """
WITH placed AS (
    INSERT INTO orders (order_id, user_id, status, version, currency, address_id, note,
                        created_at, updated_at, expires_at)
    SELECT $1::uuid, $2::uuid, 'pending', 1, $3::text, $4::uuid, $5::text, now(), now(), now() + $6::interval
    WHERE NOT EXISTS (SELECT FROM disabled_users WHERE user_id = $2 AND state <> 'enabled')
    RETURNING created_at, expires_at
), lines AS (
    INSERT INTO order_items (order_id, position, sku, quantity)
    SELECT $1, line.position, line.sku, line.quantity
    FROM placed, unnest($7::text[], $8::int[]) WITH ORDINALITY AS line (sku, quantity, position)
), step AS (
    INSERT INTO order_history (order_id, version, status, at) SELECT $1, 1, 'pending', created_at FROM placed
)
SELECT created_at, expires_at FROM placed
"""

# clock_timestamp(), not now(): a consumer's transaction may have begun before the one whose lock it waited for, and
# an order's history must not run backwards.
_ADVANCE: Final = """
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
    UPDATE orders SET status = $2::text, version = version + 1, updated_at = clock.at,
                      reason = coalesce($3::text, reason), shortages = coalesce($4::jsonb, shortages)
    FROM clock WHERE order_id = $1::uuid AND status = ANY ($5::text[])
    RETURNING order_id, user_id, version, clock.at
), step AS (
    INSERT INTO order_history (order_id, version, status, at, reason) SELECT order_id, version, $2, at, $3 FROM moved
)
SELECT order_id, user_id, version FROM moved
"""

_RESERVE: Final = """
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
    UPDATE orders SET status = 'reserved', version = version + 1, updated_at = clock.at,
                      currency = $2::text, total = $3::bigint, reservation_id = $4::uuid
    FROM clock WHERE order_id = $1::uuid AND status = 'pending'
    RETURNING order_id, user_id, version, hold_committed, clock.at
), step AS (
    INSERT INTO order_history (order_id, version, status, at) SELECT order_id, version, 'reserved', at FROM moved
), priced AS (
    UPDATE order_items SET unit_price = price.unit_price
    FROM moved, unnest($5::text[], $6::bigint[]) AS price (sku, unit_price)
    WHERE order_items.order_id = moved.order_id AND order_items.sku = price.sku
)
SELECT order_id, user_id, version, hold_committed,
       EXISTS (SELECT FROM disabled_users AS known WHERE known.user_id = moved.user_id AND state <> 'enabled')
           AS user_disabled
FROM moved
"""

_REMEMBER_COMMITTED: Final = "UPDATE orders SET hold_committed = true WHERE order_id = $1 AND status = 'pending'"

_EXPIRE_DUE: Final = """
WITH due AS (
    SELECT order_id FROM orders WHERE status = 'pending' AND expires_at <= now()
    ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
), clock AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
    UPDATE orders SET status = 'expired', version = version + 1, updated_at = clock.at, reason = 'not_reserved_in_time'
    FROM clock, due WHERE orders.order_id = due.order_id
    RETURNING orders.order_id, user_id, version, clock.at
), step AS (
    INSERT INTO order_history (order_id, version, status, at, reason)
    SELECT order_id, version, 'expired', at, 'not_reserved_in_time' FROM moved
)
SELECT order_id, user_id, version FROM moved
"""

# The row stays, so that a late message finds the later version.
_NOTE_USER: Final = """
INSERT INTO disabled_users AS known (user_id, version, state) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE SET version = excluded.version, state = excluded.state, since = now()
WHERE known.state <> 'deleted' AND (known.version < excluded.version OR excluded.state = 'deleted')
RETURNING true
"""

_CANCEL_OF_USER: Final = """
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
    UPDATE orders SET status = 'cancelled', version = version + 1, updated_at = clock.at, reason = $2::text
    FROM clock WHERE user_id = $1::uuid AND status = ANY ($3::text[])
    RETURNING order_id, user_id, version, clock.at
), step AS (
    INSERT INTO order_history (order_id, version, status, at, reason)
    SELECT order_id, version, 'cancelled', at, $2 FROM moved
)
SELECT order_id, user_id, version FROM moved
"""

_ORDER: Final = """
SELECT orders.*, lines.*, steps.* FROM orders, LATERAL (
    SELECT array_agg(sku ORDER BY position) AS skus, array_agg(quantity ORDER BY position) AS quantities,
           array_agg(unit_price ORDER BY position) AS unit_prices
    FROM order_items WHERE order_items.order_id = orders.order_id
) AS lines, LATERAL (
    SELECT array_agg(status ORDER BY version) AS statuses, array_agg(at ORDER BY version) AS moments,
           array_agg(reason ORDER BY version) AS reasons
    FROM order_history WHERE order_history.order_id = orders.order_id
) AS steps
"""

# $2 is the owner whose order it must be; null for an administrator.
_ONE: Final = _ORDER + "WHERE orders.order_id = $1::uuid AND ($2::uuid IS NULL OR orders.user_id = $2)"

_PAGE: Final = (
    _ORDER
    + """
WHERE ($1::uuid IS NULL OR orders.user_id = $1) AND ($2::text IS NULL OR orders.status = $2)
  AND ($3::timestamptz IS NULL OR orders.created_at >= $3) AND ($4::timestamptz IS NULL OR orders.created_at < $4)
  AND ($5::uuid IS NULL OR orders.order_id < $5)
ORDER BY orders.order_id DESC LIMIT $6
"""
)

_LOCK: Final = """
SELECT status, version FROM orders WHERE order_id = $1::uuid AND ($2::uuid IS NULL OR user_id = $2) FOR UPDATE
"""

_VERSIONS: Final = "SELECT order_id, version, status FROM orders WHERE order_id = ANY ($1::uuid[])"

_STEPS_AFTER: Final = """
SELECT version, status, at, reason FROM order_history WHERE order_id = $1 AND version > $2 ORDER BY version
"""


async def insert(uow: UnitOfWork, draft: Draft, lifetime: timedelta) -> Order | None:
    """Insert a pending order with items and history. Return None if the user is disabled."""
    moments = await uow.fetch_row(
        _PLACE,
        draft.order_id,
        draft.user_id,
        draft.currency,
        draft.address_id,
        draft.note,
        lifetime,
        [item.sku for item in draft.items],
        [item.quantity for item in draft.items],
    )
    if moments is None:
        return None
    created_at = moments["created_at"]
    return Order(
        order_id=draft.order_id,
        user_id=draft.user_id,
        status=Status.PENDING,
        version=1,
        items=draft.items,
        currency=draft.currency,
        total=None,
        reason=None,
        shortages=None,
        address_id=draft.address_id,
        note=draft.note,
        created_at=created_at,
        updated_at=created_at,
        expires_at=moments["expires_at"],
        history=(Step(version=1, status=Status.PENDING, at=created_at),),
    )


async def advance(
    uow: UnitOfWork,
    order_id: UUID,
    target: Status,
    *,
    reason: str | None = None,
    shortages: Sequence[Mapping[str, Any]] | None = None,
) -> Moved | None:
    """Move an order to `target`. Return None if there is no such order, or `target` cannot follow its status."""
    row = await uow.fetch_row(_ADVANCE, order_id, target, reason, shortages, sources_of(target))
    return None if row is None else _moved(row)


async def reserve(uow: UnitOfWork, order_id: UUID, hold: Hold) -> tuple[Moved, bool, bool] | None:
    """Move a pending order to reserved and store its prices. Return None if it is not pending.

    The two flags say whether the hold is already committed, and whether the user is disabled.
    """
    row = await uow.fetch_row(
        _RESERVE,
        order_id,
        hold.currency,
        hold.total,
        hold.reservation_id,
        list(hold.unit_prices.keys()),
        list(hold.unit_prices.values()),
    )
    return None if row is None else (_moved(row), row["hold_committed"], row["user_disabled"])


async def remember_committed(uow: UnitOfWork, order_id: UUID) -> None:
    """Record on a pending order that its hold is already committed, until the reservation's message arrives."""
    await uow.execute(_REMEMBER_COMMITTED, order_id)


async def expire_due(uow: UnitOfWork, limit: int) -> list[Moved]:
    """Expire at most `limit` overdue pending orders. Skip rows that another process has locked."""
    return [_moved(row) for row in await uow.fetch(_EXPIRE_DUE, limit)]


async def note_user(uow: UnitOfWork, user_id: UUID, version: int, state: UserState) -> bool:
    """Store the state of a user at `version`. Return False if a later one is known, or the user is deleted."""
    return await uow.fetch_value(_NOTE_USER, user_id, version, state) is not None


async def cancel_of_user(uow: UnitOfWork, user_id: UUID, reason: str) -> list[Moved]:
    """Cancel all undecided orders of a user."""
    return [_moved(row) for row in await uow.fetch(_CANCEL_OF_USER, user_id, reason, list(UNDECIDED))]


async def lock(uow: UnitOfWork, order_id: UUID, owner: UUID | None) -> tuple[Status, int] | None:
    """Lock an order until the transaction ends. Return status and version; None if `owner` (None: any) has none."""
    row = await uow.fetch_row(_LOCK, order_id, owner)
    return None if row is None else (Status(row["status"]), row["version"])


async def find(reader: Reader, order_id: UUID, owner: UUID | None) -> Order | None:
    """Return the order if `owner` (None: any) owns it."""
    row = await reader.fetch_row(_ONE, order_id, owner)
    return None if row is None else _order(row)


async def page(
    reader: Reader,
    *,
    user_id: UUID | None,
    status: Status | None,
    created_from: datetime | None,
    created_before: datetime | None,
    before: UUID | None,
    limit: int,
) -> list[Order]:
    """Return at most `limit` orders, newest first, older than the order `before`; None for a filter means any."""
    rows = await reader.fetch(_PAGE, user_id, status, created_from, created_before, before, limit)
    return [_order(row) for row in rows]


async def versions(reader: Reader, order_ids: Sequence[UUID]) -> dict[UUID, tuple[int, Status]]:
    """Return version and status of each of these orders, in one query."""
    rows = await reader.fetch(_VERSIONS, order_ids)
    return {row["order_id"]: (row["version"], Status(row["status"])) for row in rows}


async def steps_after(reader: Reader, order_id: UUID, version: int) -> list[Step]:
    """Return the steps of an order's history that follow `version`, oldest first."""
    rows = await reader.fetch(_STEPS_AFTER, order_id, version)
    return [
        Step(version=row["version"], status=Status(row["status"]), at=row["at"], reason=row["reason"]) for row in rows
    ]


def _moved(row: Record) -> Moved:
    return Moved(order_id=row["order_id"], user_id=row["user_id"], version=row["version"])


def _order(row: Record) -> Order:
    items = zip(row["skus"], row["quantities"], row["unit_prices"], strict=True)
    steps = zip(row["statuses"], row["moments"], row["reasons"], strict=True)
    return Order(
        order_id=_uuid(row["order_id"]),
        user_id=_uuid(row["user_id"]),
        status=Status(row["status"]),
        version=row["version"],
        items=tuple(Item(sku=sku, quantity=quantity, unit_price=price) for sku, quantity, price in items),
        currency=row["currency"],
        total=row["total"],
        reason=row["reason"],
        shortages=row["shortages"],
        address_id=None if row["address_id"] is None else _uuid(row["address_id"]),
        note=row["note"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
        history=tuple(
            Step(version=number, status=Status(status), at=at, reason=reason)
            for number, (status, at, reason) in enumerate(steps, start=1)
        ),
    )


def _uuid(value: UUID) -> UUID:
    # asyncpg has a class of its own, which orjson does not know.
    return UUID(int=value.int)
