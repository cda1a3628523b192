"""Users, their sessions with rotating refresh tokens, their addresses, failed log-ins; and the tables of the SDK."""

from alembic import op

from platform_sdk.runtime.database import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# All statements name their tables without a schema: the migrate command has set the search path to the service's own.
STATEMENTS = (
    """
    CREATE TABLE users (
        id uuid PRIMARY KEY,
        email text NOT NULL CONSTRAINT users_email_key UNIQUE CHECK (email = lower(email)),
        name text NOT NULL,
        password_hash text NOT NULL,
        -- Grows when the user chooses another password, not when the same one is hashed with other parameters.
        password_version bigint NOT NULL DEFAULT 1,
        role text NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'admin', 'service')),
        disabled boolean NOT NULL DEFAULT false,
        version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE sessions (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX sessions_user_id_index ON sessions (user_id)",
    # A used token stays as long as its session: only so is its second use recognised as theft.
    """
    CREATE TABLE refresh_tokens (
        digest bytea PRIMARY KEY,
        session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        used_at timestamptz
    )
    """,
    "CREATE INDEX refresh_tokens_session_id_index ON refresh_tokens (session_id)",
    # Keyed by a digest of the address, not by user: an address without an account is locked too, so that a lock does
    # not show which addresses have an account.
    """
    CREATE TABLE failed_log_ins (
        email_digest bytea PRIMARY KEY,
        failures integer NOT NULL,
        last_failed_at timestamptz NOT NULL DEFAULT now(),
        locked_until timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX failed_log_ins_last_failed_at_index ON failed_log_ins (last_failed_at)",
    """
    CREATE TABLE addresses (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        label text,
        recipient text,
        line1 text NOT NULL,
        line2 text,
        city text NOT NULL,
        region text,
        postal_code text NOT NULL,
        country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
        version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX addresses_user_id_index ON addresses (user_id, id)",
)


def upgrade() -> None:
    for statement in (*tables.VERSION_1, *STATEMENTS):
        op.execute(statement)
