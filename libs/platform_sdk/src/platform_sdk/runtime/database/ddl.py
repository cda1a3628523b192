"""The tables that every service's schema has, as the SQL that creates them: for migrations, which never change.

A service's first migration runs it: `for statement in ddl.VERSION_1: op.execute(statement)`. A later change of these
tables becomes VERSION_2, and a later migration of each service. The names are resolved by the search path, which is
the service's own schema. tables.py has the same tables as they are now, for statements.
"""

from typing import Final

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
