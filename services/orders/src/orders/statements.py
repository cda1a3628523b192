"""Every statement that reads or writes orders, compiled when this module is imported. Only model.py runs them.

One statement moves an order: it updates the status if the state machine allows it, raises the version, and adds a row
of history. So no order moves without its history, and a late or repeated request changes nothing.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Integer,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB, insert

from orders.states import Status
from orders.tables import disabled_users, order_history, orders
from platform_sdk.runtime.database.statements import compile_statement, parameters, sql_text

# One round trip, whatever the number of items. The WHERE keeps disabled users out without a query of its own.
PLACE_ORDER: Final = compile_statement(
    "place_order",
    sql_text(
        """
        WITH placed AS (
            INSERT INTO orders (order_id, user_id, status, version, currency, address_id, note,
                                created_at, updated_at, expires_at)
            SELECT :order_id, :user_id, 'pending', 1, :currency, :address_id, :note, now(), now(), now() + :lifetime
            WHERE NOT EXISTS (SELECT FROM disabled_users WHERE user_id = :user_id AND state <> 'enabled')
            RETURNING created_at, expires_at
        ), lines AS (
            INSERT INTO order_items (order_id, position, sku, quantity)
            SELECT :order_id, line.position, line.sku, line.quantity
            FROM placed, unnest(:skus, :quantities) WITH ORDINALITY AS line (sku, quantity, position)
        ), step AS (
            INSERT INTO order_history (order_id, version, status, at)
            SELECT :order_id, 1, 'pending', created_at FROM placed
        )
        SELECT created_at, expires_at FROM placed
        """,
        order_id=Uuid,
        user_id=Uuid,
        currency=Text,
        address_id=Uuid,
        note=Text,
        lifetime=INTERVAL,
        skus=ARRAY(Text),
        quantities=ARRAY(Integer),
    ),
)

# clock_timestamp(), not now(): a consumer's transaction may have begun before the one whose lock it waited for, and
# an order's history must not run backwards.
ADVANCE_ORDER: Final = compile_statement(
    "advance_order",
    sql_text(
        """
        WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
            UPDATE orders SET status = :target, version = version + 1, updated_at = clock.at,
                              reason = coalesce(:reason, reason), shortages = coalesce(:shortages, shortages)
            FROM clock WHERE order_id = :order_id AND status = ANY (:sources)
            RETURNING order_id, user_id, version, clock.at
        ), step AS (
            INSERT INTO order_history (order_id, version, status, at, reason)
            SELECT order_id, version, :target, at, :reason FROM moved
        )
        SELECT order_id, user_id, version FROM moved
        """,
        order_id=Uuid,
        target=Text,
        reason=Text,
        shortages=JSONB,
        sources=ARRAY(Text),
    ),
)

RESERVE_ORDER: Final = compile_statement(
    "reserve_order",
    sql_text(
        """
        WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
            UPDATE orders SET status = 'reserved', version = version + 1, updated_at = clock.at,
                              currency = :currency, total = :total, reservation_id = :reservation_id
            FROM clock WHERE order_id = :order_id AND status = 'pending'
            RETURNING order_id, user_id, version, hold_committed, clock.at
        ), step AS (
            INSERT INTO order_history (order_id, version, status, at)
            SELECT order_id, version, 'reserved', at FROM moved
        ), priced AS (
            UPDATE order_items SET unit_price = price.unit_price
            FROM moved, unnest(:skus, :unit_prices) AS price (sku, unit_price)
            WHERE order_items.order_id = moved.order_id AND order_items.sku = price.sku
        )
        SELECT order_id, user_id, version, hold_committed,
               EXISTS (SELECT FROM disabled_users AS known WHERE known.user_id = moved.user_id AND state <> 'enabled')
                   AS user_disabled
        FROM moved
        """,
        order_id=Uuid,
        currency=Text,
        total=BigInteger,
        reservation_id=Uuid,
        skus=ARRAY(Text),
        unit_prices=ARRAY(BigInteger),
    ),
)

REMEMBER_COMMITTED: Final = compile_statement(
    "remember_committed",
    update(orders)
    .values(hold_committed=true())
    .where(orders.c.order_id == bindparam("order_id"), orders.c.status == Status.PENDING),
)

EXPIRE_DUE_ORDERS: Final = compile_statement(
    "expire_due_orders",
    sql_text(
        """
        WITH due AS (
            SELECT order_id FROM orders WHERE status = 'pending' AND expires_at <= now()
            ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ), clock AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
            UPDATE orders SET status = 'expired', version = version + 1, updated_at = clock.at,
                              reason = 'not_reserved_in_time'
            FROM clock, due WHERE orders.order_id = due.order_id
            RETURNING orders.order_id, user_id, version, clock.at
        ), step AS (
            INSERT INTO order_history (order_id, version, status, at, reason)
            SELECT order_id, version, 'expired', at, 'not_reserved_in_time' FROM moved
        )
        SELECT order_id, user_id, version FROM moved
        """,
        limit=Integer,
    ),
)

# The row stays, so that a late message finds the later version.
_known = insert(disabled_users).values(parameters("user_id", "version", "state"))
NOTE_USER: Final = compile_statement(
    "note_user",
    _known.on_conflict_do_update(
        index_elements=[disabled_users.c.user_id],
        set_={"version": _known.excluded.version, "state": _known.excluded.state, "since": func.now()},
        where=and_(
            disabled_users.c.state != "deleted",
            or_(disabled_users.c.version < _known.excluded.version, _known.excluded.state == "deleted"),
        ),
    ).returning(true()),
)

CANCEL_ORDERS_OF_USER: Final = compile_statement(
    "cancel_orders_of_user",
    sql_text(
        """
        WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS at), moved AS (
            UPDATE orders SET status = 'cancelled', version = version + 1, updated_at = clock.at, reason = :reason
            FROM clock WHERE user_id = :user_id AND status = ANY (:sources)
            RETURNING order_id, user_id, version, clock.at
        ), step AS (
            INSERT INTO order_history (order_id, version, status, at, reason)
            SELECT order_id, version, 'cancelled', at, :reason FROM moved
        )
        SELECT order_id, user_id, version FROM moved
        """,
        user_id=Uuid,
        reason=Text,
        sources=ARRAY(Text),
    ),
)

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

# `owner` is whose order it must be; null for an administrator.
FIND_ORDER: Final = compile_statement(
    "find_order",
    sql_text(
        _ORDER + "WHERE orders.order_id = :order_id AND (:owner IS NULL OR orders.user_id = :owner)",
        order_id=Uuid,
        owner=Uuid,
    ),
)

PAGE_OF_ORDERS: Final = compile_statement(
    "page_of_orders",
    sql_text(
        _ORDER
        + """
        WHERE (:user_id IS NULL OR orders.user_id = :user_id) AND (:status IS NULL OR orders.status = :status)
          AND (:created_from IS NULL OR orders.created_at >= :created_from)
          AND (:created_before IS NULL OR orders.created_at < :created_before)
          AND (:before IS NULL OR orders.order_id < :before)
        ORDER BY orders.order_id DESC LIMIT :limit
        """,
        user_id=Uuid,
        status=Text,
        created_from=DateTime(timezone=True),
        created_before=DateTime(timezone=True),
        before=Uuid,
        limit=Integer,
    ),
)

_owner = bindparam("owner", type_=Uuid)
LOCK_ORDER: Final = compile_statement(
    "lock_order",
    select(orders.c.status, orders.c.version)
    .where(orders.c.order_id == bindparam("order_id"), or_(_owner.is_(None), orders.c.user_id == _owner))
    .with_for_update(),
)

VERSIONS_OF_ORDERS: Final = compile_statement(
    "versions_of_orders",
    select(orders.c.order_id, orders.c.version, orders.c.status).where(
        orders.c.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid)))
    ),
)

STEPS_AFTER: Final = compile_statement(
    "steps_after",
    select(order_history.c.version, order_history.c.status, order_history.c.at, order_history.c.reason)
    .where(order_history.c.order_id == bindparam("order_id"), order_history.c.version > bindparam("after"))
    .order_by(order_history.c.version),
)
