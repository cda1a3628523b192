"""Applies the pending migrations of a service to its schema, before its tasks start: `migrate`.

On the command line: `python -m platform_sdk.runtime.database.migrate orders`. A service has
`migrations/versions/NNNN_*.py` (Alembic) and nothing else: no env.py, no alembic.ini. The version table lives in the
service's schema, which has the role's name. When there is nothing to do, neither Alembic nor SQLAlchemy is imported:
that is the usual case, and it takes a fifth of the time.

Migrations contain the SQL of their day and never import a service's `tables.py`, which changes after them. A test
compares the two: `missing_operations` must return nothing for a migrated database.
"""

import ast
import asyncio
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import asyncpg

from platform_sdk.contract import Variable
from platform_sdk.errors import PlatformError, ended_by_errors
from platform_sdk.runtime.database.pool import ssl_context

if TYPE_CHECKING:
    from sqlalchemy import Connection as SqlAlchemyConnection
    from sqlalchemy import MetaData
    from sqlalchemy.ext.asyncio import AsyncConnection

_VERSION_TABLE: Final = "alembic_version"

_CONNECT_WITHIN_SECONDS: Final = 15.0

_OTHER_MIGRATION_SECONDS: Final = 300
"""How long to wait while another task runs the same migrations."""

_DDL_LOCK_TIMEOUT_SECONDS: Final = 5
"""How long a migration waits for a table lock: all other statements queue behind it."""


class MigrationFailed(PlatformError):
    """The schema is as it was before the failing migration; those before it are committed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `migrate` did: `applied` is empty when the schema was at its head, or beyond it."""

    applied: tuple[str, ...]
    heads: tuple[str, ...]


async def migrate(database_url: str, password: str | None, migrations: Path) -> Outcome:
    """Apply all pending migrations of the folder `migrations` in the schema of the URL's role, creating the schema.

    Safe in many tasks at once: they wait for each other. A schema that a newer release has already migrated further is
    left alone, so that an older image can start beside it.

    Raises:
        MigrationFailed: the folder is wrong, the database is away, or a migration failed.
        CertificatesNotRead
    """
    revisions = _revisions(migrations)
    heads = tuple(sorted(revisions.keys() - set(revisions.values())))
    if len(heads) != 1:
        raise MigrationFailed(
            f"{migrations} has {len(heads)} newest migrations",
            because=f"nothing comes after {', '.join(heads)}" if heads else "versions/ holds no migration",
            hint="there must be one line of migrations: correct `down_revision`",
        )
    async with _alone(database_url, password) as connection:
        schema = await _own_schema(connection)
        current = await _current_revisions(connection, schema)
        if current == set(heads) or not current <= revisions.keys():
            return Outcome(applied=(), heads=heads)
        return Outcome(applied=await _upgrade(database_url, password, migrations, schema), heads=heads)


def _revisions(migrations: Path) -> dict[str, str | None]:
    """Revision to the one before it, read from the scripts without running them."""
    versions = migrations / "versions"
    if not versions.is_dir():
        raise MigrationFailed(f"{versions} does not exist", hint="run this where the service's migrations/ folder is")
    found: dict[str, str | None] = {}
    for script in sorted(versions.glob("*.py")):
        values = _assignments(script)
        if "revision" not in values:
            raise MigrationFailed(
                f"{script} has no `revision`", hint="write `revision` and `down_revision` as literals"
            )
        found[values["revision"]] = values.get("down_revision")
    return found


def _assignments(script: Path) -> dict[str, Any]:
    values = {}
    for statement in ast.parse(script.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                values[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value)):
                values[name] = value
    return values


@asynccontextmanager
async def _alone(database_url: str, password: str | None) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await _connect(database_url, password, lock_timeout_seconds=_OTHER_MIGRATION_SECONDS)
    try:
        # Held by the session: it ends with the connection, also when this process is killed.
        await connection.execute("SELECT pg_advisory_lock(hashtextextended('migrate:' || current_user, 0))")
        yield connection
    except asyncpg.LockNotAvailableError as error:
        raise MigrationFailed(
            f"another migration of this schema has been running for {_OTHER_MIGRATION_SECONDS} s",
            hint="look for it in pg_stat_activity (application_name `migrate`)",
        ) from error
    finally:
        await connection.close()


async def _connect(
    database_url: str, password: str | None, *, lock_timeout_seconds: int
) -> "asyncpg.Connection[asyncpg.Record]":
    deadline = time.monotonic() + _CONNECT_WITHIN_SECONDS
    settings = {"application_name": "migrate", "lock_timeout": f"{lock_timeout_seconds}s", "search_path": '"$user"'}
    certificates = ssl_context(database_url)
    while True:
        try:
            return await asyncpg.connect(
                database_url, password=password, ssl=certificates, timeout=5, server_settings=settings
            )
        except ssl.SSLCertVerificationError as error:
            raise MigrationFailed(
                "the database's certificate is not trusted",
                because=error.verify_message,
                hint="the URL must say the name that AWS gave the cluster; sslrootcert names another authority",
            ) from error
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
            if time.monotonic() > deadline:
                raise MigrationFailed("the database does not answer", because=str(error)) from error
            await asyncio.sleep(0.2)
        except asyncpg.PostgresError as error:
            raise MigrationFailed("the database refuses the connection", because=str(error)) from error


async def _own_schema(connection: "asyncpg.Connection[asyncpg.Record]") -> str:
    role = str(await connection.fetchval("SELECT current_user"))
    if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", role):
        try:
            await connection.execute(f'CREATE SCHEMA "{role}"')
        except asyncpg.InsufficientPrivilegeError as error:
            raise MigrationFailed(
                f"there is no schema `{role}`",
                because=str(error),
                hint=f'as an administrator, run `CREATE SCHEMA "{role}" AUTHORIZATION "{role}"`',
            ) from error
    return role


async def _current_revisions(connection: "asyncpg.Connection[asyncpg.Record]", schema: str) -> set[str]:
    if await connection.fetchval("SELECT to_regclass($1)", f'"{schema}".{_VERSION_TABLE}') is None:
        return set()
    return {row["version_num"] for row in await connection.fetch("SELECT version_num FROM alembic_version")}


async def _upgrade(database_url: str, password: str | None, migrations: Path, schema: str) -> tuple[str, ...]:
    from sqlalchemy.exc import DBAPIError

    applied: list[str] = []
    try:
        async with _sqlalchemy_connection(database_url, password) as connection:
            await connection.run_sync(_run_alembic, migrations, schema, applied)
    except DBAPIError as error:
        raise MigrationFailed(
            f"a migration after {applied[-1] if applied else 'the current revision'} failed in schema `{schema}`",
            because=str(error.orig),
            hint="the failing migration is rolled back: correct it and run this again",
        ) from error
    return tuple(applied)


@asynccontextmanager
async def _sqlalchemy_connection(database_url: str, password: str | None) -> "AsyncIterator[AsyncConnection]":
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: _connect(database_url, password, lock_timeout_seconds=_DDL_LOCK_TIMEOUT_SECONDS),
        poolclass=NullPool,
    )
    async with engine.connect() as connection:
        yield connection


def _run_alembic(connection: "SqlAlchemyConnection", migrations: Path, schema: str, applied: list[str]) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)

    def pending(current: Any, _: Any) -> list[Any]:
        return list(scripts._upgrade_revs("head", current))

    def note(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
        applied.append(step.up_revision_id)

    with EnvironmentContext(config, scripts, fn=pending) as environment:
        environment.configure(
            connection=connection,
            version_table=_VERSION_TABLE,
            version_table_schema=schema,
            transaction_per_migration=True,
            on_version_apply=note,
        )
        with environment.begin_transaction():
            environment.run_migrations()


async def missing_operations(database_url: str, password: str | None, *metadata: "MetaData") -> str:
    """Return the body of the migration that would bring the role's schema to `metadata`; "" if there is no difference.

    As `alembic check`, which also compares types, server defaults, indexes and keys, and no CHECK constraints.

    Raises:
        MigrationFailed: the database is away.
    """
    async with _sqlalchemy_connection(database_url, password) as connection:
        return await connection.run_sync(_autogenerate, metadata)


def _autogenerate(connection: "SqlAlchemyConnection", metadata: "Sequence[MetaData]") -> str:
    from alembic.autogenerate import produce_migrations, render_python_code
    from alembic.runtime.migration import MigrationContext

    options = {"version_table": _VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    # Alembic takes several (target_metadata), but its annotation names one.
    every = cast("MetaData", list(metadata))
    operations = produce_migrations(MigrationContext.configure(connection, opts=options), every).upgrade_ops
    return "" if operations is None or operations.is_empty() else render_python_code(operations)


def main(arguments: Sequence[str]) -> int:
    """Run the command line: the service's package name; migrations/ below the working directory; DATABASE_* variables.

    Raises:
        MigrationFailed: as `migrate`, or no database is named.
    """
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m platform_sdk.runtime.database.migrate <package>\n")
        return 2
    package = arguments[0]
    url = os.environ.get(Variable.DATABASE_URL)
    if not url:
        raise MigrationFailed(f"{Variable.DATABASE_URL} is not set", hint="it names the database to migrate")
    user = os.environ.get(Variable.DATABASE_USER)
    if user:
        # It acts as the URL's role (`ALTER ROLE … SET role`), which owns the schema.
        parts = urlsplit(url)
        url = parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}").geturl()
    outcome = asyncio.run(migrate(url, os.environ.get(Variable.DATABASE_PASSWORD), Path("migrations")))
    done = f"applied {', '.join(outcome.applied)}" if outcome.applied else f"nothing to do ({', '.join(outcome.heads)})"
    sys.stderr.write(f"{package}: {done}\n")
    return 0


if __name__ == "__main__":
    with ended_by_errors():
        sys.exit(main(sys.argv[1:]))
