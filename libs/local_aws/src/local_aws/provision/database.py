"""The shared database: for each service a role with its own schema, and no way into any other's."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from local_aws.errors import DatabaseNotPrepared
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest import ServiceSpec

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


async def prepare_database(
    url: str,
    specs: Iterable[ServiceSpec],
    environment: Environment,
    *,
    passwords: Mapping[str, str],
    create: bool,
) -> None:
    """Creates what is missing; passwords and rights are set anew each time.

    Args:
        url: of a superuser, or of a role that owns the database and may create roles.
        passwords: by service name.
        create: whether the database itself is ours to create.

    Raises:
        DatabaseNotPrepared
    """
    try:
        if create:
            await _create_database(url, environment.database.name)
        await _prepare_all(url, specs, environment.database.name, passwords)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseNotPrepared(
            "the database could not be prepared for the services",
            because=str(error) or type(error).__name__,
            hint=None if create else "DATABASE_URL must reach a database that its role owns, and let it create roles",
        ) from error


async def _prepare_all(url: str, specs: Iterable[ServiceSpec], name: str, passwords: Mapping[str, str]) -> None:
    connection = await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path=f"/{name}")))
    try:
        async with connection.transaction():
            await connection.execute(f"REVOKE ALL ON DATABASE {_quoted(name)} FROM PUBLIC")
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            for spec in specs:
                if spec.database is not None:
                    await _prepare_service(connection, spec.name, name, passwords[spec.name])
    finally:
        await connection.close()


async def _create_database(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"CREATE DATABASE {_quoted(name)}")
    finally:
        await connection.close()


async def _prepare_service(connection: "Connection", service: str, database: str, password: str) -> None:
    role = _quoted(service)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", service):
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(f"ALTER ROLE {role} PASSWORD {literal}")
    await connection.execute(f"ALTER ROLE {role} IN DATABASE {_quoted(database)} SET search_path = {role}")
    await connection.execute(f"GRANT CONNECT ON DATABASE {_quoted(database)} TO {role}")
    # PostgreSQL lets only a member of the owning role name it as the owner; a superuser needs no membership.
    if not await connection.fetchval("SELECT pg_has_role($1, 'MEMBER')", service):
        await connection.execute(f"GRANT {role} TO CURRENT_USER")
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}")


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
