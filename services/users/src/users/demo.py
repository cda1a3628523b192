"""Demo data for the laptop: an administrator and two customers with addresses. `python -m users.demo`.

Runs after the migrations, with the same variables; existing users stay unchanged, so it is safe to repeat.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import Final

import asyncpg

from platform_sdk.contract import Variable
from platform_sdk.errors import PlatformError, ended_by_errors
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable
from platform_sdk.runtime.http.problems import Problem
from platform_sdk.runtime.messaging.messages import new_id
from users import model, use_cases
from users.model import PostalAddress, Role
from users.passwords import Passwords

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - made to be known


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUser:
    email: str
    name: str
    role: Role = "customer"
    address: PostalAddress | None = None


USERS: Final = (
    DemoUser(email="admin@example.com", name="Admin", role="admin"),
    DemoUser(
        email="ada@example.com",
        name="Ada Lovelace",
        address=PostalAddress(
            label="Home",
            recipient="Ada Lovelace",
            line1="12 St James's Square",
            line2=None,
            city="London",
            region=None,
            postal_code="SW1Y 4JH",
            country="GB",
        ),
    ),
    DemoUser(
        email="grace@example.com",
        name="Grace Hopper",
        address=PostalAddress(
            label="Home",
            recipient="Grace Hopper",
            line1="1 Navy Yard",
            line2=None,
            city="Arlington",
            region="VA",
            postal_code="22202",
            country="US",
        ),
    ),
)


async def add_demo_users(database: Database, passwords: Passwords) -> list[str]:
    """Add missing users. Return their email addresses."""
    added = []
    for user in USERS:
        password_hash = await passwords.hash(PASSWORD)
        try:
            async with database.unit_of_work() as uow:
                stored = await use_cases.sign_up(
                    uow, email=user.email, name=user.name, password_hash=password_hash, role=user.role
                )
                if user.address:
                    await model.insert_address(uow, stored.id, new_id(), user.address)
        except Problem as problem:
            if problem.status != 409:
                raise
        else:
            added.append(user.email)
    return added


async def run() -> None:
    """Add the demo data to the database of the environment.

    Raises:
        PlatformError: no database is named, or it is away.
    """
    url = os.environ.get(Variable.DATABASE_URL)
    if not url:
        raise PlatformError(f"{Variable.DATABASE_URL} is not set", hint="it names the database to fill")
    database = Database(url, password=os.environ.get(Variable.DATABASE_PASSWORD), service_name="users")
    passwords = Passwords(threads=1, queue_limit=0)
    await database.open()
    try:
        added = await add_demo_users(database, passwords)
    except DatabaseUnavailable as error:
        raise PlatformError("the database is away", because=str(error)) from error
    except asyncpg.UndefinedTableError as error:
        raise PlatformError(
            "the schema is not there",
            because=str(error),
            hint="run `python -m platform_sdk.runtime.database.migrate users` first",
        ) from error
    finally:
        await database.close()
        passwords.close()
    sys.stderr.write(f"users: {'added ' + ', '.join(added) if added else 'nothing to add'}\n")


if __name__ == "__main__":
    with ended_by_errors():
        asyncio.run(run())
