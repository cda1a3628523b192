"""Items, stock and the ledger: values, and the SQL that reads and changes them. Reservations are in reservations.py.

The statement that changes a stock row also adds a row to `stock_movements`, so the two always agree. Amounts are
integers in minor units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, cast
from uuid import UUID

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

_FETCH_ITEM = """
SELECT sku, name, price, currency, available, reserved, items.version, created_at, updated_at
FROM items JOIN stock USING (sku) WHERE sku = $1 AND archived_at IS NULL
"""

_FETCH_ITEMS = """
SELECT sku, name, price, currency, available, reserved, items.version, created_at, updated_at
FROM items JOIN stock USING (sku) WHERE sku = ANY($1) AND archived_at IS NULL ORDER BY sku
"""

_LIST_ITEMS = """
SELECT sku, name, price, currency, available, reserved, items.version, created_at, updated_at
FROM items JOIN stock USING (sku)
WHERE archived_at IS NULL AND sku > $1
  AND ($2::text IS NULL OR strpos(lower(name), lower($2)) > 0 OR strpos(lower(sku), lower($2)) > 0)
ORDER BY sku LIMIT $3
"""

_INSERT_ITEM = """
WITH item AS (
    INSERT INTO items (sku, name, price, currency) VALUES ($1, $2, $3, $4) ON CONFLICT (sku) DO NOTHING
    RETURNING sku, name, price, currency, version, created_at, updated_at
), empty_stock AS (
    INSERT INTO stock (sku) SELECT sku FROM item RETURNING available, reserved
)
SELECT item.*, available, reserved FROM item, empty_stock
"""

_LOCK_ITEM = f"{_FETCH_ITEM} FOR NO KEY UPDATE OF items"

_LOCK_ITEM_AND_STOCK = f"{_FETCH_ITEM} FOR NO KEY UPDATE"

_UPDATE_ITEM = """
UPDATE items SET name = $2, price = $3, version = version + 1, updated_at = now() WHERE sku = $1
RETURNING version, updated_at
"""

_ARCHIVE_ITEM = "UPDATE stock SET archived_at = now(), version = version + 1 WHERE sku = $1"


async def fetch_item(reader: Reader, sku: str) -> Item | None:
    row = await reader.fetch_row(_FETCH_ITEM, sku)
    return _item(row) if row else None


async def fetch_items(reader: Reader, skus: Sequence[str]) -> list[Item]:
    """Return which of the SKUs are in the catalogue, in order of SKU."""
    return [_item(row) for row in await reader.fetch(_FETCH_ITEMS, skus)]


async def list_items(reader: Reader, *, query: str | None, after: str, limit: int) -> list[Item]:
    """Return items whose name or SKU contains `query`, ignoring case, by SKU, after the SKU `after`."""
    return [_item(row) for row in await reader.fetch(_LIST_ITEMS, after, query, limit)]


async def insert_item(uow: UnitOfWork, *, sku: str, name: str, price: int, currency: str) -> Item | None:
    """Insert an item without stock. Return None if the SKU is taken."""
    row = await uow.fetch_row(_INSERT_ITEM, sku, name, price, currency)
    return _item(row) if row else None


async def lock_item(uow: UnitOfWork, sku: str) -> Item | None:
    """Lock the item until the unit of work ends. Its stock may still change."""
    row = await uow.fetch_row(_LOCK_ITEM, sku)
    return _item(row) if row else None


async def lock_item_and_stock(uow: UnitOfWork, sku: str) -> Item | None:
    """Lock the item and its stock. Wait for running reservations; later ones wait for this unit of work."""
    row = await uow.fetch_row(_LOCK_ITEM_AND_STOCK, sku)
    return _item(row) if row else None


async def update_item(uow: UnitOfWork, sku: str, *, name: str, price: int) -> tuple[int, datetime]:
    """Update the item. Return its new version and time."""
    row = await uow.fetch_row(_UPDATE_ITEM, sku, name, price)
    assert row is not None
    return row["version"], row["updated_at"]


async def archive_item(uow: UnitOfWork, sku: str) -> None:
    await uow.execute(_ARCHIVE_ITEM, sku)


# ── stock and its ledger ─────────────────────────────────────────────────────────────────────────────────────────────

_ADJUST_STOCK = """
WITH adjusted AS (
    UPDATE stock SET available = available + $2, version = version + 1
    WHERE sku = $1 AND archived_at IS NULL AND available + $2 BETWEEN 0 AND $4
    RETURNING sku, available, version
), movement AS (
    INSERT INTO stock_movements (sku, kind, delta_available, reason)
    SELECT sku, 'adjustment', $2, $3 FROM adjusted
    RETURNING movement_id, sku, kind, delta_available, delta_reserved, delta_sold, order_id, reason, created_at
)
SELECT movement.*, adjusted.available AS available_after, adjusted.version AS stock_version FROM movement, adjusted
"""

_LIST_MOVEMENTS = """
SELECT movement_id, sku, kind, delta_available, delta_reserved, delta_sold, order_id, reason, created_at
FROM stock_movements JOIN stock USING (sku)
WHERE sku = $1 AND archived_at IS NULL AND movement_id < $2 ORDER BY movement_id DESC LIMIT $3
"""

_IS_IN_CATALOGUE = "SELECT EXISTS (SELECT FROM stock WHERE sku = $1 AND archived_at IS NULL)"

_LEDGER_DISCREPANCIES = "SELECT * FROM ledger_discrepancies ORDER BY sku"


async def adjust_stock(uow: UnitOfWork, sku: str, *, delta: int, reason: str) -> tuple[Movement, StockLevel] | None:
    """Change the available units by `delta`. Return None if unknown, or if the result is outside 0 to MAX_AVAILABLE."""
    row = await uow.fetch_row(_ADJUST_STOCK, sku, delta, reason, MAX_AVAILABLE)
    if row is None:
        return None
    columns = dict(row)
    level = StockLevel(
        sku=sku, available=columns.pop("available_after"), delta=delta, version=columns.pop("stock_version")
    )
    return Movement(**columns), level


async def list_movements(reader: Reader, sku: str, *, before: int, limit: int) -> list[Movement]:
    """Return the ledger of an item, newest first, below the movement id `before`."""
    return [_movement(row) for row in await reader.fetch(_LIST_MOVEMENTS, sku, before, limit)]


async def is_in_catalogue(reader: Reader, sku: str) -> bool:
    return cast(bool, await reader.fetch_value(_IS_IN_CATALOGUE, sku))


async def ledger_discrepancies(reader: Reader) -> list[Record]:
    """Return stock rows that differ from ledger and reservations. There are none."""
    return await reader.fetch(_LEDGER_DISCREPANCIES)
