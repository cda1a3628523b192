"""Dependencies of the routes: the tools of the process, and a live session.

An access token is good until it expires; other services cannot know that its session has ended. This service can, and
checks its database each time, so a log-out, a disabled account or a lost role takes effect at once here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Request

from platform_sdk.runtime.http.auth import ADMIN, CurrentUser, Principal, administrator
from platform_sdk.runtime.http.problems import forbidden
from platform_sdk.runtime.http.resources import Uow, rate_limit
from users import sessions
from users.authentication import LockPolicy
from users.errors import session_ended
from users.passwords import Passwords
from users.settings import UsersSettings
from users.tokens import TokenSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What lives as long as the process."""

    settings: UsersSettings
    signer: TokenSigner
    passwords: Passwords


async def tools(request: Request) -> Tools:
    return cast(Tools, request.app.state.tools)


ToolsOfProcess = Annotated[Tools, Depends(tools)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user with a live session."""

    user_id: UUID
    session_id: UUID


async def live_session(principal: CurrentUser, uow: Uow) -> Caller:
    """Return the caller, in the transaction of the request; 401 if the session has ended."""
    return await _live(principal, uow, role=None)


async def live_administrator(principal: Annotated[Principal, Depends(administrator)], uow: Uow) -> Caller:
    """Return the caller like `live_session`, if they are still an administrator."""
    return await _live(principal, uow, role=ADMIN)


async def live_owner_or_administrator(user_id: UUID, principal: CurrentUser, uow: Uow) -> Caller:
    """Return the caller like `live_session`, if they are the user in the path or an administrator; else 403."""
    if user_id == principal.user_id:
        return await _live(principal, uow, role=None)
    if not principal.is_admin:
        raise forbidden()
    return await _live(principal, uow, role=ADMIN)


async def _live(principal: Principal, uow: Uow, *, role: str | None) -> Caller:
    session_id = principal.session_id
    if session_id is None or not await sessions.is_live(uow, session_id, principal.user_id, role):
        raise session_ended()
    return Caller(user_id=principal.user_id, session_id=session_id)


LiveUser = Annotated[Caller, Depends(live_session)]
LiveOwnerOrAdministrator = Annotated[Caller, Depends(live_owner_or_administrator)]
LiveAdministrator = Annotated[Caller, Depends(live_administrator)]


def per_minute(policy: str, limit: Callable[[UsersSettings], int]) -> Any:  # what Depends gives
    """Return a dependency that limits the calls of a client address per minute."""
    return rate_limit(policy, limit=limit, window_seconds=60)


def lock_policy(tools: Tools) -> LockPolicy:
    """Return when failed log-ins lock an account, from the settings."""
    settings = tools.settings
    return LockPolicy(free_failures=settings.free_log_in_failures, longest_seconds=settings.longest_lock_seconds)
