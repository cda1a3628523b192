"""Statements against PostgreSQL: each type comes back as it went in, and the server accepts what SQLAlchemy writes."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Time,
    Uuid,
    any_,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB, insert
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateTable

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.statements import compile_statement, parameters
from platform_sdk.runtime.database.unit_of_work import Reader

metadata = MetaData()
samples = Table(
    "samples",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("text", Text),
    Column("flag", Boolean),
    Column("small", SmallInteger),
    Column("number", Integer),
    Column("large", BigInteger),
    Column("exact", Numeric(30, 10)),
    Column("float", Double),
    Column("bytes", LargeBinary),
    Column("at", DateTime(timezone=True)),
    Column("day", Date),
    Column("hour", Time),
    Column("span", INTERVAL),
    Column("data", JSONB),
    Column("texts", ARRAY(Text)),
    Column("ids", ARRAY(Uuid)),
    Column("documents", ARRAY(JSONB)),
    Column("changes", Integer, nullable=False, server_default=text("0")),
)
VALUES: dict[str, Any] = {
    "id": uuid4(),
    "text": "ä\U0001f600 'quoted' % :name $1",
    "flag": True,
    "small": -(2**15),
    "number": 2**31 - 1,
    "large": 2**63 - 1,
    "exact": Decimal("12345678901234567890.0123456789"),
    "float": 0.1,
    "bytes": b"\x00\xff",
    "at": datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
    "day": date(2024, 2, 29),
    "hour": time(23, 59, 59, 1),
    "span": timedelta(days=3, microseconds=1),
    "data": {"a": [1, None, {"b": "ä"}], "c": True},
    "texts": ["a", "", "a,b", 'c"d', "{}"],
    "ids": [UUID(int=0), uuid4()],
    "documents": [{"a": 1}, {"b": [2, None]}],
}

INSERT = compile_statement("insert", insert(samples).values(parameters(*VALUES)))
FIND = compile_statement("find", select(*(samples.c[name] for name in VALUES)).where(samples.c.id == bindparam("id")))
CHANGE = compile_statement(
    "change",
    insert(samples)
    .values(parameters("id", "text"))
    .on_conflict_do_update(
        index_elements=[samples.c.id],
        set_={"text": bindparam("text"), "changes": samples.c.changes + 1},
        where=samples.c.changes < bindparam("at_most"),
    )
    .returning(samples.c.changes),
)
FIND_ANY = compile_statement(
    "find_any",
    select(samples.c.text)
    .where(samples.c.text == any_(bindparam("texts", type_=ARRAY(Text))))
    .order_by(samples.c.text)
    .limit(bindparam("limit", type_=Integer)),
)
LOCK_FREE = compile_statement(
    "lock_free", select(samples.c.text).order_by(samples.c.text).limit(1).with_for_update(skip_locked=True)
)
COUNT = compile_statement("count", select(func.count()).select_from(samples))


@pytest.fixture(autouse=True)
async def _samples(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await uow.execute(str(CreateTable(samples).compile(dialect=make_url("postgresql+asyncpg://").get_dialect()())))


async def add(database: Database, *texts: str) -> None:
    async with database.unit_of_work() as uow:
        for each in texts:
            await uow.execute(INSERT, **{name: None for name in VALUES} | {"id": uuid4(), "text": each})


async def test_each_type_comes_back_as_it_went_in(database: Database) -> None:
    async with database.unit_of_work() as uow:
        assert await uow.execute(INSERT, **VALUES) == "INSERT 0 1"
    async with database.reader() as reader:
        row = await reader.fetch_row(FIND, id=VALUES["id"])
    assert row is not None
    assert dict(row) == VALUES
    assert {name: type(row[name]) for name in ("exact", "flag", "at", "bytes")} == {
        "exact": Decimal,
        "flag": bool,
        "at": datetime,
        "bytes": bytes,
    }


async def test_none_is_null_for_every_type_also_for_jsonb(database: Database) -> None:
    async with database.unit_of_work() as uow:
        await uow.execute(INSERT, **{name: None for name in VALUES} | {"id": VALUES["id"]})
        row = await uow.fetch_row(FIND, id=VALUES["id"])
        assert row is not None
        assert set(row.values()) == {None, VALUES["id"]}
        assert await uow.fetch_value("SELECT data IS NULL FROM samples")


@pytest.mark.parametrize(("name", "wrong"), [("flag", "true"), ("number", "1"), ("at", "2024-01-01"), ("small", 2**15)])
async def test_a_value_of_another_type_is_an_error_and_not_converted(
    database: Database, name: str, wrong: object
) -> None:
    async with database.unit_of_work() as uow:
        with pytest.raises(asyncpg.DataError):
            await uow.execute(INSERT, **VALUES | {name: wrong})


async def test_on_conflict_changes_the_row_that_is_there_within_its_condition(database: Database) -> None:
    async with database.unit_of_work() as uow:
        changes = [
            await uow.fetch_value(CHANGE, id=VALUES["id"], text=word, at_most=2) for word in ("a", "b", "c", "d")
        ]
        row = await uow.fetch_row(FIND, id=VALUES["id"])
    assert changes == [0, 1, 2, None]
    assert row is not None
    assert row["text"] == "c"


async def test_an_array_stands_for_an_in_list_of_any_length(database: Database) -> None:
    await add(database, "a", "b", "c")
    async with database.reader() as reader:

        async def find(*texts: str, limit: int = 10) -> list[str]:
            return [row["text"] for row in await reader.fetch(FIND_ANY, texts=texts, limit=limit)]

        assert await find() == []
        assert await find("c", "a", "x") == ["a", "c"]
        assert await find("c", "b", "a", limit=2) == ["a", "b"]


async def test_skip_locked_leaves_out_the_rows_of_another_transaction(database: Database) -> None:
    await add(database, "a", "b")
    async with database.unit_of_work() as first, database.unit_of_work() as second, database.unit_of_work() as third:
        assert await first.fetch_value(LOCK_FREE) == "a"
        assert await second.fetch_value(LOCK_FREE) == "b"
        assert await third.fetch_value(LOCK_FREE) is None


async def test_each_way_to_run_a_statement_checks_the_names(database: Database) -> None:
    update_all = compile_statement("rename", update(samples).values(parameters("text")))
    async with database.unit_of_work() as uow:
        run: tuple[Callable[..., Any], ...] = (uow.fetch, uow.fetch_row, uow.fetch_value, uow.execute)
        for each in run:
            with pytest.raises(TypeError, match=r"statement `rename`: no value for `text`, no parameter `txt`"):
                await each(update_all, txt="a")
        # Nothing reached the server, so the transaction is not broken.
        assert await uow.fetch_value(COUNT) == 0


async def test_a_parameter_may_be_called_like_the_methods_own_arguments(database: Database) -> None:
    statement = compile_statement("odd", select(bindparam("self", type_=Text), bindparam("statement", type_=Text)))
    async with database.reader() as reader:
        row = await Reader.fetch_row(reader, statement, self="a", statement="b")
    assert row is not None
    assert tuple(row) == ("a", "b")
