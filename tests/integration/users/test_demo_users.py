"""The demo data, added as `make up` adds it: by a command of its own."""

import os
import subprocess
import sys

import asyncpg
import pytest

from platform_sdk.runtime.database.migrate import migrate
from tests.integration.users.users_service import MIGRATIONS, PASSWORD, StartUsers


def run_demo(database_url: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": database_url}
    command = [sys.executable, "-m", "users.demo"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_demo_users_can_log_in_and_are_added_once(users_database_url: str, start_users: StartUsers) -> None:
    first, second = run_demo(users_database_url), run_demo(users_database_url)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "ada@example.com" in first.stderr
    assert second.stderr == "users: nothing to add\n"

    async with start_users() as users:
        for name in ("admin", "ada", "grace"):
            assert (await users.log_in(f"{name}@example.com", PASSWORD)).status_code == 200
        rows = await users.rows("SELECT email, role FROM users ORDER BY role, email")
        assert [tuple(row) for row in rows] == [
            ("admin@example.com", "admin"),
            ("ada@example.com", "customer"),
            ("grace@example.com", "customer"),
        ]
        assert len(await users.rows("SELECT FROM addresses")) == 2


async def test_demo_without_a_schema_says_so(database_url: str) -> None:
    done = run_demo(database_url)
    assert done.returncode == 1
    assert "migrate" in done.stderr
    assert "Traceback" not in done.stderr


async def test_migration_keeps_to_the_services_own_schema(database_url: str) -> None:
    await migrate(database_url, None, MIGRATIONS)
    connection = await asyncpg.connect(database_url, ssl=False)
    try:
        schemas = await connection.fetch(
            "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "INSERT INTO postgres.users (id, email, name, password_hash) "
                "VALUES (gen_random_uuid(), 'Ada@Example.com', 'Ada', '')"
            )
    finally:
        await connection.close()
    assert [row["schemaname"] for row in schemas] == ["postgres"]
