"""Users and their addresses: the values, and the SQL that reads and writes them. Below use_cases, above the database.

Sessions and failed log-ins are in sessions.py. Every statement about an owned row checks the owner: another user's row
is not found.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from platform_sdk.runtime.database.unit_of_work import Reader, Record, UnitOfWork

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
        """
        INSERT INTO users (id, email, name, password_hash, role) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (email) DO NOTHING
        RETURNING id, email, name, role, disabled, version, created_at, updated_at
        """,
        user_id,
        email,
        name,
        password_hash,
        role,
    )
    return _user(row) if row else None


async def find_user(reader: Reader, user_id: UUID) -> User | None:
    row = await reader.fetch_row(
        "SELECT id, email, name, role, disabled, version, created_at, updated_at FROM users WHERE id = $1", user_id
    )
    return _user(row) if row else None


async def lock_user(uow: UnitOfWork, user_id: UUID) -> User | None:
    """Lock the user until the transaction ends."""
    row = await uow.fetch_row(
        """
        SELECT id, email, name, role, disabled, version, created_at, updated_at FROM users WHERE id = $1
        FOR NO KEY UPDATE
        """,
        user_id,
    )
    return _user(row) if row else None


async def list_users(reader: Reader, *, query: str | None, after: UUID | None, limit: int) -> list[User]:
    """Return users by id, which is by time of sign-up; `query` is a part of the email address or the name."""
    rows = await reader.fetch(
        """
        SELECT id, email, name, role, disabled, version, created_at, updated_at FROM users
        WHERE ($1::uuid IS NULL OR id > $1)
          AND ($2::text IS NULL OR strpos(email, lower($2)) > 0 OR strpos(lower(name), lower($2)) > 0)
        ORDER BY id LIMIT $3
        """,
        after,
        query,
        limit,
    )
    return [_user(row) for row in rows]


async def update_user(uow: UnitOfWork, user: User) -> User:
    """Write name, role and disabled of a locked user, as the next version."""
    row = await uow.fetch_row(
        """
        UPDATE users SET name = $2, role = $3, disabled = $4, version = version + 1, updated_at = now()
        WHERE id = $1
        RETURNING id, email, name, role, disabled, version, created_at, updated_at
        """,
        user.id,
        user.name,
        user.role,
        user.disabled,
    )
    assert row is not None, "the user is locked"
    return _user(row)


async def replace_password(uow: UnitOfWork, user_id: UUID, *, old: Password, new_hash: str) -> bool:
    """Replace the password. Return False if it is no longer the one that was checked."""
    done = await uow.execute(
        """
        UPDATE users SET password_hash = $3, password_version = password_version + 1, updated_at = now()
        WHERE id = $1 AND password_version = $2
        """,
        user_id,
        old.version,
        new_hash,
    )
    return done == "UPDATE 1"


async def rehash_password(uow: UnitOfWork, user_id: UUID, *, old: Password, new_hash: str) -> None:
    """Store another hash of the same password, unless the password has been changed meanwhile."""
    await uow.execute(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_version = $2", user_id, old.version, new_hash
    )


async def delete_user(uow: UnitOfWork, user_id: UUID) -> int | None:
    """Remove the user with sessions and addresses; returns the last version, None if there is no such user."""
    version: int | None = await uow.fetch_value("DELETE FROM users WHERE id = $1 RETURNING version", user_id)
    return version


async def list_addresses(reader: Reader, user_id: UUID) -> list[Address]:
    rows = await reader.fetch(
        """
        SELECT id, label, recipient, line1, line2, city, region, postal_code, country, version, created_at, updated_at
        FROM addresses WHERE user_id = $1 ORDER BY id
        """,
        user_id,
    )
    return [_address(row) for row in rows]


async def find_address(reader: Reader, user_id: UUID, address_id: UUID) -> Address | None:
    row = await reader.fetch_row(
        """
        SELECT id, label, recipient, line1, line2, city, region, postal_code, country, version, created_at, updated_at
        FROM addresses WHERE user_id = $1 AND id = $2
        """,
        user_id,
        address_id,
    )
    return _address(row) if row else None


async def lock_address(uow: UnitOfWork, user_id: UUID, address_id: UUID) -> Address | None:
    """Lock the user's address until the transaction ends."""
    row = await uow.fetch_row(
        """
        SELECT id, label, recipient, line1, line2, city, region, postal_code, country, version, created_at, updated_at
        FROM addresses WHERE user_id = $1 AND id = $2 FOR NO KEY UPDATE
        """,
        user_id,
        address_id,
    )
    return _address(row) if row else None


async def count_addresses(reader: Reader, user_id: UUID) -> int:
    count: int = await reader.fetch_value("SELECT count(*) FROM addresses WHERE user_id = $1", user_id)
    return count


async def insert_address(uow: UnitOfWork, user_id: UUID, address_id: UUID, content: PostalAddress) -> Address:
    row = await uow.fetch_row(
        """
        INSERT INTO addresses (user_id, id, label, recipient, line1, line2, city, region, postal_code, country)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        RETURNING id, label, recipient, line1, line2, city, region, postal_code, country,
                  version, created_at, updated_at
        """,
        user_id,
        address_id,
        *_values(content),
    )
    assert row is not None, "INSERT … RETURNING gives a row"
    return _address(row)


async def update_address(uow: UnitOfWork, user_id: UUID, address_id: UUID, content: PostalAddress) -> Address:
    """Write the content of a locked address, as the next version."""
    row = await uow.fetch_row(
        """
        UPDATE addresses SET label = $3, recipient = $4, line1 = $5, line2 = $6, city = $7, region = $8,
               postal_code = $9, country = $10, version = version + 1, updated_at = now()
        WHERE user_id = $1 AND id = $2
        RETURNING id, label, recipient, line1, line2, city, region, postal_code, country,
                  version, created_at, updated_at
        """,
        user_id,
        address_id,
        *_values(content),
    )
    assert row is not None, "the address is locked"
    return _address(row)


def _values(content: PostalAddress) -> tuple[str | None, ...]:
    """Return the content in the order in which the statements above number it."""
    return (
        content.label,
        content.recipient,
        content.line1,
        content.line2,
        content.city,
        content.region,
        content.postal_code,
        content.country,
    )


async def delete_address(uow: UnitOfWork, user_id: UUID, address_id: UUID) -> bool:
    """Delete an address. Return whether the user had it."""
    done = await uow.execute("DELETE FROM addresses WHERE user_id = $1 AND id = $2", user_id, address_id)
    return done == "DELETE 1"
