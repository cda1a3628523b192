"""Sessions, their refresh tokens, and failed log-ins: the values and their functions. Part of the model.

A session is one log-in. It has a chain of refresh tokens, of which the last is good for one use. Ending a session
deletes it with its tokens; an access token is accepted by this service as long as its session exists, by the others
until it expires.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from platform_sdk.runtime.database.unit_of_work import Reader, UnitOfWork
from users import statements
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
    row = await reader.fetch_row(statements.FIND_CANDIDATE, email=email, email_digest=_digest(email))
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
        statements.COUNT_FAILURE, email_digest=_digest(email), forget_after=FORGET_FAILURES_AFTER
    )
    return failures


async def lock_log_in(uow: UnitOfWork, email: str, seconds: int) -> None:
    await uow.execute(statements.LOCK_LOG_IN, email_digest=_digest(email), duration=timedelta(seconds=seconds))


async def forget_failures(uow: UnitOfWork, email: str) -> None:
    await uow.execute(statements.FORGET_FAILURES, email_digest=_digest(email))


async def forget_old_failures(uow: UnitOfWork) -> None:
    """Remove a few rows that no longer count. Each failure adds one row at most and removes up to ten."""
    await uow.execute(statements.FORGET_OLD_FAILURES, forget_after=FORGET_FAILURES_AFTER)


async def insert_session(
    uow: UnitOfWork, *, session_id: UUID, user_id: UUID, password: Password, lifetime: timedelta
) -> Session | None:
    """Start a session; None if the user was disabled, deleted or given another password meanwhile."""
    row = await uow.fetch_row(
        statements.INSERT_SESSION,
        id=session_id,
        user_id=user_id,
        password_version=password.version,
        lifetime=lifetime,
    )
    return Session(**dict(row)) if row else None


async def is_live(reader: Reader, session_id: UUID, user_id: UUID, role: str | None = None) -> bool:
    """Return whether the session still is, and its user is enabled and, if asked, has the role."""
    live: bool = await reader.fetch_value(statements.IS_LIVE, id=session_id, user_id=user_id, role=role)
    return live


async def insert_refresh_token(uow: UnitOfWork, session_id: UUID, digest: bytes) -> None:
    await uow.execute(statements.INSERT_REFRESH_TOKEN, session_id=session_id, digest=digest)


async def lock_session_of(uow: UnitOfWork, digest: bytes) -> Session | None:
    """Return the live session that a refresh token belongs to, used or not; others with the same session wait."""
    row = await uow.fetch_row(statements.LOCK_SESSION_OF, digest=digest)
    return Session(**dict(row)) if row else None


async def use_refresh_token(uow: UnitOfWork, digest: bytes) -> bool:
    """Return whether this was the token's first use."""
    return await uow.execute(statements.USE_REFRESH_TOKEN, digest=digest) == "UPDATE 1"


async def end_session(uow: UnitOfWork, session_id: UUID) -> None:
    await uow.execute(statements.END_SESSION, id=session_id)


async def end_sessions(uow: UnitOfWork, user_id: UUID, *, but: UUID | None = None) -> None:
    """End all sessions of a user, or all but one."""
    await uow.execute(statements.END_SESSIONS, user_id=user_id, but=but)


async def delete_expired_sessions(uow: UnitOfWork, user_id: UUID) -> None:
    await uow.execute(statements.DELETE_EXPIRED_SESSIONS, user_id=user_id)


def _digest(email: str) -> bytes:
    return hashlib.sha256(email.encode()).digest()
