"""Reading from the database outside a transaction, and the one error that says "the database is away".

Below `unit_of_work` (which adds the transaction) and `database` (which owns the pool).
"""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import Pool, PoolConnectionProxy

    PoolOfConnections = Pool[asyncpg.Record]
    Connection = PoolConnectionProxy[asyncpg.Record]

Record = asyncpg.Record
Result = TypeVar("Result")

ACQUIRE_TIMEOUT_SECONDS: Final = 5.0
"""How long a statement waits for a free connection of the pool before the caller gets `DatabaseUnavailable`."""


class DatabaseUnavailable(Exception):
    """No connection, or it was lost; nothing is committed, unless that happened during COMMIT itself. Retry later."""


class _ConnectionErrors:
    """Turns asyncpg's many ways to say "connection lost" into `DatabaseUnavailable`; free when nothing is raised."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None and is_connection_error(error):
            raise DatabaseUnavailable(f"{type(error).__name__}: {error}") from error


connection_errors: Final = _ConnectionErrors()


def is_connection_error(error: BaseException) -> bool:
    """Whether the connection, and not the statement, is at fault (a timeout counts as a lost connection)."""
    match error:
        case (
            OSError()  # includes TimeoutError
            | asyncpg.PostgresConnectionError()
            | asyncpg.CannotConnectNowError()
            | asyncpg.AdminShutdownError()
            | asyncpg.CrashShutdownError()
            | asyncpg.TooManyConnectionsError()
            | asyncpg.IdleInTransactionSessionTimeoutError()
        ):
            return True
        case asyncpg.InterfaceError():
            # asyncpg has no class of its own for a statement on a connection that has meanwhile been closed; the pool
            # takes such a connection back while it is in use.
            return any(words in str(error) for words in ("closed", "closing", "released back to the pool"))
        case _:
            return False


class Reader:
    """Statements that each run by themselves (autocommit); a connection is held only while one runs."""

    def __init__(self, pool: "PoolOfConnections") -> None:
        self._pool = pool

    async def fetch(self, sql: str, *arguments: object) -> list[Record]:
        """All rows.

        Raises:
            DatabaseUnavailable: there is no connection, or it was lost.
            asyncpg.PostgresError: the statement failed.
        """
        return await self._run(lambda connection: connection.fetch(sql, *arguments))

    async def fetch_row(self, sql: str, *arguments: object) -> Record | None:
        """The first row, or None. Raises as `fetch`."""
        return await self._run(lambda connection: connection.fetchrow(sql, *arguments))

    async def fetch_value(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row, or None. Raises as `fetch`."""
        return await self._run(lambda connection: connection.fetchval(sql, *arguments))

    async def _run(self, statement: "Callable[[Connection], Awaitable[Result]]") -> "Result":
        with connection_errors:
            connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
            try:
                return await statement(connection)
            finally:
                await self._pool.release(connection)
