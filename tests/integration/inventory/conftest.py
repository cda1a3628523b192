"""An inventory database for each test."""

from collections.abc import AsyncIterator

import pytest

from local_aws.servers.valkey import RedisServer
from platform_sdk.runtime.database.migrate import migrate
from platform_sdk.runtime.database.pool import Database
from tests.integration.inventory.serving import Api, serve, settings
from tests.integration.inventory.warehouse import MIGRATIONS, Warehouse
from tests.support.databases import Databases


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    async with databases.copy_of("inventory", lambda url: migrate(url, None, MIGRATIONS)) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, service_name="inventory", max_connections=10)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def warehouse(database: Database) -> Warehouse:
    return Warehouse(database)


@pytest.fixture
async def api(database_url: str, redis_server: RedisServer) -> AsyncIterator[Api]:
    async with serve(settings(database_url, redis_url=redis_server.url)) as api:
        yield api
