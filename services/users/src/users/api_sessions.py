"""Routes of sessions: log in, stay logged in, log out."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import AfterValidator
from starlette.status import HTTP_204_NO_CONTENT

from platform_sdk.runtime.http.auth import Public
from platform_sdk.runtime.http.inputs import RequestModel, ResponseModel, Text
from platform_sdk.runtime.http.problems import problem_responses
from platform_sdk.runtime.http.resources import Read, Uow
from users import authentication, sessions
from users.authentication import OpenSession
from users.dependencies import LiveUser, Tools, ToolsOfProcess, lock_policy, per_minute
from users.errors import invalid_credentials, invalid_refresh_token, log_in_locked
from users.inputs import PasswordText
from users.model import normalise_email

router = APIRouter(prefix="/users/sessions", tags=["sessions"])


class LogIn(RequestModel):
    email: Annotated[str, Text(254), AfterValidator(normalise_email)]
    password: PasswordText


class Refresh(RequestModel):
    refresh_token: Annotated[str, Text(256)]


class TokensOut(ResponseModel):
    """An access token for the `Authorization` header, and the token that gets the next one."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the type, not a token
    expires_in: int
    """Seconds."""
    refresh_token: str


@router.post(
    "",
    response_model=TokensOut,
    dependencies=[Public, per_minute("log-in", lambda settings: settings.log_ins_per_minute)],
    responses=problem_responses(401, 422, 429, 503),
)
async def post_session(body: LogIn, read: Read, uow: Uow, tools: ToolsOfProcess) -> Response:
    """Log in. Refuses an unknown address, a wrong password and a disabled account with the same answer."""
    candidate = await sessions.find_candidate(read, body.email)
    if candidate.locked_seconds > 0:
        raise log_in_locked(candidate.locked_seconds)
    # No connection is held meanwhile: `read` has returned its own, `uow` takes one with its first statement.
    right = await tools.passwords.verify(candidate.password.hash if candidate.password else None, body.password)
    opened = None
    if right and candidate.password:
        outdated = tools.passwords.is_outdated(candidate.password.hash)
        opened = await authentication.accept_log_in(
            uow,
            body.email,
            candidate,
            lifetime=timedelta(days=tools.settings.session_days),
            better_hash=await tools.passwords.hash(body.password) if outdated else None,
        )
    if opened is None:
        await authentication.reject_log_in(uow, body.email, lock_policy(tools))
        # Returned and not raised: the failure that was just counted must be committed.
        return invalid_credentials().response()
    return _tokens(tools, opened)


@router.post(
    "/refresh",
    response_model=TokensOut,
    dependencies=[Public, per_minute("refresh", lambda settings: settings.refreshes_per_minute)],
    responses=problem_responses(401, 422, 429),
)
async def post_refresh(body: Refresh, uow: Uow, tools: ToolsOfProcess) -> Response:
    """Exchange a refresh token, which is good for one use, for new tokens. A second use ends the session."""
    opened = await authentication.refresh(uow, body.refresh_token)
    if opened is None:
        # Returned and not raised: the session of a token that was used twice has ended, which must be committed.
        return invalid_refresh_token().response()
    return _tokens(tools, opened)


@router.delete("/current", status_code=HTTP_204_NO_CONTENT, responses=problem_responses(401))
async def delete_current_session(caller: LiveUser, uow: Uow) -> None:
    """Log out."""
    await sessions.end_session(uow, caller.session_id)


@router.delete("", status_code=HTTP_204_NO_CONTENT, responses=problem_responses(401))
async def delete_sessions(caller: LiveUser, uow: Uow) -> None:
    """Log out everywhere."""
    await sessions.end_sessions(uow, caller.user_id)


def _tokens(tools: Tools, opened: OpenSession) -> Response:
    session = opened.session
    token = tools.signer.issue(user_id=session.user_id, role=session.role, session_id=session.id)
    body = TokensOut(access_token=token.text, expires_in=token.expires_in_seconds, refresh_token=opened.refresh_token)
    # RFC 6749, section 5.1: tokens must not be cached.
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(body.model_dump_json(), headers=headers, media_type="application/json")
