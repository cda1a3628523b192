"""Delete the rows of inbox and idempotency that nobody needs any more: `purge_expired`."""

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import INTERVAL

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.statements import Statement, compile_statement
from platform_sdk.runtime.database.tables import idempotency, inbox

INBOX_RETENTION: Final = timedelta(days=15)
"""Longer than SQS can keep a message (14 days), or a late duplicate would run again."""

IDEMPOTENCY_RETENTION: Final = timedelta(hours=48)
"""How long a reply can be replayed; clients are promised half of it."""

_BATCH_ROWS: Final = 1_000


def _delete_older(table: Table, since: ColumnElement[object]) -> Statement:
    key = tuple_(*table.primary_key)
    expired = (
        select(*table.primary_key)
        .where(since < func.now() - bindparam("retention", type_=INTERVAL))
        .order_by(since)
        .limit(_BATCH_ROWS)
        .with_for_update(skip_locked=True)
    )
    return compile_statement(f"purge_{table.name}", delete(table).where(key.in_(expired)))


_PURGE_INBOX: Final = _delete_older(inbox, inbox.c.handled_at)
_PURGE_IDEMPOTENCY: Final = _delete_older(idempotency, idempotency.c.created_at)


async def purge_expired(database: Database) -> None:
    """Delete expired rows of inbox and idempotency, in batches that are each a transaction of their own.

    For `Periodic.run`; safe to run in several tasks at once.
    """
    await _purge(database, _PURGE_INBOX, INBOX_RETENTION)
    await _purge(database, _PURGE_IDEMPOTENCY, IDEMPOTENCY_RETENTION)


async def _purge(database: Database, statement: Statement, retention: timedelta) -> None:
    while True:
        async with database.unit_of_work() as uow:
            deleted = await uow.execute(statement, retention=retention)
        if int(deleted.removeprefix("DELETE ")) < _BATCH_ROWS:
            return
