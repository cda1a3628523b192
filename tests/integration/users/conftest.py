"""The users service with its own database and a real Redis."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from local_aws.backing.redis import RedisServer
from tests.integration.users.users_service import StartUsers, Users, running_users, settings_for


@pytest.fixture
def start_users(database_url: str, redis_server: RedisServer) -> StartUsers:
    """Starts the service with settings of the test's choice."""

    def start(**options: Any) -> AbstractAsyncContextManager[Users]:
        return running_users(settings_for(database_url, redis_server.url, **options))

    return start


@pytest.fixture
async def users(start_users: StartUsers) -> AsyncIterator[Users]:
    async with start_users() as running:
        yield running
