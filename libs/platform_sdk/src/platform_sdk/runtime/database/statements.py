"""Statements: SQLAlchemy Core expressions that are compiled once, at import, and run by the unit of work on asyncpg.

    FIND_USER: Final = compile_statement("find_user", select(users).where(users.c.id == bindparam("user_id")))
    row = await reader.fetch_row(FIND_USER, user_id=user_id)

SQLAlchemy writes the SQL and asyncpg runs it: no code of SQLAlchemy runs between a use case and the database. So
asyncpg converts the values, None is always NULL, and what SQLAlchemy does in Python when it executes a statement does
not happen. `compile_statement` refuses every statement that needs it, because the statement would otherwise run and
store or find something else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ARRAY, JSON, Boolean, Enum, Float, Interval, Numeric, bindparam, text
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement, TextClause
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from platform_sdk.errors import PlatformError

_DIALECT: Final[Dialect] = make_url("postgresql+asyncpg://").get_dialect()()

_CONVERTED_BY_ASYNCPG: Final = (JSON, Boolean)
"""SQLAlchemy converts these in Python too. JSON: the pool's codec does (pool.py). Boolean: asyncpg checks it."""


class UnsupportedStatement(PlatformError):
    """A statement needs SQLAlchemy when it runs, so it cannot be compiled ahead of time."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL for asyncpg, with the names of its parameters.

    Args:
        name: appears in error messages.
        sql: with `$1`, `$2` … in place of the parameters.
        parameters: the names that a caller gives, in the order in which they first appear.
        constants: the values that the expression itself contains, by the names that SQLAlchemy gave them.
        positions: the name of `$1`, of `$2` …; each is in `parameters` or in `constants`.
    """

    name: str
    sql: str
    parameters: tuple[str, ...]
    constants: Mapping[str, object]
    positions: tuple[str, ...]

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """Return the values of `$1`, `$2` …

        Raises:
            TypeError: a parameter has no value, or a value has no parameter.
        """
        try:
            if len(values) == len(self.parameters):
                every = {**self.constants, **values} if self.constants else values
                return [every[name] for name in self.positions]
        except KeyError:
            pass
        raise TypeError(self._mismatch(values))

    def _mismatch(self, values: Mapping[str, object]) -> str:
        missing = [f"no value for `{name}`" for name in self.parameters if name not in values]
        unknown = [f"no parameter `{name}`" for name in values if name not in self.parameters]
        takes = f"it takes {', '.join(self.parameters)}" if self.parameters else "it takes none"
        return f"statement `{self.name}`: {', '.join(missing + unknown)} ({takes})"


def compile_statement(name: str, expression: ClauseElement) -> Statement:
    """Return the expression as SQL. Its parameters are its `bindparam(name)`; other values in it become constants.

    PostgreSQL does not see a constant while it plans, because it is sent as a parameter. Where it must (the WHERE of a
    partial index), write `literal_column("'held'")`.

    Raises:
        UnsupportedStatement: a Python-side default, an expanding IN, a type that converts values in Python, or a
            parameter without a type.
    """
    compiled = expression.compile(dialect=_DIALECT)
    assert isinstance(compiled, SQLCompiler)
    _refuse_what_runs_in_python(name, compiled)
    # One entry for each `$n`: a name that appears twice has one number.
    positions = tuple(compiled.positiontup or ())
    required = {each for bind, each in compiled.bind_names.items() if bind.required}
    return Statement(
        name=name,
        sql=str(compiled),
        parameters=tuple(each for each in positions if each in required),
        constants={each: compiled.binds[each].effective_value for each in positions if each not in required},
        positions=positions,
    )


def sql_text(sql: str, /, **types: TypeEngine[Any] | type[TypeEngine[Any]]) -> TextClause:
    """Return `sql` with a type for each of its parameters, which it names `:name`. PostgreSQL gets them as casts.

    For statements of several steps (WITH …), which read better as SQL.

    Raises:
        sqlalchemy.exc.ArgumentError: a type for a name that is not in `sql`.
    """
    return text(sql).bindparams(*(bindparam(name, type_=type_) for name, type_ in types.items()))


def parameters(*names: str) -> dict[str, BindParameter[Any]]:
    """Return a parameter for each column, with the column's name and type: for `insert(table).values(…)`."""
    return {name: bindparam(name) for name in names}


def sql_and_arguments(
    statement: Statement | str, arguments: Sequence[object], values: Mapping[str, object]
) -> tuple[str, Sequence[object]]:
    """Return what asyncpg takes: a statement has named values, SQL in a string has positional ones.

    Raises:
        TypeError: values of the other kind, or as `Statement.arguments`.
    """
    if isinstance(statement, Statement):
        if arguments:
            raise TypeError(f"statement `{statement.name}` takes its values by name")
        return statement.sql, statement.arguments(values)
    if values:
        raise TypeError(f"SQL in a string takes its values by position ($1, $2 …), not {', '.join(values)}")
    return statement, arguments


def _refuse_what_runs_in_python(name: str, compiled: SQLCompiler) -> None:
    for column in compiled.prefetch:
        raise UnsupportedStatement(
            f"statement `{name}` leaves out column `{column}`",
            because="its default or onupdate is computed in Python, so the column would become NULL",
            hint="give the column a server_default, or the statement a value",
        )
    for bind, each in compiled.bind_names.items():
        if bind.callable is not None:
            raise UnsupportedStatement(
                f"statement `{name}`: parameter `{each}` is computed in Python",
                because="it would be computed once, when the statement is compiled",
                hint="write bindparam(name), and give the value with each call",
            )
    for bind in compiled.post_compile_params | compiled.literal_execute_params:
        raise UnsupportedStatement(
            f"statement `{name}` has `{compiled.bind_names[bind]}`, an IN list or a parameter with literal_execute",
            because="SQLAlchemy writes its values into the SQL each time the statement runs",
            hint="write column == any_(bindparam(name, type_=ARRAY(Text))) or literal_column(\"'value'\")",
        )
    for each in compiled.positiontup or ():
        _refuse_type(name, f"parameter `{each}`", compiled.binds[each].type)
    for entry in compiled._result_columns:
        if not isinstance(entry.type, NullType):
            _refuse_type(name, f"result column `{entry.name}`", entry.type)


def _refuse_type(name: str, place: str, type_: TypeEngine[Any]) -> None:
    if reason := _conversion(type_):
        raise UnsupportedStatement(
            f"statement `{name}`: {place} has type {type_!r}",
            because=reason[0],
            hint=reason[1],
        )


def _conversion(type_: TypeEngine[Any]) -> tuple[str, str] | None:
    """Return why asyncpg cannot do what the type asks for, and what to write instead."""
    plain = "SQLAlchemy converts its values in Python, which does not happen here"
    match type_:
        case NullType():
            return "PostgreSQL would guess the type", "write bindparam(name, type_=…)"
        case Enum():
            return plain, "use Text with a CHECK, and convert in the model"
        case TypeDecorator() if not isinstance(type_, Interval):
            return plain, f"use {type(type_.impl).__name__}, and convert in the model"
        case ARRAY():
            return ("it gives tuples", "leave out as_tuple") if type_.as_tuple else _conversion(type_.item_type)
        case Numeric() | Float():
            return (
                None
                if type_.asdecimal == isinstance(type_, Numeric)
                else (plain, "use Numeric for Decimal and Double for float")
            )
    if isinstance(type_, _CONVERTED_BY_ASYNCPG):
        return None
    here = type_.dialect_impl(_DIALECT)
    converts = here.bind_processor(_DIALECT) or here.result_processor(_DIALECT, None)
    return (plain, "use the type whose values asyncpg takes and gives") if converts else None
