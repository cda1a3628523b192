"""The tables of orders, as they are after all migrations, for the statements in model.py.

tests/integration/runtime_data/test_schemas.py compares them with a migrated database.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from orders.states import Status

metadata: Final = MetaData()

_STATUSES: Final = ", ".join(f"'{status}'" for status in Status)

orders: Final = Table(
    "orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False),
    Column("status", Text, CheckConstraint(f"status IN ({_STATUSES})"), nullable=False),
    Column("version", Integer, CheckConstraint("version >= 1"), nullable=False),
    Column("currency", Text, CheckConstraint("currency ~ '^[A-Z]{3}$'")),
    Column("total", BigInteger, CheckConstraint("total >= 0")),
    Column("reason", Text),
    Column("shortages", JSONB),
    Column("reservation_id", Uuid),
    Column("hold_committed", Boolean, nullable=False, server_default=false()),
    Column("address_id", Uuid),
    Column("note", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("orders_by_user", "user_id", "order_id"),
    Index("orders_pending_by_expiry", "expires_at", postgresql_where=text("status = 'pending'")),
)

order_items: Final = Table(
    "order_items",
    metadata,
    Column("order_id", ForeignKey(orders.c.order_id), primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("quantity", Integer, CheckConstraint("quantity >= 1"), nullable=False),
    Column("unit_price", BigInteger, CheckConstraint("unit_price >= 0")),
)

order_history: Final = Table(
    "order_history",
    metadata,
    Column("order_id", ForeignKey(orders.c.order_id), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("reason", Text),
)

disabled_users: Final = Table(
    "disabled_users",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, CheckConstraint("state IN ('disabled', 'enabled', 'deleted')"), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
