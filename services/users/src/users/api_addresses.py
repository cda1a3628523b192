"""Routes of a user's own addresses. Every statement checks the owner: another user's address is not found."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import field_validator
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from platform_sdk.runtime.http.inputs import Page, RequestModel, ResponseModel, Text
from platform_sdk.runtime.http.problems import not_found, problem_responses
from platform_sdk.runtime.http.resources import Uow, documented_match, etag_of, honour_match
from users import model, use_cases
from users.dependencies import LiveUser, ToolsOfProcess
from users.inputs import AbsentNotNull, absent, refuse_null
from users.model import Address, PostalAddress

router = APIRouter(prefix="/users/me/addresses", tags=["addresses"])

Line = Annotated[str, Text(200)]
City = Annotated[str, Text(100)]
PostalCode = Annotated[str, Text(20)]
Country = Annotated[str, Text(2, min_length=2, pattern="^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


class AddressIn(RequestModel):
    label: City | None = None
    recipient: Line | None = None
    line1: Line
    line2: Line | None = None
    city: City
    region: City | None = None
    postal_code: PostalCode
    country: Country


class AddressChanges(RequestModel):
    """Fields that are left out stay as they are; null empties those that may be empty."""

    label: City | None = None
    recipient: Line | None = None
    line1: Line | AbsentNotNull = absent()
    line2: Line | None = None
    city: City | AbsentNotNull = absent()
    region: City | None = None
    postal_code: PostalCode | AbsentNotNull = absent()
    country: Country | AbsentNotNull = absent()

    _not_null = field_validator("line1", "city", "postal_code", "country", mode="before")(refuse_null)


class AddressOut(ResponseModel):
    id: UUID
    label: str | None
    recipient: str | None
    line1: str
    line2: str | None
    city: str
    region: str | None
    postal_code: str
    country: str
    version: int
    created_at: datetime
    updated_at: datetime


@router.get("", response_model=Page[AddressOut], responses=problem_responses(401))
async def get_addresses(caller: LiveUser, uow: Uow) -> Page[Address]:
    """Return all addresses of the caller, on one page: their number is limited."""
    return Page(data=await model.list_addresses(uow, caller.user_id))


@router.post("", status_code=HTTP_201_CREATED, response_model=AddressOut, responses=problem_responses(401, 409, 422))
async def post_address(
    body: AddressIn, caller: LiveUser, uow: Uow, tools: ToolsOfProcess, response: Response
) -> Address:
    """Store another address of the caller."""
    content = PostalAddress(**body.model_dump())
    address = await use_cases.add_address(uow, caller.user_id, content, limit=tools.settings.addresses_per_user)
    response.headers["Location"] = f"/users/me/addresses/{address.id}"
    return _tagged(address, response)


@router.get("/{address_id}", response_model=AddressOut, responses=problem_responses(401, 404, 422))
async def get_address(address_id: UUID, caller: LiveUser, uow: Uow, response: Response) -> Address:
    """Return one address of the caller."""
    return _tagged(_found(await model.find_address(uow, caller.user_id, address_id)), response)


@router.patch(
    "/{address_id}",
    response_model=AddressOut,
    responses=problem_responses(401, 404, 412, 422),
    openapi_extra=documented_match(required=False),
)
async def patch_address(
    address_id: UUID, body: AddressChanges, caller: LiveUser, uow: Uow, request: Request, response: Response
) -> Address:
    """Change the given fields of one address. With `If-Match`, only if the address is still that version."""
    address = _found(await model.lock_address(uow, caller.user_id, address_id))
    honour_match(request, address.version)
    changes = body.model_dump(exclude_unset=True)
    return _tagged(await use_cases.change_address(uow, caller.user_id, address, changes), response)


@router.delete("/{address_id}", status_code=HTTP_204_NO_CONTENT, responses=problem_responses(401, 404, 422))
async def delete_address(address_id: UUID, caller: LiveUser, uow: Uow) -> None:
    """Remove one address of the caller."""
    if not await model.delete_address(uow, caller.user_id, address_id):
        raise _no_such_address()


def _found(address: Address | None) -> Address:
    if address is None:
        raise _no_such_address()
    return address


def _no_such_address() -> Exception:
    return not_found("you have no such address")


def _tagged(address: Address, response: Response) -> Address:
    response.headers["ETag"] = etag_of(address.version)
    return address
