"""Orders as values, and the functions that read and write them with the statements of statements.py.

Use cases call them inside a unit of work, and reading routes with a reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from orders import statements
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


async def insert(uow: UnitOfWork, draft: Draft, lifetime: timedelta) -> Order | None:
    """Insert a pending order with items and history. Return None if the user is disabled."""
    moments = await uow.fetch_row(
        statements.PLACE_ORDER,
        order_id=draft.order_id,
        user_id=draft.user_id,
        currency=draft.currency,
        address_id=draft.address_id,
        note=draft.note,
        lifetime=lifetime,
        skus=[item.sku for item in draft.items],
        quantities=[item.quantity for item in draft.items],
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
    row = await uow.fetch_row(
        statements.ADVANCE_ORDER,
        order_id=order_id,
        target=target,
        reason=reason,
        shortages=shortages,
        sources=sources_of(target),
    )
    return None if row is None else _moved(row)


async def reserve(uow: UnitOfWork, order_id: UUID, hold: Hold) -> tuple[Moved, bool, bool] | None:
    """Move a pending order to reserved and store its prices. Return None if it is not pending.

    The two flags say whether the hold is already committed, and whether the user is disabled.
    """
    row = await uow.fetch_row(
        statements.RESERVE_ORDER,
        order_id=order_id,
        currency=hold.currency,
        total=hold.total,
        reservation_id=hold.reservation_id,
        skus=list(hold.unit_prices.keys()),
        unit_prices=list(hold.unit_prices.values()),
    )
    return None if row is None else (_moved(row), row["hold_committed"], row["user_disabled"])


async def remember_committed(uow: UnitOfWork, order_id: UUID) -> None:
    """Record on a pending order that its hold is already committed, until the reservation's message arrives."""
    await uow.execute(statements.REMEMBER_COMMITTED, order_id=order_id)


async def expire_due(uow: UnitOfWork, limit: int) -> list[Moved]:
    """Expire at most `limit` overdue pending orders. Skip rows that another process has locked."""
    return [_moved(row) for row in await uow.fetch(statements.EXPIRE_DUE_ORDERS, limit=limit)]


async def note_user(uow: UnitOfWork, user_id: UUID, version: int, state: UserState) -> bool:
    """Store the state of a user at `version`. Return False if a later one is known, or the user is deleted."""
    return await uow.fetch_value(statements.NOTE_USER, user_id=user_id, version=version, state=state) is not None


async def cancel_of_user(uow: UnitOfWork, user_id: UUID, reason: str) -> list[Moved]:
    """Cancel all undecided orders of a user."""
    rows = await uow.fetch(statements.CANCEL_ORDERS_OF_USER, user_id=user_id, reason=reason, sources=list(UNDECIDED))
    return [_moved(row) for row in rows]


async def lock(uow: UnitOfWork, order_id: UUID, owner: UUID | None) -> tuple[Status, int] | None:
    """Lock an order until the transaction ends. Return status and version; None if `owner` (None: any) has none."""
    row = await uow.fetch_row(statements.LOCK_ORDER, order_id=order_id, owner=owner)
    return None if row is None else (Status(row["status"]), row["version"])


async def find(reader: Reader, order_id: UUID, owner: UUID | None) -> Order | None:
    """Return the order if `owner` (None: any) owns it."""
    row = await reader.fetch_row(statements.FIND_ORDER, order_id=order_id, owner=owner)
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
    rows = await reader.fetch(
        statements.PAGE_OF_ORDERS,
        user_id=user_id,
        status=status,
        created_from=created_from,
        created_before=created_before,
        before=before,
        limit=limit,
    )
    return [_order(row) for row in rows]


async def versions(reader: Reader, order_ids: Sequence[UUID]) -> dict[UUID, tuple[int, Status]]:
    """Return version and status of each of these orders, in one query."""
    rows = await reader.fetch(statements.VERSIONS_OF_ORDERS, order_ids=order_ids)
    return {row["order_id"]: (row["version"], Status(row["status"])) for row in rows}


async def steps_after(reader: Reader, order_id: UUID, version: int) -> list[Step]:
    """Return the steps of an order's history that follow `version`, oldest first."""
    rows = await reader.fetch(statements.STEPS_AFTER, order_id=order_id, after=version)
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
