"""The tables of inventory, as they are after all migrations, for the statements in statements.py.

tests/integration/runtime_data/test_schemas.py compares them with a migrated database. It has two more parts, which no
statement needs as a table: the view `ledger_discrepancies`, and the trigger that keeps the ledger append-only.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

metadata: Final = MetaData()

Sku: Final = Text(collation="C")
"""Sorts by byte: all transactions lock stock rows in this order, whatever the database's locale."""

items: Final = Table(
    "items",
    metadata,
    Column("sku", Sku, primary_key=True),
    Column("name", Text, nullable=False),
    Column("price", BigInteger, CheckConstraint("price >= 0"), nullable=False),
    Column("currency", Text, CheckConstraint("currency ~ '^[A-Z]{3}$'"), nullable=False),
    Column("version", Integer, CheckConstraint("version >= 1"), nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

stock: Final = Table(
    "stock",
    metadata,
    Column("sku", Sku, ForeignKey(items.c.sku), primary_key=True),
    Column("available", BigInteger, CheckConstraint("available >= 0"), nullable=False, server_default=text("0")),
    Column("reserved", BigInteger, CheckConstraint("reserved >= 0"), nullable=False, server_default=text("0")),
    Column("sold", BigInteger, CheckConstraint("sold >= 0"), nullable=False, server_default=text("0")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("archived_at", DateTime(timezone=True)),
    postgresql_with={"fillfactor": 50},
)

reservations: Final = Table(
    "reservations",
    metadata,
    Column("reservation_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False, unique=True),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('held', 'committed', 'returned', 'released', 'rejected')"),
        nullable=False,
    ),
    Column("reason", Text),
    Column("version", Integer, CheckConstraint("version >= 1"), nullable=False, server_default=text("1")),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("reservations_held_by_expiry", "expires_at", postgresql_where=text("status = 'held'")),
)

reservation_lines: Final = Table(
    "reservation_lines",
    metadata,
    Column("reservation_id", ForeignKey(reservations.c.reservation_id), primary_key=True),
    Column("sku", Sku, ForeignKey(stock.c.sku), primary_key=True),
    Column("quantity", BigInteger, CheckConstraint("quantity >= 1"), nullable=False),
    Column("unit_price", BigInteger, CheckConstraint("unit_price >= 0"), nullable=False),
    Column("currency", Text, nullable=False),
)

stock_movements: Final = Table(
    "stock_movements",
    metadata,
    Column("movement_id", BigInteger, Identity(always=True), primary_key=True),
    Column("sku", Sku, ForeignKey(stock.c.sku), nullable=False),
    Column(
        "kind",
        Text,
        CheckConstraint("kind IN ('adjustment', 'reserve', 'release', 'commit', 'return')"),
        nullable=False,
    ),
    Column("delta_available", BigInteger, nullable=False),
    Column("delta_reserved", BigInteger, nullable=False, server_default=text("0")),
    Column("delta_sold", BigInteger, nullable=False, server_default=text("0")),
    Column("order_id", Uuid),
    Column("reason", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("order_id", "sku", "kind"),
    CheckConstraint("(order_id IS NULL) = (kind = 'adjustment')"),
    CheckConstraint("kind = 'adjustment' OR delta_available + delta_reserved + delta_sold = 0"),
    Index("stock_movements_by_sku", "sku", "movement_id"),
)
