"""Statements are compiled once, take their values by name, and refuse what SQLAlchemy would do in Python."""

import re
import subprocess
import sys
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PickleType,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    any_,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from orders.states import Status
from platform_sdk.runtime.database.statements import (
    UnsupportedStatement,
    compile_statement,
    parameters,
    sql_and_arguments,
    sql_text,
)
from tests.support.repository import ROOT

things = Table(
    "things",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False, server_default=text("0")),
)


class Upper(TypeDecorator[str]):
    """Writes in upper case, if SQLAlchemy runs the statement."""

    impl = Text
    cache_ok = True


def test_parameters_are_numbered_and_take_their_values_by_name() -> None:
    statement = compile_statement(
        "rename", update(things).values(parameters("name")).where(things.c.id == bindparam("id"))
    )
    assert statement.sql == "UPDATE things SET name=$1::VARCHAR WHERE things.id = $2::UUID"
    identity = uuid4()
    assert sql_and_arguments(statement, (), {"id": identity, "name": "a"}) == (statement.sql, ["a", identity])


def test_a_parameter_that_appears_twice_is_given_once() -> None:
    statement = compile_statement("twice", sql_text("SELECT :word, :word || :other", word=Text, other=Text))
    assert statement.sql == "SELECT $1::VARCHAR, $1::VARCHAR || $2::VARCHAR"
    assert statement.arguments({"other": "b", "word": "a"}) == ["a", "b"]


def test_values_inside_an_expression_are_filled_in() -> None:
    statement = compile_statement(
        "large", select(things.c.id).where(things.c.size > 10, things.c.name == bindparam("name")).limit(5)
    )
    assert statement.parameters == ("name",)
    assert statement.arguments({"name": "a"}) == [10, "a", 5]


def test_a_percent_sign_and_a_cast_stay_as_they_are() -> None:
    statement = compile_statement("like", sql_text("SELECT '5 %', now()::date WHERE :name LIKE 'a%'", name=Text))
    assert statement.sql == "SELECT '5 %', now()::date WHERE $1::VARCHAR LIKE 'a%'"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "statement `find`: no value for `id`, no value for `name` (it takes id, name)"),
        ({"id": 1}, "statement `find`: no value for `name` (it takes id, name)"),
        ({"id": 1, "nam": 2}, "statement `find`: no value for `name`, no parameter `nam` (it takes id, name)"),
        ({"id": 1, "name": 2, "size": 3}, "statement `find`: no parameter `size` (it takes id, name)"),
        ({"id": 1, "name": 2, "size_1": 3}, "statement `find`: no parameter `size_1` (it takes id, name)"),
    ],
)
def test_missing_and_unknown_values_are_named_with_the_statement(values: dict[str, object], complaint: str) -> None:
    condition = (things.c.id == bindparam("id")) & (things.c.name == bindparam("name")) & (things.c.size > 0)
    statement = compile_statement("find", select(things).where(condition))
    with pytest.raises(TypeError) as caught:
        statement.arguments(values)
    assert str(caught.value) == complaint


def test_positions_and_names_do_not_mix() -> None:
    statement = compile_statement("count", select(func.count()).select_from(things))
    with pytest.raises(TypeError, match="statement `count` takes its values by name"):
        sql_and_arguments(statement, (1,), {})
    with pytest.raises(TypeError, match=r"takes its values by position \(\$1, \$2 …\), not name"):
        sql_and_arguments("SELECT $1", (), {"name": 1})
    with pytest.raises(TypeError, match=r"statement `count`: no parameter `name` \(it takes none\)"):
        sql_and_arguments(statement, (), {"name": 1})


def test_a_type_for_a_name_that_the_sql_does_not_have_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="other"):
        sql_text("SELECT :word", word=Text, other=Text)


def with_default(column: Column[Any]) -> Table:
    return Table("defaulted", MetaData(), Column("id", Uuid, primary_key=True), column)


_default = with_default(Column("name", Text, default="unnamed"))
_called = with_default(Column("name", Text, default=lambda: "unnamed"))
_on_update = with_default(Column("name", Text, onupdate=lambda: "renamed"))
_typed = with_default(Column("name", Upper))
_pickled = with_default(Column("name", PickleType()))


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        (insert(_default).values(parameters("id")), "leaves out column `defaulted.name`"),
        (insert(_called).values(parameters("id")), "leaves out column `defaulted.name`"),
        (update(_on_update).values(parameters("id")), "leaves out column `defaulted.name`"),
        (
            select(insert(_default).values(parameters("id")).returning(_default.c.id).cte("added").c.id),
            "leaves out column `defaulted.name`",
        ),
        (
            select(update(_on_update).values(parameters("id")).returning(_on_update.c.id).cte("changed").c.id),
            "leaves out column `defaulted.name`",
        ),
        (
            insert(_called).from_select(["id"], select(things.c.id)),
            "leaves out column `defaulted.name`",
        ),
        (select(things).where(things.c.name == bindparam("name", callable_=str)), "`name` is computed in Python"),
        (select(things).where(things.c.name.in_(bindparam("names", expanding=True))), "`names`, an IN list"),
        (
            text("SELECT :names").bindparams(bindparam("names", type_=Text, expanding=True)),
            "`names`, an IN list",
        ),
        (select(things).where(things.c.name.in_(["a", "b"])), "`name_1`, an IN list"),
        (select(things).where(things.c.name == literal("a", literal_execute=True)), "with literal_execute"),
        (select(things).where(_typed.c.name == bindparam("name")), "parameter `name` has type Upper()"),
        (select(_typed), "result column `name` has type Upper()"),
        (select(_pickled), "result column `name` has type PickleType()"),
        (text("SELECT :word"), "parameter `word` has type NullType()"),
    ],
)
def test_what_sqlalchemy_would_do_in_python_is_refused(expression: ClauseElement, complaint: str) -> None:
    with pytest.raises(UnsupportedStatement) as caught:
        compile_statement("refused", expression)
    assert "statement `refused`" in caught.value.what
    assert complaint in caught.value.what
    assert caught.value.because
    assert caught.value.hint


REFUSED: tuple[TypeEngine[Any], ...] = (
    Enum("a", "b", name="letter"),
    Enum(Status),
    Uuid(as_uuid=False),
    Numeric(asdecimal=False),
    Float(asdecimal=True),
    ARRAY(Upper),
    ARRAY(Text, as_tuple=True),
    ARRAY(Enum("a", "b", name="letter")),
)
ALLOWED: tuple[TypeEngine[Any], ...] = (
    Text(),
    Uuid(),
    BigInteger(),
    Integer(),
    Boolean(),
    DateTime(timezone=True),
    INTERVAL(),
    LargeBinary(),
    JSONB(),
    JSON(),
    Numeric(12, 2),
    Double(),
    ARRAY(Text),
    ARRAY(Uuid),
    ARRAY(JSONB),
)


@pytest.mark.parametrize("type_", REFUSED, ids=repr)
def test_a_type_that_converts_in_python_is_refused(type_: TypeEngine[Any]) -> None:
    with pytest.raises(UnsupportedStatement, match="parameter `value` has type"):
        compile_statement("refused", sql_text("SELECT :value", value=type_))
    column = Column("value", type_)
    Table("typed", MetaData(), column)
    with pytest.raises(UnsupportedStatement, match="result column `value` has type"):
        compile_statement("refused", select(column))


@pytest.mark.parametrize("type_", ALLOWED, ids=repr)
def test_a_type_that_asyncpg_converts_is_allowed(type_: TypeEngine[Any]) -> None:
    compile_statement("allowed", sql_text("SELECT :value", value=type_))


def test_a_server_default_and_an_sql_expression_are_allowed() -> None:
    table = with_default(Column("name", Text, server_default="unnamed", onupdate=func.upper("renamed")))
    assert compile_statement("insert", insert(table).values(parameters("id"))).parameters == ("id",)
    assert compile_statement("update", update(table).values(parameters("id"))).parameters == ("id",)


def test_no_service_numbers_its_parameters() -> None:
    sources = [*(ROOT / "services").glob("*/src/**/*.py")]
    assert any(source.name == "statements.py" for source in sources)
    assert [source for source in sources if re.search(r"\$\d", source.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "process", ["orders.main", "orders.worker", "users.main", "inventory.main", "inventory.worker"]
)
def test_a_process_loads_of_sqlalchemy_what_compiles_statements_and_nothing_that_runs_them(process: str) -> None:
    # The last three: what a process imports only when it starts.
    program = (
        f"import sys, {process}, platform_sdk.runtime.messaging.relay\n"
        "import platform_sdk.runtime.messaging.consumer, platform_sdk.runtime.messaging.sqs\n"
        "print('sqlalchemy' in sys.modules)\n"
        "print(*(name for name in sys.modules if name.startswith(('sqlalchemy.ext', 'sqlalchemy.orm', 'greenlet'))))"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert outcome.stdout == "True\n\n"


def test_a_constant_for_the_planner_and_an_array_stand_in_for_what_is_refused() -> None:
    condition = things.c.name == literal_column("'held'")
    array = things.c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))
    statement = compile_statement("find", select(things.c.id).where(condition, array))
    assert "things.name = 'held' AND things.id = ANY ($1::UUID[])" in statement.sql
    assert statement.arguments({"ids": [UUID(int=1)]}) == [[UUID(int=1)]]
