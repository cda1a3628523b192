"""Routes of administration: find users, change their role, disable and enable them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import field_validator

from platform_sdk.runtime.http.inputs import (
    NO_NUL,
    Boolean,
    Cursor,
    Limit,
    Page,
    RequestModel,
    decode_cursor,
    encode_cursor,
)
from platform_sdk.runtime.http.problems import not_found, problem_responses
from platform_sdk.runtime.http.resources import Uow, documented_match, etag_of, honour_match
from users import model, use_cases
from users.dependencies import LiveAdministrator, LiveOwnerOrAdministrator
from users.inputs import AbsentNotNull, UserOut, absent, refuse_null
from users.model import Role, User

router = APIRouter(prefix="/users", tags=["administration"])

SearchText = Annotated[
    str | None,
    Query(min_length=1, max_length=100, pattern=NO_NUL, description="part of the email address or the name"),
]


class Administration(RequestModel):
    """Fields that are left out stay as they are."""

    role: Role | AbsentNotNull = absent()
    disabled: Boolean | AbsentNotNull = absent()

    _not_null = field_validator("role", "disabled", mode="before")(refuse_null)


@router.get("", response_model=Page[UserOut], responses=problem_responses(401, 403, 422))
async def get_users(
    caller: LiveAdministrator, uow: Uow, query: SearchText = None, limit: Limit = 20, cursor: Cursor = None
) -> Page[User]:
    """Return users in the order in which they signed up."""
    after: UUID | None = decode_cursor(cursor, UUID)[0] if cursor is not None else None
    found = await model.list_users(uow, query=query, after=after, limit=limit + 1)
    page = found[:limit]
    return Page(data=page, next_cursor=encode_cursor(page[-1].id) if len(found) > limit else None)


@router.get("/{user_id:uuid}", response_model=UserOut, responses=problem_responses(401, 403, 404, 422))
async def get_user(user_id: UUID, caller: LiveOwnerOrAdministrator, uow: Uow, response: Response) -> User:
    """Return one user, for an administrator or that user."""
    return _tagged(_found(await model.find_user(uow, user_id)), response)


@router.patch(
    "/{user_id:uuid}",
    response_model=UserOut,
    responses=problem_responses(401, 403, 404, 409, 412, 422),
    openapi_extra=documented_match(required=False),
)
async def patch_user(
    user_id: UUID, body: Administration, caller: LiveAdministrator, uow: Uow, request: Request, response: Response
) -> User:
    """Give a user another role (`service` for the account of a program), disables or enables them.

    Disabling ends the user's sessions. With `If-Match`, only if the user is still that version.
    """
    user = _found(await model.lock_user(uow, user_id))
    honour_match(request, user.version)
    changed = await use_cases.administer_user(
        uow, user, administrator_id=caller.user_id, role=body.role, disabled=body.disabled
    )
    return _tagged(changed, response)


def _found(user: User | None) -> User:
    if user is None:
        raise not_found("there is no such user")
    return user


def _tagged(user: User, response: Response) -> User:
    response.headers["ETag"] = etag_of(user.version)
    return user
