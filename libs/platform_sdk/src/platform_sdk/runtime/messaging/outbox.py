"""The outbox table: rows that a unit of work inserts and the relay claims and deletes.

Order: rows of one aggregate are sent in the order of `seq`, which is their commit order as long as writers of one
aggregate exclude each other (row lock or version guard). A row that waits for a retry delays the later rows of its
aggregate, and nothing else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Double,
    Integer,
    SmallInteger,
    Text,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
)

from platform_sdk.runtime.database.statements import compile_statement, sql_text
from platform_sdk.runtime.database.tables import outbox

if TYPE_CHECKING:
    from platform_sdk.runtime.database.unit_of_work import Reader, UnitOfWork

FIRST_RETRY_SECONDS: Final = 0.5
LONGEST_RETRY_SECONDS: Final = 10.0


class NewRow(NamedTuple):
    """A published event, not yet written; `headers` carries source, time, correlation, causation and trace context."""

    id: UUID
    aggregate_id: str
    aggregate_version: int
    type: str
    version: int
    payload: dict[str, Any]
    headers: dict[str, str]


class Row(NamedTuple):
    """A claimed row, due to be sent."""

    seq: int
    id: UUID
    aggregate_id: str
    aggregate_version: int
    type: str
    version: int
    payload: dict[str, Any]
    headers: dict[str, str]
    created_at: datetime
    attempts: int


class Claim(NamedTuple):
    """Rows to send, in order; `others_at_work`: there are due rows that another relay is sending at this moment."""

    rows: list[Row]
    others_at_work: bool


class Backlog(NamedTuple):
    """Rows that wait to be sent. `depth` counts at most 10,000; `lag_seconds` is the age of the oldest."""

    depth: int
    lag_seconds: float


INSERT: Final = compile_statement(
    "insert_outbox",
    sql_text(
        """
        INSERT INTO outbox (id, aggregate_id, aggregate_version, type, version, payload, headers)
        SELECT * FROM unnest(:id, :aggregate_id, :aggregate_version, :type, :version, :payload, :headers)
        """,
        **{name: ARRAY(outbox.c[name].type) for name in NewRow._fields},
    ),
)

# All services share one database and so one space of advisory locks: hence the schema in the key.
_LOCK_DUE_PARTITIONS: Final = compile_statement(
    "lock_due_partitions",
    sql_text(
        """
        WITH due AS MATERIALIZED (
            SELECT numbers.partition FROM generate_series(0, 15) AS numbers (partition)
            WHERE EXISTS (
                SELECT FROM outbox WHERE outbox.partition = numbers.partition::smallint AND available_at <= now()
            )
        )
        SELECT partition, pg_try_advisory_xact_lock(hashtext(current_schema() || '.outbox'), partition) AS locked
        FROM due
        """
    ),
)

_earlier = outbox.alias("earlier")
_held_back = exists().where(
    # A literal: the partial index outbox_retried serves only a condition that PostgreSQL sees while it plans.
    _earlier.c.attempts > literal_column("0"),
    _earlier.c.aggregate_id == outbox.c.aggregate_id,
    _earlier.c.seq < outbox.c.seq,
    _earlier.c.available_at > func.now(),
)
_CLAIM: Final = compile_statement(
    "claim_outbox",
    select(*(outbox.c[name] for name in Row._fields))
    .where(
        outbox.c.partition == any_(bindparam("partitions", type_=ARRAY(SmallInteger))),
        outbox.c.available_at <= func.now(),
        ~_held_back,
    )
    .order_by(outbox.c.seq)
    .limit(bindparam("max_rows", type_=Integer)),
)

_DELETE: Final = compile_statement(
    "delete_outbox", delete(outbox).where(outbox.c.seq == any_(bindparam("seqs", type_=ARRAY(BigInteger))))
)

_RETRY_LATER: Final = compile_statement(
    "retry_outbox_later",
    sql_text(
        """
        UPDATE outbox SET attempts = attempts + 1, last_error = failure.error,
            available_at = now() + least(:longest_seconds, :first_seconds * 2 ^ least(attempts, 16))
                           * (0.5 + random() / 2) * interval '1 second'
        FROM unnest(:seqs, :errors) AS failure (seq, error) WHERE outbox.seq = failure.seq
        """,
        seqs=ARRAY(BigInteger),
        errors=ARRAY(Text),
        first_seconds=Double,
        longest_seconds=Double,
    ),
)

_QUARANTINE: Final = compile_statement(
    "quarantine_outbox",
    sql_text(
        """
        WITH refused AS (
            DELETE FROM outbox USING unnest(:seqs, :reasons) AS refusal (seq, reason)
            WHERE outbox.seq = refusal.seq
            RETURNING id, aggregate_id, aggregate_version, type, version, payload, headers, created_at, attempts,
                      reason
        )
        INSERT INTO outbox_quarantine
            (id, aggregate_id, aggregate_version, type, version, payload, headers, created_at, attempts, reason)
        SELECT * FROM refused
        """,
        seqs=ARRAY(BigInteger),
        reasons=ARRAY(Text),
    ),
)

_BACKLOG: Final = compile_statement(
    "measure_backlog",
    sql_text(
        """
        SELECT count(*) AS depth, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS lag_seconds
        FROM (SELECT created_at FROM outbox ORDER BY seq LIMIT 10000) AS oldest
        """
    ),
)


def columns_of(rows: Sequence[NewRow]) -> dict[str, list[Any]]:
    """Return the values of INSERT, which inserts all rows at once."""
    return {name: [row[index] for row in rows] for index, name in enumerate(NewRow._fields)}


async def claim(uow: "UnitOfWork", max_rows: int) -> Claim:
    """Lock the partitions that have due rows and that no other relay holds, until the transaction ends; read the rows.

    Two statements on purpose: the snapshot of the second one is taken after the locks, so it sees every row that the
    previous holder has deleted or delayed.
    """
    partitions = await uow.fetch(_LOCK_DUE_PARTITIONS)
    locked = [row["partition"] for row in partitions if row["locked"]]
    rows = [Row(*row) for row in await uow.fetch(_CLAIM, partitions=locked, max_rows=max_rows)] if locked else []
    return Claim(rows, others_at_work=len(locked) < len(partitions))


async def record_results(
    uow: "UnitOfWork", *, done: Sequence[int], failed: Mapping[int, str], refused: Mapping[int, str]
) -> None:
    """Delete rows that were sent, delay those that failed, and move those that can never be sent to quarantine.

    Args:
        done: `seq` of each row that all its queues have accepted.
        failed: `seq` to the error; retried after 0.5 s, doubling up to 10 s.
        refused: `seq` to the reason.
    """
    if done:
        await uow.execute(_DELETE, seqs=list(done))
    if failed:
        await uow.execute(
            _RETRY_LATER,
            seqs=list(failed),
            errors=[_storable(error) for error in failed.values()],
            first_seconds=FIRST_RETRY_SECONDS,
            longest_seconds=LONGEST_RETRY_SECONDS,
        )
    if refused:
        reasons = [_storable(reason) for reason in refused.values()]
        await uow.execute(_QUARANTINE, seqs=list(refused), reasons=reasons)


async def backlog(reader: "Reader") -> Backlog:
    """Return how many rows wait and since when, for the metrics."""
    row = await reader.fetch_row(_BACKLOG)
    return Backlog(*row) if row else Backlog(0, 0.0)


def _storable(text: str) -> str:
    return text.replace("\x00", "")[:1000]
