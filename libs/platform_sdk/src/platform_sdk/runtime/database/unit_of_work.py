"""One transaction of an edge (a request, a message): `UnitOfWork`; reading without one: `Reader`.

The edge opens it, use cases work in it and never commit, the edge commits at the clean end of its block and answers
afterwards. An event is in the outbox table if and only if the transaction committed; the relay sends it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

import asyncpg

from platform_sdk.runtime.database.statements import Statement, sql_and_arguments
from platform_sdk.runtime.messaging import outbox
from platform_sdk.runtime.messaging.messages import Event, new_id
from platform_sdk.runtime.process.settings import crash_point
from platform_sdk.runtime.process.telemetry import current_trace_headers

if TYPE_CHECKING:
    from asyncpg.pool import Pool, PoolConnectionProxy

    PoolOfConnections = Pool[asyncpg.Record]
    Connection = PoolConnectionProxy[asyncpg.Record]

Record = asyncpg.Record
Result = TypeVar("Result")

ACQUIRE_TIMEOUT_SECONDS: Final = 5.0
"""How long a statement waits for a free connection of the pool before the caller gets `DatabaseUnavailable`."""


class DatabaseUnavailable(Exception):
    """There is no connection, or it was lost. Nothing is committed, unless it was lost during COMMIT. Retry later."""


class _ConnectionErrors:
    """Turns asyncpg's errors about a lost connection into `DatabaseUnavailable`; without an error it costs nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None and is_connection_error(error):
            raise DatabaseUnavailable(f"{type(error).__name__}: {error}") from error


connection_errors: Final = _ConnectionErrors()


def is_connection_error(error: BaseException) -> bool:
    """Return whether the connection failed, not the statement (a timeout counts as a lost connection)."""
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
            # asyncpg has no class for a statement on a connection that has been closed; the pool releases such a
            # connection while it is in use.
            return any(words in str(error) for words in ("closed", "closing", "released back to the pool"))
        case _:
            return False


class Reader:
    """Statements that each run by themselves (autocommit); a connection is held only while one runs."""

    def __init__(self, pool: "PoolOfConnections") -> None:
        self._pool = pool

    async def fetch(self, statement: Statement | str, /, *arguments: object, **parameters: object) -> list[Record]:
        """Return all rows.

        Args:
            statement: compiled once (statements.py); or SQL in a string, for tests and for commands without values.
            arguments: the values of `$1`, `$2` … of SQL in a string.
            parameters: the values of a statement's parameters, by name.

        Raises:
            TypeError: the values are not those that the statement takes.
            DatabaseUnavailable: there is no connection, or it was lost.
            asyncpg.PostgresError: the statement failed.
        """
        sql, values = sql_and_arguments(statement, arguments, parameters)
        return await self._run(lambda connection: connection.fetch(sql, *values))

    async def fetch_row(self, statement: Statement | str, /, *arguments: object, **parameters: object) -> Record | None:
        """Return the first row, or None. Raises as `fetch`."""
        sql, values = sql_and_arguments(statement, arguments, parameters)
        return await self._run(lambda connection: connection.fetchrow(sql, *values))

    async def fetch_value(self, statement: Statement | str, /, *arguments: object, **parameters: object) -> Any:
        """Return the first column of the first row, or None. Raises as `fetch`."""
        sql, values = sql_and_arguments(statement, arguments, parameters)
        return await self._run(lambda connection: connection.fetchval(sql, *values))

    async def _run(self, call: "Callable[[Connection], Awaitable[Result]]") -> "Result":
        with connection_errors:
            connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
            try:
                return await call(connection)
            finally:
                await self._pool.release(connection)


class UnitOfWork(Reader):
    """A transaction that takes its connection with its first statement, so that an edge that fails early costs none.

    Made by `Database.unit_of_work()`. Statements run one after another, never at the same time.
    """

    def __init__(
        self,
        pool: "PoolOfConnections",
        *,
        source: str,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        wake_relay: Sequence[Callable[[], None]] = (),
    ) -> None:
        super().__init__(pool)
        self.correlation_id = correlation_id
        self.causation_id = causation_id
        self._source = source
        self._wake_relay = wake_relay
        self._connection: Connection | None = None
        self._published: list[outbox.NewRow] = []
        self._after_commit: list[Callable[[], None]] = []
        self._savepoints = 0
        self._ended = False

    async def execute(self, statement: Statement | str, /, *arguments: object, **parameters: object) -> str:
        """Run a statement; returns its command tag, for example `UPDATE 1`. Raises as `fetch`."""
        sql, values = sql_and_arguments(statement, arguments, parameters)
        return await self._run(lambda connection: connection.execute(sql, *values))

    def publish(self, event: Event, *, aggregate_id: UUID | str, aggregate_version: int) -> UUID:
        """Send `event` if, and only if, this transaction commits; returns the message id.

        Args:
            aggregate_id: events of one aggregate are sent in order.
            aggregate_version: the aggregate's version after the change; consumers drop what is older than they know.
        """
        self._refuse_if_ended()
        message_id = new_id()
        headers = {
            "source": self._source,
            "occurred_at": datetime.now(UTC).isoformat(),
            "correlation_id": self.correlation_id or str(message_id),
            **current_trace_headers(),
        }
        if self.causation_id is not None:
            headers["causation_id"] = self.causation_id
        self._published.append(
            outbox.NewRow(
                id=message_id,
                aggregate_id=str(aggregate_id),
                aggregate_version=aggregate_version,
                type=event.type,
                version=event.version,
                payload=event.model_dump(mode="json"),
                headers=headers,
            )
        )
        return message_id

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` after COMMIT; never if the transaction rolls back. It must not block or raise."""
        self._refuse_if_ended()
        self._after_commit.append(callback)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Run a part that can fail alone: an exception undoes its statements, events and callbacks, and propagates."""
        published, callbacks = len(self._published), len(self._after_commit)
        self._savepoints += 1
        name = f"savepoint_{self._savepoints}"
        await self.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            del self._published[published:]
            del self._after_commit[callbacks:]
            await self.execute(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
            raise
        await self.execute(f"RELEASE SAVEPOINT {name}")

    async def start_over(self) -> None:
        """Undo everything so far, and go on in a new transaction."""
        await self.rollback()
        self._published.clear()
        self._after_commit.clear()
        self._ended = False

    async def commit(self) -> None:
        """Write the outbox, COMMIT, then run the callbacks. For edges only: `Database.unit_of_work` calls it.

        Raises:
            RuntimeError: an earlier statement failed and its error was swallowed, so PostgreSQL rolled back.
        """
        try:
            if self._published:
                await self.execute(outbox.INSERT, **outbox.columns_of(self._published))
            if self._connection is not None and await self.execute("COMMIT") != "COMMIT":
                raise RuntimeError("a statement failed in this unit of work; catch its error around a savepoint")
        except BaseException:
            await self.rollback()
            raise
        self._ended = True
        crash_point("after_commit")
        await self._release()
        for callback in self._after_commit:
            callback()
        if self._published:
            for wake in self._wake_relay:
                wake()

    async def rollback(self) -> None:
        """Undo everything; a lost connection has done so already. For edges only: `Database.unit_of_work` calls it."""
        self._ended = True
        try:
            if self._connection is not None and self._connection.is_in_transaction():
                await self._connection.execute("ROLLBACK")
        except Exception as error:
            if not is_connection_error(error):
                raise
        finally:
            await self._release()

    async def _run(self, call: "Callable[[Connection], Awaitable[Result]]") -> "Result":
        with connection_errors:
            return await call(self._connection or await self._begun())

    async def _begun(self) -> "Connection":
        self._refuse_if_ended()
        self._connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
        await self._connection.execute("BEGIN")
        return self._connection

    async def _release(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._pool.release(connection)

    def _refuse_if_ended(self) -> None:
        if self._ended:
            raise RuntimeError("this unit of work has ended; open a new one")
