"""Users and their addresses: the values, and the functions that read and write them. Below use_cases.

Sessions and failed log-ins are in sessions.py. Every function about an owned row takes the owner: another user's row
is not found.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from platform_sdk.runtime.database.unit_of_work import Reader, Record, UnitOfWork
from users import statements

Role: TypeAlias = Literal["customer", "admin", "service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account, without its password."""

    id: UUID
    email: str
    name: str
    role: Role
    disabled: bool
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """The hash of a user's password; `version` shows whether the password is still the same one."""

    hash: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalAddress:
    """What a user writes on an envelope; `country` is an ISO 3166-1 alpha-2 code."""

    label: str | None
    recipient: str | None
    line1: str
    line2: str | None
    city: str
    region: str | None
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(PostalAddress):
    """A postal address that a user has stored."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime


def normalise_email(text: str) -> str:
    """Return the form in which an address is stored and compared: without surrounding white space, in lower case."""
    return text.strip().lower()


def _user(row: Record) -> User:
    return User(**dict(row))


def _address(row: Record) -> Address:
    return Address(**dict(row))


async def insert_user(
    uow: UnitOfWork, *, user_id: UUID, email: str, name: str, password_hash: str, role: Role = "customer"
) -> User | None:
    """Add a user; None if the email address is taken, also by a transaction that commits meanwhile."""
    row = await uow.fetch_row(
        statements.INSERT_USER, id=user_id, email=email, name=name, password_hash=password_hash, role=role
    )
    return _user(row) if row else None


async def find_user(reader: Reader, user_id: UUID) -> User | None:
    row = await reader.fetch_row(statements.FIND_USER, user_id=user_id)
    return _user(row) if row else None


async def lock_user(uow: UnitOfWork, user_id: UUID) -> User | None:
    """Lock the user until the transaction ends."""
    row = await uow.fetch_row(statements.LOCK_USER, user_id=user_id)
    return _user(row) if row else None


async def list_users(reader: Reader, *, query: str | None, after: UUID | None, limit: int) -> list[User]:
    """Return users by id, which is by time of sign-up; `query` is a part of the email address or the name."""
    rows = await reader.fetch(statements.LIST_USERS, after=after, query=query, limit=limit)
    return [_user(row) for row in rows]


async def update_user(uow: UnitOfWork, user: User) -> User:
    """Write name, role and disabled of a locked user, as the next version."""
    row = await uow.fetch_row(
        statements.UPDATE_USER, user_id=user.id, name=user.name, role=user.role, disabled=user.disabled
    )
    assert row is not None, "the user is locked"
    return _user(row)


async def replace_password(uow: UnitOfWork, user_id: UUID, *, old: Password, new_hash: str) -> bool:
    """Replace the password. Return False if it is no longer the one that was checked."""
    done = await uow.execute(
        statements.REPLACE_PASSWORD, user_id=user_id, old_version=old.version, password_hash=new_hash
    )
    return done == "UPDATE 1"


async def rehash_password(uow: UnitOfWork, user_id: UUID, *, old: Password, new_hash: str) -> None:
    """Store another hash of the same password, unless the password has been changed meanwhile."""
    await uow.execute(statements.REHASH_PASSWORD, user_id=user_id, old_version=old.version, password_hash=new_hash)


async def delete_user(uow: UnitOfWork, user_id: UUID) -> int | None:
    """Remove the user with sessions and addresses; returns the last version, None if there is no such user."""
    version: int | None = await uow.fetch_value(statements.DELETE_USER, user_id=user_id)
    return version


async def list_addresses(reader: Reader, user_id: UUID) -> list[Address]:
    return [_address(row) for row in await reader.fetch(statements.LIST_ADDRESSES, user_id=user_id)]


async def find_address(reader: Reader, user_id: UUID, address_id: UUID) -> Address | None:
    row = await reader.fetch_row(statements.FIND_ADDRESS, user_id=user_id, id=address_id)
    return _address(row) if row else None


async def lock_address(uow: UnitOfWork, user_id: UUID, address_id: UUID) -> Address | None:
    """Lock the user's address until the transaction ends."""
    row = await uow.fetch_row(statements.LOCK_ADDRESS, user_id=user_id, id=address_id)
    return _address(row) if row else None


async def count_addresses(reader: Reader, user_id: UUID) -> int:
    count: int = await reader.fetch_value(statements.COUNT_ADDRESSES, user_id=user_id)
    return count


async def insert_address(uow: UnitOfWork, user_id: UUID, address_id: UUID, content: PostalAddress) -> Address:
    row = await uow.fetch_row(statements.INSERT_ADDRESS, user_id=user_id, id=address_id, **_values(content))
    assert row is not None, "INSERT … RETURNING gives a row"
    return _address(row)


async def update_address(uow: UnitOfWork, user_id: UUID, address_id: UUID, content: PostalAddress) -> Address:
    """Write the content of a locked address, as the next version."""
    row = await uow.fetch_row(statements.UPDATE_ADDRESS, user_id=user_id, id=address_id, **_values(content))
    assert row is not None, "the address is locked"
    return _address(row)


def _values(content: PostalAddress) -> dict[str, str | None]:
    return {field.name: getattr(content, field.name) for field in fields(PostalAddress)}


async def delete_address(uow: UnitOfWork, user_id: UUID, address_id: UUID) -> bool:
    """Delete an address. Return whether the user had it."""
    return await uow.execute(statements.DELETE_ADDRESS, user_id=user_id, id=address_id) == "DELETE 1"
