"""The tables of users, as they are after all migrations, for the statements in statements.py.

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
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    false,
    func,
    text,
)

metadata: Final = MetaData()

users: Final = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text, CheckConstraint("email = lower(email)"), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("password_version", BigInteger, nullable=False, server_default=text("1")),
    Column(
        "role",
        Text,
        CheckConstraint("role IN ('customer', 'admin', 'service')"),
        nullable=False,
        server_default="customer",
    ),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("version", BigInteger, CheckConstraint("version > 0"), nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("sessions_user_id_index", "user_id"),
)

refresh_tokens: Final = Table(
    "refresh_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("session_id", ForeignKey(sessions.c.id, ondelete="CASCADE"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("used_at", DateTime(timezone=True)),
    Index("refresh_tokens_session_id_index", "session_id"),
)

failed_log_ins: Final = Table(
    "failed_log_ins",
    metadata,
    Column("email_digest", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("locked_until", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("failed_log_ins_last_failed_at_index", "last_failed_at"),
)

addresses: Final = Table(
    "addresses",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False),
    Column("label", Text),
    Column("recipient", Text),
    Column("line1", Text, nullable=False),
    Column("line2", Text),
    Column("city", Text, nullable=False),
    Column("region", Text),
    Column("postal_code", Text, nullable=False),
    Column("country", Text, CheckConstraint("country ~ '^[A-Z]{2}$'"), nullable=False),
    Column("version", BigInteger, CheckConstraint("version > 0"), nullable=False, server_default=text("1")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("addresses_user_id_index", "user_id", "id"),
)
