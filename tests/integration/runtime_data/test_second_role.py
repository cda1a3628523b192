"""The second role of a service, with which its password is rotated: on a real PostgreSQL it acts as the first one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from platform_sdk.deploy.secrets import login_statements, other_role
from platform_sdk.runtime.database.migrate import migrate
from platform_sdk.runtime.database.pool import Database

MIGRATION = """
from alembic import op
from platform_sdk.runtime.database import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in tables.VERSION_1:
        op.execute(statement)
"""


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[str]:
    """The name of a service with a role and a schema, and a second role with another password."""
    name = f"shop{uuid4().hex[:8]}"
    other, database = other_role(name, name), urlsplit(database_url).path.removeprefix("/")
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'first'")
    await connection.execute(f'CREATE SCHEMA "{name}" AUTHORIZATION "{name}"')
    for sql in login_statements(name, other, "second", database, exists=False):
        await connection.execute(sql)
    yield name
    await connection.execute(f'DROP OWNED BY "{name}", "{other}" CASCADE')
    await connection.execute(f'DROP ROLE "{other}"')
    await connection.execute(f'DROP ROLE "{name}"')
    await connection.close()


def url_of(database_url: str, user: str) -> str:
    parts = urlsplit(database_url)
    return parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}").geturl()


async def test_the_second_role_migrates_and_works_in_the_schema_of_the_first(
    database_url: str, service: str, tmp_path: Path
) -> None:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_initial.py").write_text(MIGRATION)
    other = other_role(service, service)
    assert (await migrate(url_of(database_url, other), "second", tmp_path / "migrations")).applied == ("0001",)

    both = (("first", None), ("second", other))
    pools = [Database(url_of(database_url, service), user=user, password=password) for password, user in both]
    await asyncio.gather(*(pool.open() for pool in pools))
    for pool in pools:
        async with pool.unit_of_work() as uow:
            assert await uow.fetch_value("SELECT current_user::text") == service
            assert await uow.fetch_value("SELECT current_schema()::text") == service
            owner = "SELECT tableowner::text FROM pg_tables WHERE schemaname = current_schema() LIMIT 1"
            assert await uow.fetch_value(owner) == service
            await uow.execute(f"CREATE TABLE of_{'second' if pool is pools[1] else 'first'} (id integer)")
    await asyncio.gather(*(pool.close() for pool in pools))


async def test_a_changed_password_is_refused_and_the_other_role_goes_on(database_url: str, service: str) -> None:
    connection = await asyncpg.connect(database_url)
    shown = await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", service)
    await connection.execute(f"ALTER ROLE \"{service}\" PASSWORD 'third'")
    changed = await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", service)
    await connection.close()
    assert shown != changed
    pool = Database(url_of(database_url, service), user=other_role(service, service), password="second")
    await pool.open()
    await pool.ping()
    await pool.close()
