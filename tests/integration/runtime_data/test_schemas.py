"""The tables in the code are those that the migrations create, and PostgreSQL accepts every statement on them."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import asyncpg
import pytest
import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_mock_engine,
    text,
    true,
)
from sqlalchemy.schema import ExecutableDDLElement

import inventory.statements
import inventory.tables
import orders.statements
import orders.tables
import users.statements
import users.tables
from platform_sdk.runtime import testing
from platform_sdk.runtime.database import statements, tables
from platform_sdk.runtime.database.migrate import migrate, missing_operations
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.statements import Statement
from platform_sdk.runtime.database.unit_of_work import UnitOfWork
from platform_sdk.runtime.http import idempotency
from platform_sdk.runtime.messaging import inbox, outbox
from tests.support.databases import Databases

METADATA: dict[str, MetaData] = {
    "orders": orders.tables.metadata,
    "users": users.tables.metadata,
    "inventory": inventory.tables.metadata,
}
STATEMENTS: dict[str, ModuleType] = {
    "orders": orders.statements,
    "users": users.statements,
    "inventory": inventory.statements,
}
RUNTIME = (outbox, inbox, idempotency, tables, testing)

CATALOGUE = {
    "columns": """
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity::text, attgenerated::text,
               pg_get_expr(adbin, adrelid), attcollation::regcollation::text
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND NOT attisdropped
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace
    """,
    "indexes": """
        SELECT tablename, replace(indexdef, ' ON ' || schemaname || '.', ' ON ') FROM pg_indexes
        WHERE schemaname = current_schema()
    """,
    "storage": """
        SELECT relname, coalesce(reloptions, '{}') FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
    """,
}


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """An empty database."""
    async with databases.empty() as url:
        yield url


async def catalogue(database_url: str, schema: str, *statements: str) -> dict[str, set[tuple[object, ...]]]:
    """What the schema has after these statements, without the table of Alembic."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": schema})
    try:
        for statement in statements:
            await connection.execute(statement)
        return {
            kind: {
                tuple(map(str, row)) for row in await connection.fetch(sql) if not row[0].startswith("alembic_version")
            }
            for kind, sql in CATALOGUE.items()
        }
    finally:
        await connection.close()


def create_all(*metadata: MetaData) -> list[str]:
    created: list[str] = []

    def note(statement: ExecutableDDLElement, *_: object) -> None:
        created.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine("postgresql+asyncpg://", note)
    for each in metadata:
        each.create_all(engine, checkfirst=False)
    return created


@pytest.mark.parametrize("service", METADATA)
async def test_autogenerate_finds_no_difference(database_url: str, repository: Path, service: str) -> None:
    await migrate(database_url, None, repository / "services" / service / "migrations")
    assert await missing_operations(database_url, None, METADATA[service], tables.metadata) == ""


@pytest.mark.parametrize("service", METADATA)
async def test_what_autogenerate_does_not_compare_is_the_same_too(
    database_url: str, repository: Path, service: str
) -> None:
    await migrate(database_url, None, repository / "services" / service / "migrations")
    declared = await catalogue(
        database_url,
        "declared",
        "CREATE SCHEMA declared",
        *create_all(METADATA[service], tables.metadata),
    )
    assert declared == await catalogue(database_url, "postgres")


@pytest.mark.parametrize("service", METADATA)
async def test_the_server_accepts_every_statement(database_url: str, repository: Path, service: str) -> None:
    await migrate(database_url, None, repository / "services" / service / "migrations")
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "postgres"})
    prepared = {}
    for module in (STATEMENTS[service], *RUNTIME):
        for statement in vars(module).values():
            if isinstance(statement, Statement):
                arguments = (await connection.prepare(statement.sql)).get_parameters()
                assert len(arguments) == len(statement.positions), statement.name
                prepared[module.__name__, statement.name] = statement
    await connection.close()
    assert len(prepared) > 20


@pytest.mark.parametrize(
    ("service", "statement", "indexes"),
    [
        ("orders", orders.statements.EXPIRE_DUE_ORDERS, {"orders_pending_by_expiry", "orders_pkey"}),
        ("orders", orders.statements.PAGE_OF_ORDERS, {"orders_pkey", "order_items_pkey", "order_history_pkey"}),
        ("orders", orders.statements.STEPS_AFTER, {"order_history_pkey"}),
        ("orders", outbox._CLAIM, {"outbox_retried"}),
        ("orders", idempotency._COMPLETE, {"idempotency_pkey"}),
        ("orders", tables._PURGE_INBOX, {"inbox_by_time"}),
        ("inventory", inventory.statements.EXPIRED_HOLDS, {"reservations_held_by_expiry"}),
        ("inventory", inventory.statements.FETCH_ITEMS, {"items_pkey", "stock_pkey"}),
        ("inventory", inventory.statements.LIST_MOVEMENTS, {"stock_movements_by_sku", "stock_pkey"}),
        ("users", users.statements.FIND_CANDIDATE, {"users_email_key", "failed_log_ins_pkey"}),
        ("users", users.statements.FORGET_OLD_FAILURES, {"failed_log_ins_last_failed_at_index"}),
        ("users", users.statements.LIST_ADDRESSES, {"addresses_user_id_index"}),
    ],
    ids=lambda value: value.name if isinstance(value, Statement) else None,
)
async def test_a_plan_for_all_values_uses_the_index_that_is_made_for_it(
    database_url: str, repository: Path, service: str, statement: Statement, indexes: set[str]
) -> None:
    # PostgreSQL keeps one plan for all values of a prepared statement. It does not know them, so it can use a partial
    # index only if the condition is in the SQL.
    await migrate(database_url, None, repository / "services" / service / "migrations")
    settings = {"search_path": "postgres", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
    connection = await asyncpg.connect(database_url, server_settings={**settings, "enable_bitmapscan": "off"})
    await connection.execute(f"PREPARE one AS {statement.sql}")
    values = ", ".join("NULL" for _ in statement.positions)
    plan = await connection.fetch(f"EXPLAIN EXECUTE one({values})" if values else "EXPLAIN EXECUTE one")
    await connection.close()
    assert indexes <= set(re.findall(r"(?:Index|Index Only) Scan (?:Backward )?using (\w+)", str(plan)))


async def test_the_example_of_the_documentation_works(database_url: str, repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "howto" / "database.md").read_text(encoding="utf-8")
    table, migration, *code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shutil.copytree(repository / "services" / "orders" / "migrations", tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "0002_coupons.py").write_text(migration, encoding="utf-8")
    assert (await migrate(database_url, None, tmp_path / "migrations")).applied == ("0001", "0002")
    names: dict[str, Any] = {**vars(sqlalchemy), **vars(statements), "UnitOfWork": UnitOfWork, "Final": Final}
    names["metadata"] = MetaData()
    for block in (table, *code):
        exec(block, names)
    assert await missing_operations(database_url, None, METADATA["orders"], tables.metadata, names["metadata"]) == ""
    database = Database(database_url)
    await database.open()
    async with database.unit_of_work() as uow:
        await uow.execute("INSERT INTO coupons (code, percent) VALUES ('SPRING', 20)")
        assert await names["use_coupon"](uow, "SPRING") == 20
        assert await uow.fetch_value(names["REDEEM"], code="SPRING", total=1_000) == 800
        (row,) = await uow.fetch(names["FIND_COUPONS"], codes=["SPRING", "AUTUMN"])
        assert dict(row) == {"code": "SPRING", "percent": 20, "used": 2}
    await database.close()


async def test_each_kind_of_difference_is_an_operation_of_the_missing_migration(
    database_url: str, repository: Path
) -> None:
    await migrate(database_url, None, repository / "services" / "orders" / "migrations")
    changed = MetaData()
    for table in (*tables.metadata.sorted_tables, *orders.tables.metadata.sorted_tables):
        if table.name != "order_history":
            table.to_metadata(changed)
    placed = changed.tables["orders"]
    placed.append_column(Column("gift", Boolean, nullable=False, server_default=true()))
    placed.append_column(Column("version", BigInteger, nullable=False), replace_existing=True)
    placed.append_column(
        Column("hold_committed", Boolean, nullable=False, server_default=true()), replace_existing=True
    )
    placed.append_column(Column("note", Text, nullable=False), replace_existing=True)
    Index("orders_by_age", placed.c.created_at)
    Table("gifts", changed, Column("id", Integer, primary_key=True, server_default=text("1")))
    operations = await missing_operations(database_url, None, changed)
    for expected in (
        "op.add_column('orders', sa.Column('gift', sa.Boolean()",
        "op.alter_column('orders', 'version'",
        "op.alter_column('orders', 'hold_committed'",
        "op.alter_column('orders', 'note'",
        "op.create_index('orders_by_age', 'orders', ['created_at']",
        "op.create_table('gifts'",
        "op.drop_table('order_history')",
    ):
        assert expected in operations
    assert operations.count("op.") == 7
