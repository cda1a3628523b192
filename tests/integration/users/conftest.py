"""The users service with its own database and a real Redis."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from local_aws.servers.valkey import RedisServer
from platform_sdk.runtime.database.migrate import migrate
from tests.integration.users.users_service import MIGRATIONS, StartUsers, Users, running_users, settings_for
from tests.support.databases import Databases


@pytest.fixture
async def users_database_url(databases: Databases) -> AsyncIterator[str]:
    async with databases.copy_of("users", lambda url: migrate(url, None, MIGRATIONS)) as url:
        yield url


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
