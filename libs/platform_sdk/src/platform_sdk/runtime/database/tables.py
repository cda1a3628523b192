"""The tables that every service's schema has: outbox, outbox_quarantine, inbox and idempotency.

A service has a `tables.py` of its own with its own `metadata`. tests/integration/runtime_data/test_schemas.py compares
both with a migrated database. Migrations do not use them: they run the SQL of VERSION_1, which never changes.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Computed,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB

from platform_sdk.runtime.database.statements import Statement, compile_statement

if TYPE_CHECKING:
    from platform_sdk.runtime.database.pool import Database

metadata: Final = MetaData()

outbox: Final = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("aggregate_type", Text, Computed("split_part(type, '.', 1)", persisted=True), nullable=False),
    Column("aggregate_id", Text, nullable=False),
    Column("aggregate_version", BigInteger, nullable=False),
    Column(
        "partition", SmallInteger, Computed("(hashtext(aggregate_id) & 15)::smallint", persisted=True), nullable=False
    ),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("available_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Index("outbox_by_partition", "partition", "seq"),
    Index("outbox_retried", "aggregate_id", "seq", postgresql_where=text("attempts > 0")),
    postgresql_with={
        "fillfactor": 70,
        "autovacuum_vacuum_scale_factor": 0.01,
        "autovacuum_vacuum_threshold": 500,
        "autovacuum_vacuum_cost_delay": 0,
    },
)

outbox_quarantine: Final = Table(
    "outbox_quarantine",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("aggregate_id", Text, nullable=False),
    Column("aggregate_version", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("quarantined_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

inbox: Final = Table(
    "inbox",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("handled_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("inbox_by_time", "handled_at"),
)

idempotency: Final = Table(
    "idempotency",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    Column("body", LargeBinary),
    Column("headers", JSONB),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("idempotency_by_time", "created_at"),
    postgresql_with={"fillfactor": 80},
)

# The SQL that creates these tables, for the first migration of a service:
#
#     for statement in tables.VERSION_1: op.execute(statement)
#
# A later change becomes VERSION_2, and a later migration of each service. The search path, which is the service's own
# schema, resolves the names.

OUTBOX: Final = (
    # Relays share the work by its 16 partitions, which outbox.py counts too.
    """
    CREATE TABLE outbox (
        seq               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id                uuid NOT NULL UNIQUE,
        aggregate_type    text NOT NULL GENERATED ALWAYS AS (split_part(type, '.', 1)) STORED,
        aggregate_id      text NOT NULL,
        aggregate_version bigint NOT NULL,
        partition         smallint NOT NULL GENERATED ALWAYS AS ((hashtext(aggregate_id) & 15)::smallint) STORED,
        type              text NOT NULL,
        version           integer NOT NULL,
        payload           jsonb NOT NULL,
        headers           jsonb NOT NULL,
        created_at        timestamptz NOT NULL DEFAULT now(),
        available_at      timestamptz NOT NULL DEFAULT now(),
        attempts          integer NOT NULL DEFAULT 0,
        last_error        text
    ) WITH (
        -- Rows live for milliseconds: reuse their space early, or the claim scans dead rows.
        fillfactor = 70,
        autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0
    )
    """,
    "CREATE INDEX outbox_by_partition ON outbox (partition, seq)",
    # Almost always empty: the rows that hold back later events of their aggregate.
    "CREATE INDEX outbox_retried ON outbox (aggregate_id, seq) WHERE attempts > 0",
    """
    CREATE TABLE outbox_quarantine (
        id                uuid PRIMARY KEY,
        aggregate_id      text NOT NULL,
        aggregate_version bigint NOT NULL,
        type              text NOT NULL,
        version           integer NOT NULL,
        payload           jsonb NOT NULL,
        headers           jsonb NOT NULL,
        created_at        timestamptz NOT NULL,
        attempts          integer NOT NULL,
        reason            text NOT NULL,
        quarantined_at    timestamptz NOT NULL DEFAULT now()
    )
    """,
)

INBOX: Final = (
    """
    CREATE TABLE inbox (
        consumer   text NOT NULL,
        message_id uuid NOT NULL,
        handled_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer, message_id)
    )
    """,
    "CREATE INDEX inbox_by_time ON inbox (handled_at)",
)

IDEMPOTENCY: Final = (
    # The status is null only inside the transaction that claimed the key: claim and reply commit together.
    """
    CREATE TABLE idempotency (
        scope       text NOT NULL,
        key         text NOT NULL,
        fingerprint bytea NOT NULL,
        status      smallint,
        body        bytea,
        headers     jsonb,
        created_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (scope, key)
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX idempotency_by_time ON idempotency (created_at)",
)

VERSION_1: Final = (*OUTBOX, *INBOX, *IDEMPOTENCY)

# Rows that nobody needs any more.

INBOX_RETENTION: Final = timedelta(days=15)
"""Longer than SQS can keep a message (14 days), or a late duplicate would run again."""

IDEMPOTENCY_RETENTION: Final = timedelta(hours=48)
"""How long a reply can be replayed; clients are promised half of it."""

_BATCH_ROWS: Final = 1_000


def _delete_older(table: Table, since: ColumnElement[object]) -> Statement:
    key = tuple_(*table.primary_key)
    expired = (
        select(*table.primary_key)
        .where(since < func.now() - bindparam("retention", type_=INTERVAL))
        .order_by(since)
        .limit(_BATCH_ROWS)
        .with_for_update(skip_locked=True)
    )
    return compile_statement(f"purge_{table.name}", delete(table).where(key.in_(expired)))


_PURGE_INBOX: Final = _delete_older(inbox, inbox.c.handled_at)
_PURGE_IDEMPOTENCY: Final = _delete_older(idempotency, idempotency.c.created_at)


async def purge_expired(database: "Database") -> None:
    """Delete expired rows of inbox and idempotency, in batches that are each a transaction of their own.

    For `Periodic.run`; safe to run in several tasks at once.
    """
    await _purge(database, _PURGE_INBOX, INBOX_RETENTION)
    await _purge(database, _PURGE_IDEMPOTENCY, IDEMPOTENCY_RETENTION)


async def _purge(database: "Database", statement: Statement, retention: timedelta) -> None:
    while True:
        async with database.unit_of_work() as uow:
            deleted = await uow.execute(statement, retention=retention)
        if int(deleted.removeprefix("DELETE ")) < _BATCH_ROWS:
            return
