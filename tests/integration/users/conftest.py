"""The users service with its own database and a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from local_aws.servers.postgres import PostgresServer
from local_aws.servers.valkey import RedisServer
from platform_sdk.runtime.database.migrate import migrate
from tests.integration.users.users_service import MIGRATIONS, StartUsers, Users, running_users, settings_for

TEMPLATE = "users_template"


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """A database that is migrated once and then copied for each test, which takes a tenth of the time."""

    async def make() -> None:
        await _execute(postgres_server.url, f"CREATE DATABASE {TEMPLATE}")
        await migrate(_database(postgres_server.url, TEMPLATE), None, MIGRATIONS)

    asyncio.run(make())
    return TEMPLATE


@pytest.fixture
async def users_database_url(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[str]:
    name = f"users_{uuid4().hex[:12]}"
    await _execute(postgres_server.url, f"CREATE DATABASE {name} TEMPLATE {migrated_template} STRATEGY file_copy")
    yield _database(postgres_server.url, name)
    await _execute(postgres_server.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def start_users(users_database_url: str, redis_server: RedisServer) -> StartUsers:
    """Starts the service with settings of the test's choice."""

    def start(**options: Any) -> AbstractAsyncContextManager[Users]:
        return running_users(settings_for(users_database_url, **{"redis_url": redis_server.url, **options}))

    return start


@pytest.fixture
async def users(start_users: StartUsers) -> AsyncIterator[Users]:
    async with start_users() as running:
        yield running


def _database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, ssl=False)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
