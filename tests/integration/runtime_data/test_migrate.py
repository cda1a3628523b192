"""Migrations run once, in the service's own schema, even if several processes start them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from platform_sdk.runtime.database.migrate import MigrationFailed, migrate
from tests.support.databases import Databases

FIRST = """
from alembic import op
from platform_sdk.runtime.database import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in tables.VERSION_1:
        op.execute(statement)
"""
SECOND = """
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE things (id integer)")
"""


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """An empty database."""
    async with databases.empty() as url:
        yield url


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_initial.py").write_text(FIRST)
    return tmp_path / "migrations"


async def fetch_value(database_url: str, sql: str) -> object:
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_pending_migrations_are_applied_in_the_schema_of_the_role_and_then_there_is_nothing_to_do(
    database_url: str, migrations: Path
) -> None:
    assert (await migrate(database_url, None, migrations)).applied == ("0001",)
    assert await fetch_value(database_url, "SELECT schemaname FROM pg_tables WHERE tablename = 'outbox'") == "postgres"
    assert await fetch_value(database_url, "SELECT version_num FROM postgres.alembic_version") == "0001"
    assert (await migrate(database_url, None, migrations)).applied == ()
    (migrations / "versions" / "0002_things.py").write_text(SECOND)
    assert (await migrate(database_url, None, migrations)).applied == ("0002",)


async def test_several_tasks_may_migrate_at_once(database_url: str, migrations: Path) -> None:
    (migrations / "versions" / "0002_things.py").write_text(SECOND)
    outcomes = await asyncio.gather(*(migrate(database_url, None, migrations) for _ in range(3)))
    assert sorted(outcome.applied for outcome in outcomes) == [(), (), ("0001", "0002")]


async def test_a_failing_migration_is_rolled_back_and_named(database_url: str, migrations: Path) -> None:
    broken = SECOND.replace("CREATE TABLE things (id integer)", "CREATE TABLE things (id nonsense)")
    (migrations / "versions" / "0002_things.py").write_text(broken)
    with pytest.raises(MigrationFailed, match="a migration after 0001 failed") as caught:
        await migrate(database_url, None, migrations)
    assert "nonsense" in str(caught.value)
    assert await fetch_value(database_url, "SELECT version_num FROM postgres.alembic_version") == "0001"


async def test_an_older_release_leaves_a_newer_schema_alone(database_url: str, migrations: Path) -> None:
    (migrations / "versions" / "0002_things.py").write_text(SECOND)
    await migrate(database_url, None, migrations)
    (migrations / "versions" / "0002_things.py").unlink()
    assert (await migrate(database_url, None, migrations)).applied == ()


async def test_a_missing_folder_and_a_forked_history_are_clear_errors(database_url: str, migrations: Path) -> None:
    with pytest.raises(MigrationFailed, match="does not exist"):
        await migrate(database_url, None, migrations / "elsewhere")
    (migrations / "versions" / "0002_things.py").write_text(SECOND.replace('"0001"', "None"))
    with pytest.raises(MigrationFailed, match="2 newest migrations"):
        await migrate(database_url, None, migrations)


def test_the_command_says_what_it_did(database_url: str, migrations: Path) -> None:
    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "platform_sdk.runtime.database.migrate", "orders"],
            cwd=migrations.parent,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run(DATABASE_URL=database_url).stderr == "orders: applied 0001\n"
    again = run(DATABASE_URL=database_url)
    assert (again.returncode, again.stderr) == (0, "orders: nothing to do (0001)\n")
    missing = run(DATABASE_URL="")
    assert missing.returncode == 1
    assert "DATABASE_URL is not set" in missing.stderr
