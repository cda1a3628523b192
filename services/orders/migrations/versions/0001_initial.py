"""Create orders, their items, their history, and which users may not order.

Revision ID: 0001
"""

from alembic import op

from platform_sdk.runtime.database import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ORDERS = """
CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'reserved', 'confirmed', 'paid', 'shipped', 'delivered',
                                           'refunded', 'rejected', 'cancelled', 'expired')),
    version integer NOT NULL CHECK (version >= 1),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    total bigint CHECK (total >= 0),
    reason text,
    shortages jsonb,
    reservation_id uuid,
    hold_committed boolean NOT NULL DEFAULT false,
    address_id uuid,
    note text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
)
"""

# A user's own orders, newest first: order ids are UUIDv7, so they sort by time.
ORDERS_BY_USER = "CREATE INDEX orders_by_user ON orders (user_id, order_id)"

# Small whatever the table's size: it has only open orders.
PENDING_BY_EXPIRY = "CREATE INDEX orders_pending_by_expiry ON orders (expires_at) WHERE status = 'pending'"

ORDER_ITEMS = """
CREATE TABLE order_items (
    order_id uuid NOT NULL REFERENCES orders,
    position smallint NOT NULL,
    sku text NOT NULL,
    quantity integer NOT NULL CHECK (quantity >= 1),
    unit_price bigint CHECK (unit_price >= 0),
    PRIMARY KEY (order_id, position)
)
"""

ORDER_HISTORY = """
CREATE TABLE order_history (
    order_id uuid NOT NULL REFERENCES orders,
    version integer NOT NULL,
    status text NOT NULL,
    at timestamptz NOT NULL,
    reason text,
    PRIMARY KEY (order_id, version)
)
"""

# Also of users who are enabled again: the version is what a late message is held against.
DISABLED_USERS = """
CREATE TABLE disabled_users (
    user_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('disabled', 'enabled', 'deleted')),
    since timestamptz NOT NULL DEFAULT now()
)
"""


def upgrade() -> None:
    for statement in tables.VERSION_1:
        op.execute(statement)
    for statement in (ORDERS, ORDERS_BY_USER, PENDING_BY_EXPIRY, ORDER_ITEMS, ORDER_HISTORY, DISABLED_USERS):
        op.execute(statement)
