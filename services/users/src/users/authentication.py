"""Use cases of sessions: log in, refresh, refuse.

A password is checked between two short pieces of database work, never inside a transaction: hashing takes long, and a
connection must not wait for it.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.messaging.messages import new_id
from users import model, sessions
from users.sessions import Candidate, Session
from users.tokens import new_refresh_token, refresh_token_digest

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPolicy:
    """When an account is locked, and for how long.

    Args:
        free_failures: so many failures in a row cost nothing.
        longest_seconds: a lock never lasts longer, so that nobody can lock a user out permanently.
    """

    free_failures: int
    longest_seconds: int

    def seconds(self, failures: int) -> int:
        """Return 0 for the free failures, then 1, 2, 4, 8 … seconds."""
        beyond = failures - self.free_failures
        if beyond <= 0:
            return 0
        return int(min(2 ** min(beyond - 1, 62), self.longest_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session with the refresh token that continues it; the token is nowhere stored."""

    session: Session
    refresh_token: str


async def reject_log_in(uow: UnitOfWork, email: str, policy: LockPolicy) -> None:
    """Count a failed log-in, and locks the address if there were too many. Commit this, then refuse."""
    failures = await sessions.count_failure(uow, email)
    if seconds := policy.seconds(failures):
        await sessions.lock_log_in(uow, email, seconds)
        _log.warning("log-in locked", extra={"action": "log_in_locked", "failures": failures, "seconds": seconds})
    await sessions.forget_old_failures(uow)


async def accept_log_in(
    uow: UnitOfWork, email: str, candidate: Candidate, *, lifetime: timedelta, better_hash: str | None
) -> OpenSession | None:
    """Start a session after the password was found right; None if the user may no longer log in.

    Args:
        candidate: against whose hash the password was checked.
        better_hash: the same password hashed with today's parameters, if the stored hash has older ones.
    """
    if candidate.user_id is None or candidate.password is None:
        return None
    if better_hash is not None:
        # Before the session, which only shares its lock of the user: two log-ins would wait for each other.
        await model.rehash_password(uow, candidate.user_id, old=candidate.password, new_hash=better_hash)
    session = await sessions.insert_session(
        uow,
        session_id=new_id(),
        user_id=candidate.user_id,
        password=candidate.password,
        lifetime=lifetime,
    )
    if session is None:
        return None
    await sessions.forget_failures(uow, email)
    await sessions.delete_expired_sessions(uow, session.user_id)
    return await _continued(uow, session)


async def refresh(uow: UnitOfWork, refresh_token: str) -> OpenSession | None:
    """Exchange a refresh token for the next one; None if it is not good. Commit in both cases.

    A token that is used a second time was stolen, by the first user or the second: the session ends for both
    (RFC 9700, section 4.14.2).
    """
    digest = refresh_token_digest(refresh_token)
    session = await sessions.lock_session_of(uow, digest)
    if session is None:
        return None
    if not await sessions.use_refresh_token(uow, digest):
        await sessions.end_session(uow, session.id)
        _log.warning(
            "refresh token used twice, session ended",
            extra={"action": "refresh_token_reused", "session_id": str(session.id), "user_id": str(session.user_id)},
        )
        return None
    return await _continued(uow, session)


async def _continued(uow: UnitOfWork, session: Session) -> OpenSession:
    refresh_token = new_refresh_token()
    await sessions.insert_refresh_token(uow, session.id, refresh_token_digest(refresh_token))
    return OpenSession(session=session, refresh_token=refresh_token)
