"""One transaction per edge, and a pool that outlives its database."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from local_aws.processes import free_port
from local_aws.servers.postgres import PostgresServer
from platform_sdk.errors import PlatformError
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.tables import purge_expired
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable, UnitOfWork
from platform_sdk.runtime.messaging.messages import Event
from platform_sdk.runtime.process.settings import ServiceSettings
from platform_sdk.runtime.testing import recorded_events


class Happened(Event):
    type = "thing.happened"
    number: int = 0


@pytest.fixture(autouse=True)
async def _things(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await uow.execute("CREATE TABLE things (id integer PRIMARY KEY, data jsonb)")


async def things(database: Database) -> list[int]:
    async with database.reader() as reader:
        return [row["id"] for row in await reader.fetch("SELECT id FROM things ORDER BY id")]


async def test_a_clean_end_commits_and_an_exception_rolls_back(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await uow.execute("INSERT INTO things VALUES (1)")

    async def fail() -> None:
        async with database.unit_of_work() as uow:
            await uow.execute("INSERT INTO things VALUES (2)")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    assert await things(database) == [1]


async def test_events_are_written_in_one_insert_and_only_with_the_commit(database: Database) -> None:
    woken: list[bool] = []
    database.on_commit_wake.append(lambda: woken.append(True))
    async with database.unit_of_work(correlation_id="request", causation_id="cause") as uow:
        ids = [uow.publish(Happened(number=n), aggregate_id=uuid4(), aggregate_version=n) for n in range(3)]
        assert await uow.fetch_value("SELECT count(*) FROM outbox") == 0
    events = await recorded_events(database)
    assert [event.id for event in events] == ids
    assert [event.data for event in events] == [{"number": 0}, {"number": 1}, {"number": 2}]
    headers = events[0].headers
    assert (headers["source"], headers["correlation_id"], headers["causation_id"]) == ("orders", "request", "cause")
    assert woken == [True]


async def test_callbacks_run_after_the_commit_and_not_after_a_rollback(database: Database) -> None:
    called: list[str] = []
    async with database.unit_of_work() as uow:
        await uow.execute("INSERT INTO things VALUES (1)")
        uow.on_commit(lambda: called.append("committed"))
        assert called == []

    async def fail() -> None:
        async with database.unit_of_work() as uow:
            uow.on_commit(lambda: called.append("rolled back"))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    assert called == ["committed"]


async def test_a_savepoint_undoes_its_statements_events_and_callbacks(database: Database) -> None:
    called: list[str] = []

    async def fail(uow: UnitOfWork) -> None:
        async with uow.savepoint():
            uow.publish(Happened(number=2), aggregate_id="a", aggregate_version=2)
            uow.on_commit(lambda: called.append("inner"))
            await uow.execute("INSERT INTO things VALUES (1)")

    async with database.unit_of_work() as uow:
        await uow.execute("INSERT INTO things VALUES (1)")
        uow.publish(Happened(number=1), aggregate_id="a", aggregate_version=1)
        with pytest.raises(asyncpg.UniqueViolationError):
            await fail(uow)
        async with uow.savepoint():
            await uow.execute("INSERT INTO things VALUES (3)")
    assert await things(database) == [1, 3]
    assert [event.data["number"] for event in await recorded_events(database)] == [1]
    assert called == []


async def test_a_swallowed_statement_error_cannot_pass_for_a_commit(database: Database) -> None:
    async def swallow() -> None:
        async with database.unit_of_work() as uow:
            await uow.execute("INSERT INTO things VALUES (1)")
            with pytest.raises(asyncpg.UniqueViolationError):
                await uow.execute("INSERT INTO things VALUES (1)")

    with pytest.raises(RuntimeError, match="savepoint"):
        await swallow()
    assert await things(database) == []


async def test_starting_over_forgets_everything_and_goes_on(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await uow.execute("INSERT INTO things VALUES (1)")
        uow.publish(Happened(), aggregate_id="a", aggregate_version=1)
        await uow.start_over()
        await uow.execute("INSERT INTO things VALUES (2)")
    assert await things(database) == [2]
    assert await recorded_events(database) == []


async def test_an_ended_unit_of_work_refuses_to_publish_and_to_run_statements(database: Database) -> None:
    async with database.unit_of_work() as uow:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        uow.publish(Happened(), aggregate_id="a", aggregate_version=1)
    with pytest.raises(RuntimeError, match="has ended"):
        await uow.execute("SELECT 1")


async def test_a_unit_of_work_without_a_statement_takes_no_connection(database_url: str) -> None:
    database = Database(database_url, max_connections=1)
    await database.open()
    async with database.unit_of_work(), database.unit_of_work() as other:
        assert await other.fetch_value("SELECT 1") == 1
    await database.close()


async def test_a_cancelled_unit_of_work_rolls_back_and_returns_its_connection(database_url: str) -> None:
    database = Database(database_url, max_connections=1)
    await database.open()

    async def work() -> None:
        async with database.unit_of_work() as uow:
            await uow.execute("SELECT pg_sleep(300)")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(60), database.unit_of_work() as uow:
        assert await uow.fetch_value("SELECT 1") == 1
    await database.close()


async def test_json_and_ids_come_and_go_as_python_values(database: Database) -> None:
    async with database.unit_of_work() as uow:
        identity = await uow.fetch_value("SELECT gen_random_uuid()")
        await uow.execute(
            "INSERT INTO things VALUES (1, $1)", {"id": identity, "text": "\x01ä\U0001f600", "n": [1, None]}
        )
        data = await uow.fetch_value("SELECT data FROM things")
    assert data == {"id": str(UUID(str(identity))), "text": "\x01ä\U0001f600", "n": [1, None]}


async def test_sessions_are_bounded_and_named_and_see_only_their_own_schema(database: Database) -> None:
    async with database.reader() as reader:
        settings = {
            name: await reader.fetch_value("SELECT current_setting($1)", name)
            for name in (
                "lock_timeout",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "application_name",
                "search_path",
            )
        }
    assert settings == {
        "lock_timeout": "2s",
        "statement_timeout": "10s",
        "idle_in_transaction_session_timeout": "15s",
        "application_name": "orders",
        "search_path": '"postgres"',
    }


async def test_a_released_connection_makes_no_further_round_trip(database: Database) -> None:
    async with database.reader() as reader:
        before = await reader.fetch_value("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        last = await reader.fetch_value(
            "SELECT query FROM pg_stat_activity WHERE application_name = 'orders' AND pid <> pg_backend_pid() LIMIT 1"
        )
    assert "pg_stat_activity" in before
    assert last is None or "RESET" not in last


async def test_a_lock_is_waited_for_two_seconds(database: Database) -> None:
    async with database.unit_of_work() as first:
        await first.execute("INSERT INTO things VALUES (1)")
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with database.unit_of_work() as second:
                await second.execute("INSERT INTO things VALUES (1)")


async def test_an_exhausted_pool_is_an_unavailable_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform_sdk.runtime.database.unit_of_work.ACQUIRE_TIMEOUT_SECONDS", 0.1)
    database = Database(database_url, max_connections=1)
    await database.open()
    async with database.unit_of_work() as first:
        await first.execute("SELECT 1")
        with pytest.raises(DatabaseUnavailable):
            async with database.unit_of_work() as second:
                await second.execute("SELECT 1")
    await database.close()


async def test_a_database_that_is_away_at_the_start_is_found_later(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres", free_port())
    server.start()
    url = server.url
    server.stop()
    database = Database(url)
    await database.open()
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    server.start()
    try:
        await database.ping()
    finally:
        await database.close()
        server.stop()


async def test_the_pool_heals_after_a_restart_of_the_database(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres", free_port())
    server.start()
    database = Database(server.url, max_connections=4)
    await database.open()

    async def hold() -> None:
        async with database.unit_of_work() as uow:
            await uow.execute("SELECT 1")
            await asyncio.sleep(0.3)
            await uow.execute("SELECT 1")

    await asyncio.gather(*(database.ping() for _ in range(4)))
    held = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    await asyncio.to_thread(server.stop)
    with pytest.raises(DatabaseUnavailable):
        await held
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    await asyncio.to_thread(server.start)
    try:
        await asyncio.gather(*(database.ping() for _ in range(8)))
    finally:
        await database.close()
        server.stop()


async def test_settings_without_a_database_say_what_to_add() -> None:
    settings = ServiceSettings(
        service_name="orders",
        service_path="/orders",
        environment="local",
        aws_region="us-east-1",
        token_issuer="users",
        token_audience="platform",
        jwks_url="http://users/jwks",
        database_url=None,
    )
    with pytest.raises(PlatformError, match=r"\[database\]"):
        Database.from_settings(settings)


@pytest.mark.parametrize("table", ["inbox", "idempotency"])
async def test_old_rows_are_purged_in_batches_and_young_ones_kept(database: Database, table: str) -> None:
    inserts: dict[str, Any] = {
        "inbox": "INSERT INTO inbox "
        "SELECT 'c', gen_random_uuid(), now() - $1 * interval '1 day' FROM generate_series(1, $2)",
        "idempotency": "INSERT INTO idempotency (scope, key, fingerprint, created_at) "
        "SELECT 's', gen_random_uuid(), '', now() - $1 * interval '1 day' FROM generate_series(1, $2)",
    }
    async with database.unit_of_work() as uow:
        await uow.execute(inserts[table], 16.0, 2_500)
        await uow.execute(inserts[table], 0.9, 3)
    await purge_expired(database)
    async with database.reader() as reader:
        assert await reader.fetch_value(f"SELECT count(*) FROM {table}") == 3
