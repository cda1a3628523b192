"""Routes of the account: sign-up, your own profile and password, and the keys that verify access tokens.

First in the flow of a request: checks its form, asks the use cases, shapes the answer. Sessions, addresses and
administration have routes in api_sessions, api_addresses and api_administration.
"""

import hashlib

import orjson
from fastapi import APIRouter, Request, Response
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from platform_sdk.runtime.http.auth import CurrentUser, Public
from platform_sdk.runtime.http.inputs import RequestModel, ResponseModel
from platform_sdk.runtime.http.problems import problem_responses
from platform_sdk.runtime.http.resources import Read, Uow, documented_match, etag_of, honour_match
from users import authentication, model, sessions, use_cases
from users.dependencies import LiveUser, ToolsOfProcess, lock_policy, per_minute
from users.errors import log_in_locked, session_ended, wrong_old_password
from users.inputs import Email, Name, NewPassword, PasswordText, UserOut
from users.model import User
from users.passwords import require_strong

router = APIRouter(prefix="/users", tags=["users"])

JWKS_MAX_AGE_SECONDS = 300


class SignUp(RequestModel):
    email: Email
    password: NewPassword
    name: Name


class ProfileChanges(RequestModel):
    name: Name


class PasswordChange(RequestModel):
    old_password: PasswordText
    new_password: NewPassword


class KeySet(ResponseModel):
    keys: list[dict[str, str]]


@router.post(
    "",
    status_code=HTTP_201_CREATED,
    response_model=UserOut,
    dependencies=[Public, per_minute("sign-up", lambda settings: settings.sign_ups_per_minute)],
    responses=problem_responses(409, 422, 429, 503),
)
async def post_user(body: SignUp, response: Response, uow: Uow, tools: ToolsOfProcess) -> User:
    """Sign up. The password needs 15 characters; there are no other rules but that it is not a common one."""
    require_strong(body.password, email=body.email)
    # The transaction takes its connection with its first statement, so none waits while the password is hashed.
    password_hash = await tools.passwords.hash(body.password)
    user = await use_cases.sign_up(uow, email=body.email, name=body.name, password_hash=password_hash)
    response.headers["Location"] = f"/users/{user.id}"
    response.headers["ETag"] = etag_of(user.version)
    return user


@router.get("/me", response_model=UserOut, responses=problem_responses(401))
async def get_me(caller: LiveUser, uow: Uow, response: Response) -> User:
    """Return the caller's account."""
    return _tagged(await model.find_user(uow, caller.user_id), response)


@router.patch(
    "/me",
    response_model=UserOut,
    responses=problem_responses(401, 412, 422),
    openapi_extra=documented_match(required=False),
)
async def patch_me(body: ProfileChanges, caller: LiveUser, uow: Uow, request: Request, response: Response) -> User:
    """Change the caller's name. With `If-Match`, only if the account is still that version."""
    user = await model.lock_user(uow, caller.user_id)
    if user is None:
        raise session_ended()
    honour_match(request, user.version)
    return _tagged(await use_cases.rename_user(uow, user, body.name), response)


@router.delete("/me", status_code=HTTP_204_NO_CONTENT, responses=problem_responses(401))
async def delete_me(caller: LiveUser, uow: Uow) -> None:
    """Delete the caller's account with its addresses and sessions, permanently."""
    await use_cases.delete_user(uow, caller.user_id)


@router.put(
    "/me/password",
    status_code=HTTP_204_NO_CONTENT,
    response_model=None,
    responses=problem_responses(401, 422, 429, 503),
)
async def put_password(
    body: PasswordChange, principal: CurrentUser, read: Read, uow: Uow, tools: ToolsOfProcess
) -> Response:
    """Change the caller's password, and ends all their other sessions."""
    session_id = principal.session_id
    user = await model.find_user(read, principal.user_id)
    if user is None or session_id is None or not await sessions.is_live(read, session_id, user.id):
        raise session_ended()
    require_strong(body.new_password, email=user.email)
    candidate = await sessions.find_candidate(read, user.email)
    if candidate.locked_seconds > 0:
        raise log_in_locked(candidate.locked_seconds)
    if candidate.password is None or not await tools.passwords.verify(candidate.password.hash, body.old_password):
        await authentication.reject_log_in(uow, user.email, lock_policy(tools))
        # Returned and not raised: the failure that was just counted must be committed.
        return wrong_old_password().response()
    new_hash = await tools.passwords.hash(body.new_password)
    await use_cases.change_password(
        uow, user_id=user.id, session_id=session_id, old=candidate.password, new_hash=new_hash
    )
    return Response(status_code=HTTP_204_NO_CONTENT)


@router.get(
    "/.well-known/jwks.json",
    response_model=KeySet,
    dependencies=[Public],
    responses={304: {"description": "Not Modified"}},
)
async def get_jwks(request: Request, tools: ToolsOfProcess) -> Response:
    """Return the public keys that verify access tokens (RFC 7517), the current one first."""
    content = orjson.dumps(tools.signer.jwks)
    headers = {
        "Cache-Control": f"public, max-age={JWKS_MAX_AGE_SECONDS}",
        "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def _tagged(user: User | None, response: Response) -> User:
    if user is None:
        raise session_ended()
    response.headers["ETag"] = etag_of(user.version)
    return user
