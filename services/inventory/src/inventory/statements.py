"""Every statement that reads or changes items, stock, the ledger and reservations, compiled at import.

model.py and reservations.py run them. The statement that changes a stock row also adds a row to `stock_movements`, so
the two always agree.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    SmallInteger,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from inventory.tables import Sku, items, reservations, stock, stock_movements
from platform_sdk.runtime.database.statements import compile_statement, parameters, sql_text

# ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_sku = bindparam("sku", type_=Sku)
_item = (
    select(
        *(items.c[name] for name in ("sku", "name", "price", "currency")),
        *(stock.c[name] for name in ("available", "reserved")),
        *(items.c[name] for name in ("version", "created_at", "updated_at")),
    )
    .join_from(items, stock, items.c.sku == stock.c.sku)
    .where(stock.c.archived_at.is_(None))
)
_one_item = _item.where(items.c.sku == _sku)

FETCH_ITEM: Final = compile_statement("fetch_item", _one_item)

FETCH_ITEMS: Final = compile_statement(
    "fetch_items",
    _item.where(items.c.sku == any_(bindparam("skus", type_=ARRAY(Text)))).order_by(items.c.sku),
)

_query = bindparam("query", type_=Text)
LIST_ITEMS: Final = compile_statement(
    "list_items",
    _item.where(
        items.c.sku > bindparam("after"),
        or_(
            _query.is_(None),
            func.strpos(func.lower(items.c.name), func.lower(_query)) > 0,
            func.strpos(func.lower(items.c.sku), func.lower(_query)) > 0,
        ),
    )
    .order_by(items.c.sku)
    .limit(bindparam("limit", type_=Integer)),
)

INSERT_ITEM: Final = compile_statement(
    "insert_item",
    sql_text(
        """
        WITH item AS (
            INSERT INTO items (sku, name, price, currency) VALUES (:sku, :name, :price, :currency)
            ON CONFLICT (sku) DO NOTHING
            RETURNING sku, name, price, currency, version, created_at, updated_at
        ), empty_stock AS (
            INSERT INTO stock (sku) SELECT sku FROM item RETURNING available, reserved
        )
        SELECT item.*, available, reserved FROM item, empty_stock
        """,
        sku=Text,
        name=Text,
        price=BigInteger,
        currency=Text,
    ),
)

LOCK_ITEM: Final = compile_statement("lock_item", _one_item.with_for_update(key_share=True, of=items))

LOCK_ITEM_AND_STOCK: Final = compile_statement("lock_item_and_stock", _one_item.with_for_update(key_share=True))

UPDATE_ITEM: Final = compile_statement(
    "update_item",
    update(items)
    .values(**parameters("name", "price"), version=items.c.version + 1, updated_at=func.now())
    .where(items.c.sku == _sku)
    .returning(items.c.version, items.c.updated_at),
)

ARCHIVE_ITEM: Final = compile_statement(
    "archive_item",
    update(stock).values(archived_at=func.now(), version=stock.c.version + 1).where(stock.c.sku == _sku),
)

# ── stock and its ledger ─────────────────────────────────────────────────────────────────────────────────────────────

ADJUST_STOCK: Final = compile_statement(
    "adjust_stock",
    sql_text(
        """
        WITH adjusted AS (
            UPDATE stock SET available = available + :delta, version = version + 1
            WHERE sku = :sku AND archived_at IS NULL AND available + :delta BETWEEN 0 AND :max_available
            RETURNING sku, available, version
        ), movement AS (
            INSERT INTO stock_movements (sku, kind, delta_available, reason)
            SELECT sku, 'adjustment', :delta, :reason FROM adjusted
            RETURNING movement_id, sku, kind, delta_available, delta_reserved, delta_sold, order_id, reason, created_at
        )
        SELECT movement.*, adjusted.available AS available_after, adjusted.version AS stock_version
        FROM movement, adjusted
        """,
        sku=Text,
        delta=BigInteger,
        reason=Text,
        max_available=BigInteger,
    ),
)

LIST_MOVEMENTS: Final = compile_statement(
    "list_movements",
    select(stock_movements)
    .join(stock, stock.c.sku == stock_movements.c.sku)
    .where(
        stock_movements.c.sku == _sku,
        stock.c.archived_at.is_(None),
        stock_movements.c.movement_id < bindparam("before"),
    )
    .order_by(stock_movements.c.movement_id.desc())
    .limit(bindparam("limit", type_=Integer)),
)

IS_IN_CATALOGUE: Final = compile_statement(
    "is_in_catalogue",
    select(select(stock.c.sku).where(stock.c.sku == _sku, stock.c.archived_at.is_(None)).exists()),
)

LEDGER_DISCREPANCIES: Final = compile_statement(
    "ledger_discrepancies", text("SELECT * FROM ledger_discrepancies ORDER BY sku")
)

# ── reservations ─────────────────────────────────────────────────────────────────────────────────────────────────────

# One round trip while a hot stock row is locked. `locked` filters before it locks, so an order that cannot be served
# never waits, and PostgreSQL filters again after a wait, on the current row. `deal` has its one row only if
# every SKU passed and all have one currency, the wanted one; without it nothing below happens.
RESERVE: Final = compile_statement(
    "reserve",
    sql_text(
        """
        WITH claim AS (
            INSERT INTO reservations (reservation_id, order_id, status, expires_at)
            VALUES (:reservation_id, :order_id, 'held', now() + :hold)
            ON CONFLICT (order_id) DO NOTHING
            RETURNING reservation_id, order_id, expires_at
        ), wanted AS (
            SELECT sku, quantity FROM claim, unnest(:skus, :quantities) AS wanted (sku, quantity)
        ), locked AS MATERIALIZED (
            SELECT stock.sku, wanted.quantity, items.price, items.currency
            FROM wanted JOIN stock ON stock.sku = wanted.sku JOIN items ON items.sku = stock.sku
            WHERE stock.available >= wanted.quantity AND stock.archived_at IS NULL
            ORDER BY stock.sku FOR NO KEY UPDATE OF stock
        ), deal AS (
            SELECT currency FROM locked GROUP BY currency
            HAVING count(*) = cardinality(:skus) AND currency = coalesce(:currency, currency)
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
        SELECT claim.reservation_id, claim.expires_at, taken.*
        FROM claim LEFT JOIN taken ON true ORDER BY taken.sku
        """,
        reservation_id=Uuid,
        order_id=Uuid,
        hold=INTERVAL,
        skus=ARRAY(Text),
        quantities=ARRAY(BigInteger),
        currency=Text,
    ),
)

# Several reservations may share a SKU (the sweeper moves a batch): a stock row changes once, by the sum.
MOVE: Final = compile_statement(
    "move",
    sql_text(
        """
        WITH moved AS (
            UPDATE reservations SET status = :target, reason = coalesce(:reason, reason), version = version + 1,
                                    updated_at = now()
            WHERE order_id = ANY(:order_ids) AND status = :source
            RETURNING reservation_id, order_id, version
        ), lines AS (
            SELECT moved.reservation_id, order_id, sku, quantity
            FROM moved JOIN reservation_lines USING (reservation_id)
        ), sums AS (
            SELECT sku, sum(quantity)::bigint AS quantity FROM lines GROUP BY sku
        ), locked AS MATERIALIZED (
            SELECT stock.sku, sums.quantity FROM sums JOIN stock ON stock.sku = sums.sku
            ORDER BY stock.sku FOR NO KEY UPDATE OF stock
        ), stocked AS (
            UPDATE stock SET available = available + :available * locked.quantity,
                             reserved = reserved + :reserved * locked.quantity,
                             sold = sold + :sold * locked.quantity, version = version + 1
            FROM locked WHERE stock.sku = locked.sku
        ), ledger AS (
            INSERT INTO stock_movements (sku, kind, delta_available, delta_reserved, delta_sold, order_id, reason)
            SELECT sku, :kind, :available * quantity, :reserved * quantity, :sold * quantity, order_id, :reason
            FROM lines
        )
        SELECT reservation_id, order_id, version,
               array(SELECT sku FROM lines WHERE lines.reservation_id = moved.reservation_id) AS skus
        FROM moved ORDER BY reservation_id
        """,
        order_ids=ARRAY(Uuid),
        source=Text,
        target=Text,
        kind=Text,
        reason=Text,
        available=SmallInteger,
        reserved=SmallInteger,
        sold=SmallInteger,
    ),
)

OFFERS: Final = compile_statement(
    "offers",
    sql_text(
        """
        SELECT wanted.sku, wanted.quantity AS requested, coalesce(stock.available, 0) AS available, items.currency
        FROM unnest(:skus, :quantities) AS wanted (sku, quantity)
        LEFT JOIN stock ON stock.sku = wanted.sku AND stock.archived_at IS NULL
        LEFT JOIN items ON items.sku = stock.sku
        ORDER BY wanted.sku
        """,
        skus=ARRAY(Text),
        quantities=ARRAY(BigInteger),
    ),
)

REJECT: Final = compile_statement(
    "reject",
    update(reservations)
    .values(**parameters("reason"), status="rejected")
    .where(reservations.c.reservation_id == bindparam("reservation_id")),
)

INSERT_TOMBSTONE: Final = compile_statement(
    "insert_tombstone",
    insert(reservations)
    .values(**parameters("reservation_id", "order_id", "reason"), status="released", expires_at=func.now())
    .on_conflict_do_nothing(index_elements=[reservations.c.order_id]),
)

LOCK_STATUS: Final = compile_statement(
    "lock_status",
    select(reservations.c.status).where(reservations.c.order_id == bindparam("order_id")).with_for_update(),
)

# Skip a hold that another sweeper or a commit has locked. 'held' is a literal: the partial index serves only a
# condition that PostgreSQL sees while it plans.
EXPIRED_HOLDS: Final = compile_statement(
    "expired_holds",
    select(reservations.c.order_id)
    .where(reservations.c.status == literal_column("'held'"), reservations.c.expires_at <= func.now())
    .order_by(reservations.c.expires_at)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True),
)

FETCH_RESERVATION: Final = compile_statement(
    "fetch_reservation",
    sql_text(
        """
        SELECT reservation_id, order_id, status, reason, version, expires_at, created_at, updated_at,
               array_agg(sku ORDER BY sku) FILTER (WHERE sku IS NOT NULL) AS skus,
               array_agg(quantity ORDER BY sku) AS quantities,
               array_agg(unit_price ORDER BY sku) AS unit_prices,
               min(currency) AS currency
        FROM reservations LEFT JOIN reservation_lines USING (reservation_id)
        WHERE reservation_id = :reservation_id OR order_id = :order_id GROUP BY reservation_id
        """,
        reservation_id=Uuid,
        order_id=Uuid,
    ),
)
