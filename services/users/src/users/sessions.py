"""Sessions, their refresh tokens, and failed log-ins: the values and their SQL. Part of the model.

A session is one log-in. It has a chain of refresh tokens, of which the last is good for one use. Ending a session
deletes it with its tokens; an access token is accepted by this service as long as its session exists, by the others
until it expires.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from platform_sdk.runtime.database.unit_of_work import Reader, UnitOfWork
from users.model import Password, Role

FORGET_FAILURES_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What an access token says about its session."""

    id: UUID
    user_id: UUID
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What there is to log in to under an email address; `user_id` and `password` are None if nothing.

    `locked_seconds` is positive while further attempts have to wait.
    """

    user_id: UUID | None
    password: Password | None
    locked_seconds: float


async def find_candidate(reader: Reader, email: str) -> Candidate:
    row = await reader.fetch_row(
        """
        SELECT users.id, users.password_hash, users.password_version,
               coalesce(extract(epoch FROM failed.locked_until - now()), 0)::float8 AS locked_seconds
        FROM (SELECT 1) AS always
        LEFT JOIN users ON users.email = $1
        LEFT JOIN failed_log_ins AS failed ON failed.email_digest = $2
        """,
        email,
        _digest(email),
    )
    assert row is not None, "the first table always has one row"
    known = row["id"] is not None
    return Candidate(
        user_id=row["id"],
        password=Password(hash=row["password_hash"], version=row["password_version"]) if known else None,
        locked_seconds=row["locked_seconds"],
    )


async def count_failure(uow: UnitOfWork, email: str) -> int:
    """Count one more failed log-in in a row; returns how many there are now."""
    failures: int = await uow.fetch_value(
        """
        INSERT INTO failed_log_ins AS failed (email_digest, failures) VALUES ($1, 1)
        ON CONFLICT (email_digest) DO UPDATE
        SET failures = CASE WHEN failed.last_failed_at < now() - $2::interval THEN 1 ELSE failed.failures + 1 END,
            last_failed_at = now()
        RETURNING failures
        """,
        _digest(email),
        FORGET_FAILURES_AFTER,
    )
    return failures


async def lock_log_in(uow: UnitOfWork, email: str, seconds: int) -> None:
    await uow.execute(
        "UPDATE failed_log_ins SET locked_until = now() + make_interval(secs => $2) WHERE email_digest = $1",
        _digest(email),
        float(seconds),
    )


async def forget_failures(uow: UnitOfWork, email: str) -> None:
    await uow.execute("DELETE FROM failed_log_ins WHERE email_digest = $1", _digest(email))


async def forget_old_failures(uow: UnitOfWork) -> None:
    """Remove a few rows that no longer count. Each failure adds one row at most and removes up to ten."""
    await uow.execute(
        """
        DELETE FROM failed_log_ins WHERE email_digest IN (
            SELECT email_digest FROM failed_log_ins WHERE last_failed_at < now() - $1::interval
            ORDER BY last_failed_at LIMIT 10 FOR UPDATE SKIP LOCKED
        )
        """,
        FORGET_FAILURES_AFTER,
    )


async def insert_session(
    uow: UnitOfWork, *, session_id: UUID, user_id: UUID, password: Password, lifetime: timedelta
) -> Session | None:
    """Start a session; None if the user was disabled, deleted or given another password meanwhile."""
    row = await uow.fetch_row(
        """
        WITH account AS (
            -- The lock makes this wait for a transaction that disables the user or changes the password, and see it.
            SELECT id, role FROM users WHERE id = $2 AND password_version = $3 AND NOT disabled FOR SHARE
        ), session AS (
            INSERT INTO sessions (id, user_id, expires_at) SELECT $1, id, now() + $4::interval FROM account
            RETURNING id, user_id
        )
        SELECT session.id, session.user_id, account.role FROM session, account
        """,
        session_id,
        user_id,
        password.version,
        lifetime,
    )
    return Session(**dict(row)) if row else None


async def is_live(reader: Reader, session_id: UUID, user_id: UUID, role: str | None = None) -> bool:
    """Return whether the session still is, and its user is enabled and, if asked, has the role."""
    live: bool = await reader.fetch_value(
        """
        SELECT EXISTS (
            SELECT FROM sessions JOIN users ON users.id = sessions.user_id
            WHERE sessions.id = $1 AND users.id = $2 AND sessions.expires_at > now() AND NOT users.disabled
              AND ($3::text IS NULL OR users.role = $3)
        )
        """,
        session_id,
        user_id,
        role,
    )
    return live


async def insert_refresh_token(uow: UnitOfWork, session_id: UUID, digest: bytes) -> None:
    await uow.execute("INSERT INTO refresh_tokens (digest, session_id) VALUES ($1, $2)", digest, session_id)


async def lock_session_of(uow: UnitOfWork, digest: bytes) -> Session | None:
    """Return the live session that a refresh token belongs to, used or not; others with the same session wait."""
    row = await uow.fetch_row(
        """
        SELECT sessions.id, sessions.user_id, users.role
        FROM refresh_tokens
        JOIN sessions ON sessions.id = refresh_tokens.session_id
        JOIN users ON users.id = sessions.user_id
        WHERE refresh_tokens.digest = $1 AND sessions.expires_at > now() AND NOT users.disabled
        FOR UPDATE OF sessions
        """,
        digest,
    )
    return Session(**dict(row)) if row else None


async def use_refresh_token(uow: UnitOfWork, digest: bytes) -> bool:
    """Return whether this was the token's first use."""
    done = await uow.execute("UPDATE refresh_tokens SET used_at = now() WHERE digest = $1 AND used_at IS NULL", digest)
    return done == "UPDATE 1"


async def end_session(uow: UnitOfWork, session_id: UUID) -> None:
    await uow.execute("DELETE FROM sessions WHERE id = $1", session_id)


async def end_sessions(uow: UnitOfWork, user_id: UUID, *, but: UUID | None = None) -> None:
    """End all sessions of a user, or all but one."""
    await uow.execute("DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2", user_id, but)


async def delete_expired_sessions(uow: UnitOfWork, user_id: UUID) -> None:
    await uow.execute("DELETE FROM sessions WHERE user_id = $1 AND expires_at < now()", user_id)


def _digest(email: str) -> bytes:
    return hashlib.sha256(email.encode()).digest()
