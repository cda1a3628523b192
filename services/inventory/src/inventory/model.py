"""Items, stock and the ledger: values, and the functions that read and change them. reservations.py has reservations.

Amounts are integers in minor units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, cast
from uuid import UUID

from inventory import statements
from platform_sdk.runtime.database.unit_of_work import Reader, Record, UnitOfWork

MAX_AVAILABLE: Final = 100_000_000
"""Units of one item. With MAX_PRICE and at most 100 lines, no total leaves a bigint."""
MAX_PRICE: Final = 100_000_000
"""Minor units: a million euros."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of the catalogue with its stock; `version` counts changes of name and price, not of stock."""

    sku: str
    name: str
    price: int
    currency: str
    available: int
    reserved: int
    version: int
    created_at: datetime
    updated_at: datetime


MovementKind = Literal["adjustment", "reserve", "release", "commit", "return"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One entry of the ledger."""

    movement_id: int
    sku: str
    kind: MovementKind
    delta_available: int
    delta_reserved: int
    delta_sold: int
    order_id: UUID | None
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevel:
    """The available units after a change of `delta` units, and the version of the stock row."""

    sku: str
    available: int
    delta: int
    version: int

    def fell_to(self, threshold: int) -> bool:
        """Return whether this change, and no earlier one, brought the stock to the threshold or below."""
        return self.available <= threshold < self.available - self.delta


def _item(row: Record) -> Item:
    return Item(**dict(row))


def _movement(row: Record) -> Movement:
    return Movement(**dict(row))


# ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def fetch_item(reader: Reader, sku: str) -> Item | None:
    row = await reader.fetch_row(statements.FETCH_ITEM, sku=sku)
    return _item(row) if row else None


async def fetch_items(reader: Reader, skus: Sequence[str]) -> list[Item]:
    """Return which of the SKUs are in the catalogue, in order of SKU."""
    return [_item(row) for row in await reader.fetch(statements.FETCH_ITEMS, skus=skus)]


async def list_items(reader: Reader, *, query: str | None, after: str, limit: int) -> list[Item]:
    """Return items whose name or SKU contains `query`, ignoring case, by SKU, after the SKU `after`."""
    rows = await reader.fetch(statements.LIST_ITEMS, after=after, query=query, limit=limit)
    return [_item(row) for row in rows]


async def insert_item(uow: UnitOfWork, *, sku: str, name: str, price: int, currency: str) -> Item | None:
    """Insert an item without stock. Return None if the SKU is taken."""
    row = await uow.fetch_row(statements.INSERT_ITEM, sku=sku, name=name, price=price, currency=currency)
    return _item(row) if row else None


async def lock_item(uow: UnitOfWork, sku: str) -> Item | None:
    """Lock the item until the unit of work ends. Its stock may still change."""
    row = await uow.fetch_row(statements.LOCK_ITEM, sku=sku)
    return _item(row) if row else None


async def lock_item_and_stock(uow: UnitOfWork, sku: str) -> Item | None:
    """Lock the item and its stock. Wait for running reservations; later ones wait for this unit of work."""
    row = await uow.fetch_row(statements.LOCK_ITEM_AND_STOCK, sku=sku)
    return _item(row) if row else None


async def update_item(uow: UnitOfWork, sku: str, *, name: str, price: int) -> tuple[int, datetime]:
    """Update the item. Return its new version and time."""
    row = await uow.fetch_row(statements.UPDATE_ITEM, sku=sku, name=name, price=price)
    assert row is not None
    return row["version"], row["updated_at"]


async def archive_item(uow: UnitOfWork, sku: str) -> None:
    await uow.execute(statements.ARCHIVE_ITEM, sku=sku)


# ── stock and its ledger ─────────────────────────────────────────────────────────────────────────────────────────────


async def adjust_stock(uow: UnitOfWork, sku: str, *, delta: int, reason: str) -> tuple[Movement, StockLevel] | None:
    """Change the available units by `delta`. Return None if unknown, or if the result is outside 0 to MAX_AVAILABLE."""
    row = await uow.fetch_row(statements.ADJUST_STOCK, sku=sku, delta=delta, reason=reason, max_available=MAX_AVAILABLE)
    if row is None:
        return None
    columns = dict(row)
    level = StockLevel(
        sku=sku, available=columns.pop("available_after"), delta=delta, version=columns.pop("stock_version")
    )
    return Movement(**columns), level


async def list_movements(reader: Reader, sku: str, *, before: int, limit: int) -> list[Movement]:
    """Return the ledger of an item, newest first, below the movement id `before`."""
    rows = await reader.fetch(statements.LIST_MOVEMENTS, sku=sku, before=before, limit=limit)
    return [_movement(row) for row in rows]


async def is_in_catalogue(reader: Reader, sku: str) -> bool:
    return cast(bool, await reader.fetch_value(statements.IS_IN_CATALOGUE, sku=sku))


async def ledger_discrepancies(reader: Reader) -> list[Record]:
    """Return stock rows that differ from ledger and reservations. There are none."""
    return await reader.fetch(statements.LEDGER_DISCREPANCIES)
