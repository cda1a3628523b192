"""The three tables that every service's schema has (outbox, inbox, idempotency), and the deletion of their old rows.

A service's first migration creates them: `for statement in tables.VERSION_1: op.execute(statement)`. A later change
of these tables becomes VERSION_2, and a later migration of each service. The names are resolved by the search path,
which is the service's own schema.
"""

from datetime import timedelta
from typing import Final

from platform_sdk.runtime.database.pool import Database

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

INBOX_RETENTION: Final = timedelta(days=15)
"""Longer than SQS can keep a message (14 days), or a late duplicate would run again."""

IDEMPOTENCY_RETENTION: Final = timedelta(hours=48)
"""How long a reply can be replayed; clients are promised half of it."""

_BATCH_ROWS: Final = 1_000

_PURGE_INBOX: Final = """
    DELETE FROM inbox WHERE (consumer, message_id) IN (
        SELECT consumer, message_id FROM inbox
        WHERE handled_at < now() - $1::interval ORDER BY handled_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
"""

_PURGE_IDEMPOTENCY: Final = """
    DELETE FROM idempotency WHERE (scope, key) IN (
        SELECT scope, key FROM idempotency
        WHERE created_at < now() - $1::interval ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
"""


async def purge_expired(database: Database) -> None:
    """Delete expired rows of inbox and idempotency, in batches that are each a transaction of their own.

    For `Periodic.run`; safe to run in several tasks at once.
    """
    await _purge(database, _PURGE_INBOX, INBOX_RETENTION)
    await _purge(database, _PURGE_IDEMPOTENCY, IDEMPOTENCY_RETENTION)


async def _purge(database: Database, statement: str, retention: timedelta) -> None:
    while True:
        async with database.unit_of_work() as uow:
            deleted = await uow.execute(statement, retention, _BATCH_ROWS)
        if int(deleted.removeprefix("DELETE ")) < _BATCH_ROWS:
            return
