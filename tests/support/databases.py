"""A database for each test: empty, or a copy of one that was prepared once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg


class Databases:
    """Creates and drops databases of one server. `server_url` names a role that may."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._prepared: set[str] = set()

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """Create a database, yield its URL, and drop it."""
        async with self._created("template1") as url:
            yield url

    @asynccontextmanager
    async def copy_of(self, name: str, prepare: Callable[[str], Awaitable[object]]) -> AsyncIterator[str]:
        """Create a copy of database `name`, yield its URL, and drop it. The first call makes it: `prepare(url)`."""
        if name not in self._prepared:
            await self._execute(f"CREATE DATABASE {name} STRATEGY file_copy")
            await prepare(self._url(name))
            self._prepared.add(name)
        async with self._created(name) as url:
            yield url

    @asynccontextmanager
    async def _created(self, template: str) -> AsyncIterator[str]:
        name = f"test_{uuid4().hex[:12]}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self._url(name)
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server_url, ssl=False)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{name}"))
