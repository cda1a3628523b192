"""An inventory database for each test."""

from collections.abc import AsyncIterator

import pytest

from platform_sdk.runtime.database import Database
from platform_sdk.runtime.migrate import migrate
from tests.integration.inventory.warehouse import MIGRATIONS, Warehouse


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await migrate(database_url, None, MIGRATIONS)
    database = Database(database_url, service_name="inventory", max_connections=10)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def warehouse(database: Database) -> Warehouse:
    return Warehouse(database)
