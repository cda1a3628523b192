"""The pool of connections to the service's own schema: `Database`, with `unit_of_work` and `reader`.

asyncpg runs the statements that statements.py compiled at import, without SQLAlchemy's engine (decision 0023).
Connections trust the certificate authorities of Amazon RDS, or those that the URL names: libpq and asyncpg would look
for them in the user's home, where a task has none. Production's URLs say sslmode=verify-full.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg
import orjson

from platform_sdk.errors import PlatformError
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable, Reader, Record, UnitOfWork
from platform_sdk.runtime.process.settings import ServiceSettings

if TYPE_CHECKING:
    from platform_sdk.runtime.database.unit_of_work import PoolOfConnections

RDS_CA_CERTIFICATES: Final = Path(__file__).with_name("rds-ca-certificates.pem")
"""The file says where AWS publishes them, and when to renew them."""

_log = logging.getLogger(__name__)

LOCK_TIMEOUT_SECONDS: Final = 2
"""How long a statement waits for another transaction's lock; then asyncpg.LockNotAvailableError."""

STATEMENT_TIMEOUT_SECONDS: Final = 10
"""How long the server works on one statement; then asyncpg.QueryCanceledError."""

IDLE_IN_TRANSACTION_TIMEOUT_SECONDS: Final = 15
"""How long a transaction may sit between two statements: a stuck task must not hold locks and the xmin horizon."""

_CONNECT_TIMEOUT_SECONDS: Final = 5.0
_FIRST_CONNECTION_SECONDS: Final = 2.0


class CertificatesNotRead(PlatformError):
    """A database URL whose `sslrootcert` names no file of certificates."""


def ssl_context(database_url: str) -> ssl.SSLContext | None:
    """Return the context for `asyncpg.connect(ssl=…)`: checks the server's certificate, with verify-full also its name.

    Return None if the URL's sslmode is neither verify-ca nor verify-full: asyncpg itself handles the others
    (postgresql.org/docs/current/libpq-ssl.html).

    Raises:
        CertificatesNotRead
    """
    parameters = parse_qs(urlsplit(database_url).query)
    mode = parameters.get("sslmode", ["prefer"])[-1]
    if mode not in {"verify-ca", "verify-full"}:
        return None
    certificates = parameters.get("sslrootcert", [str(RDS_CA_CERTIFICATES)])[-1]
    # Not ssl.create_default_context: from Python 3.13 on it sets VERIFY_X509_STRICT, which refuses certificates that
    # libpq accepts.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = mode == "verify-full"
    try:
        context.load_verify_locations(certificates)
    except OSError as error:
        raise CertificatesNotRead(
            f"the certificate authorities in {certificates} cannot be read",
            because=str(error),
            hint="name a file of PEM certificates with sslrootcert, or leave it out to trust those of Amazon RDS",
        ) from error
    return context


class Database:
    """A pool that connects when first needed and replaces lost connections, so it survives a database restart.

    Args:
        url: `postgresql://<role>@<host>:<port>/<database>?sslmode=…`; the schema has the role's name.
        user: the role to log in as, which acts as the URL's; None for the URL's itself.
        password: None where the server trusts its clients.
        service_name: the `source` of events, and the connections' application_name.
        max_connections: upper bound of the pool.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        service_name: str = "service",
        max_connections: int = 10,
    ) -> None:
        self.service_name = service_name
        self.on_commit_wake: list[Callable[[], None]] = []
        """Called after each commit that published events; the relay registers itself here."""
        self._url = url
        self._user = user
        self._password = password
        self._max_connections = max_connections
        self._pool: PoolOfConnections | None = None

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> "Database":
        """Raise PlatformError if the settings name no database."""
        if settings.database_url is None:
            raise PlatformError(
                f"{settings.service_name} uses a database, but DATABASE_URL is not set",
                hint="add a [database] table to its platform.toml",
            )
        password = settings.database_password
        return cls(
            settings.database_url,
            user=settings.database_user,
            password=password.get_secret_value() if password else None,
            service_name=settings.service_name,
            max_connections=settings.database_max_connections,
        )

    async def open(self) -> None:
        """Prepare the pool. A database that is away is logged, not raised: the task starts, and is not ready.

        Raises:
            CertificatesNotRead
        """
        self._pool = await asyncpg.create_pool(
            self._url,
            user=self._user,
            password=self._password,
            ssl=ssl_context(self._url),
            min_size=0,
            max_size=self._max_connections,
            timeout=_CONNECT_TIMEOUT_SECONDS,
            command_timeout=STATEMENT_TIMEOUT_SECONDS + 2,
            server_settings=_server_settings(self._url, self.service_name),
            init=_prepare_connection,
            reset=_no_reset,
        )
        try:
            async with asyncio.timeout(_FIRST_CONNECTION_SECONDS):
                await self.ping()
        except (DatabaseUnavailable, TimeoutError) as error:
            _log.warning("database is away, going on without", extra={"action": "database_away", "reason": str(error)})

    async def close(self) -> None:
        """Wait for running statements, then close all connections; after 10 s close them forcibly."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(10):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    async def ping(self) -> None:
        """Make one round trip, for readiness. Raises DatabaseUnavailable."""
        await Reader(self._opened()).fetch_value("SELECT 1")

    @asynccontextmanager
    async def unit_of_work(
        self, *, correlation_id: str | None = None, causation_id: str | None = None
    ) -> AsyncIterator[UnitOfWork]:
        """Open a transaction that commits at the clean end of the block, and otherwise rolls back.

        Args:
            correlation_id: of the request or message that this work belongs to; carried on by published events.
            causation_id: id of the message that caused this work, if one did.
        """
        uow = UnitOfWork(
            self._opened(),
            source=self.service_name,
            correlation_id=correlation_id,
            causation_id=causation_id,
            wake_relay=self.on_commit_wake,
        )
        try:
            yield uow
        except BaseException:
            await uow.rollback()
            raise
        await uow.commit()

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        """Open a reader outside a transaction, which holds no connection between its statements."""
        yield Reader(self._opened())

    def _opened(self) -> "PoolOfConnections":
        if self._pool is None:
            raise RuntimeError("the database is not open: call `await database.open()` first")
        return self._pool


def _server_settings(url: str, service_name: str) -> dict[str, str]:
    settings = {
        "application_name": service_name,
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_SECONDS}s",
        # Short statements only; compiling one costs more than it saves.
        "jit": "off",
    }
    if role := urlsplit(url).username:
        # Not even `public`: a service sees its own schema and nothing else.
        settings["search_path"] = f'"{role}"'
    return settings


async def _prepare_connection(connection: "asyncpg.Connection[Record]") -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=_encode_json, decoder=orjson.loads, format="text"
        )


def _encode_json(value: Any) -> str:
    return orjson.dumps(value, default=_plain).decode()


def _plain(value: Any) -> str:
    # asyncpg gives a subclass of UUID, which orjson refuses.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


async def _no_reset(_: "asyncpg.Connection[Record]") -> None:
    """Save the usual round trip at each release: Reader and UnitOfWork leave no session state behind.

    asyncpg still rolls back a transaction that is left open. Statements therefore must use `SET LOCAL`, not `SET`, and
    transaction-level advisory locks.
    """
