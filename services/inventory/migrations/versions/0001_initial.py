"""Items, their stock, its ledger, and the reservations that hold stock for orders.

Revision ID: 0001
"""

from alembic import op

from platform_sdk.runtime.database import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Every SKU column sorts by byte: all transactions lock stock rows in this order, whatever the database's locale.
ITEMS = """
CREATE TABLE items (
    sku text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    price bigint NOT NULL CHECK (price >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
)
"""

# Apart from items, so that the rows that every order updates are small, and items keep their version while stock moves.
# Whether an item is archived stands here, because this is the row that a reservation locks: it cannot miss the change.
STOCK = """
CREATE TABLE stock (
    sku text COLLATE "C" PRIMARY KEY REFERENCES items,
    available bigint NOT NULL DEFAULT 0 CHECK (available >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    version bigint NOT NULL DEFAULT 1,
    archived_at timestamptz
) WITH (fillfactor = 50)
"""

RESERVATIONS = """
CREATE TABLE reservations (
    reservation_id uuid PRIMARY KEY,
    order_id uuid NOT NULL UNIQUE,
    status text NOT NULL CHECK (status IN ('held', 'committed', 'returned', 'released', 'rejected')),
    reason text,
    version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
)
"""

# Small whatever the table's size: only holds are in it.
HOLDS_BY_EXPIRY = "CREATE INDEX reservations_held_by_expiry ON reservations (expires_at) WHERE status = 'held'"

RESERVATION_LINES = """
CREATE TABLE reservation_lines (
    reservation_id uuid NOT NULL REFERENCES reservations,
    sku text COLLATE "C" NOT NULL REFERENCES stock,
    quantity bigint NOT NULL CHECK (quantity >= 1),
    unit_price bigint NOT NULL CHECK (unit_price >= 0),
    currency text NOT NULL,
    PRIMARY KEY (reservation_id, sku)
)
"""

# The unique constraint is the last guard against a movement applied twice; adjustments have no order and are exempt.
STOCK_MOVEMENTS = """
CREATE TABLE stock_movements (
    movement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku text COLLATE "C" NOT NULL REFERENCES stock,
    kind text NOT NULL CHECK (kind IN ('adjustment', 'reserve', 'release', 'commit', 'return')),
    delta_available bigint NOT NULL,
    delta_reserved bigint NOT NULL DEFAULT 0,
    delta_sold bigint NOT NULL DEFAULT 0,
    order_id uuid,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (order_id, sku, kind),
    CHECK ((order_id IS NULL) = (kind = 'adjustment')),
    CHECK (kind = 'adjustment' OR delta_available + delta_reserved + delta_sold = 0)
)
"""

MOVEMENTS_BY_SKU = "CREATE INDEX stock_movements_by_sku ON stock_movements (sku, movement_id)"

REFUSE_CHANGE = """
CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stock_movements is append-only; correct it with another movement'
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""

APPEND_ONLY = """
CREATE TRIGGER stock_movements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_movements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change()
"""

# Empty as long as every number in stock is explained twice: by the ledger, and by the reservations that stand.
LEDGER_DISCREPANCIES = """
CREATE VIEW ledger_discrepancies AS
WITH ledger AS (
    SELECT sku, sum(delta_available) AS available, sum(delta_reserved) AS reserved, sum(delta_sold) AS sold
    FROM stock_movements GROUP BY sku
), standing AS (
    SELECT line.sku,
           coalesce(sum(line.quantity) FILTER (WHERE reservation.status = 'held'), 0) AS reserved,
           coalesce(sum(line.quantity) FILTER (WHERE reservation.status = 'committed'), 0) AS sold
    FROM reservation_lines AS line JOIN reservations AS reservation USING (reservation_id) GROUP BY line.sku
)
SELECT stock.sku, stock.available, stock.reserved, stock.sold,
       coalesce(ledger.available, 0) AS ledger_available,
       coalesce(ledger.reserved, 0) AS ledger_reserved,
       coalesce(ledger.sold, 0) AS ledger_sold,
       coalesce(standing.reserved, 0) AS held_by_reservations,
       coalesce(standing.sold, 0) AS committed_by_reservations
FROM stock LEFT JOIN ledger USING (sku) LEFT JOIN standing USING (sku)
WHERE (stock.available, stock.reserved, stock.sold)
      IS DISTINCT FROM (coalesce(ledger.available, 0), coalesce(ledger.reserved, 0), coalesce(ledger.sold, 0))
   OR (stock.reserved, stock.sold) IS DISTINCT FROM (coalesce(standing.reserved, 0), coalesce(standing.sold, 0))
"""


def upgrade() -> None:
    for statement in tables.VERSION_1:
        op.execute(statement)
    for statement in (ITEMS, STOCK, RESERVATIONS, HOLDS_BY_EXPIRY, RESERVATION_LINES, STOCK_MOVEMENTS):
        op.execute(statement)
    for statement in (MOVEMENTS_BY_SKU, REFUSE_CHANGE, APPEND_ONLY, LEDGER_DISCREPANCIES):
        op.execute(statement)
