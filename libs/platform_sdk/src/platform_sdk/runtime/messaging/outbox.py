"""The outbox table: rows that a unit of work inserts and the relay claims and deletes.

Order: rows of one aggregate are sent in the order of `seq`, which is their commit order as long as writers of one
aggregate exclude each other (row lock or version guard). A row that waits for a retry delays the later rows of its
aggregate, and nothing else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from platform_sdk.runtime.database.unit_of_work import Reader, UnitOfWork

_INSERT: Final = """
    INSERT INTO outbox (id, aggregate_id, aggregate_version, type, version, payload, headers)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::integer[], $6::jsonb[], $7::jsonb[])
"""

_LOCK_DUE_PARTITIONS: Final = """
    WITH due AS MATERIALIZED (
        SELECT numbers.partition FROM generate_series(0, 15) AS numbers (partition)
        WHERE EXISTS (
            SELECT FROM outbox WHERE outbox.partition = numbers.partition::smallint AND available_at <= now()
        )
    )
    SELECT partition, pg_try_advisory_xact_lock(hashtext(current_schema() || '.outbox'), partition) AS locked FROM due
"""
"""All services share one database and so one space of advisory locks: hence the schema in the key."""

_CLAIM: Final = """
    SELECT seq, id, aggregate_id, aggregate_version, type, version, payload, headers, created_at, attempts
    FROM outbox AS candidate
    WHERE partition = ANY($1::smallint[]) AND available_at <= now() AND NOT EXISTS (
        SELECT FROM outbox AS earlier
        WHERE earlier.attempts > 0 AND earlier.aggregate_id = candidate.aggregate_id
          AND earlier.seq < candidate.seq AND earlier.available_at > now()
    )
    ORDER BY seq LIMIT $2
"""

_DELETE: Final = "DELETE FROM outbox WHERE seq = ANY($1::bigint[])"

_RETRY_LATER: Final = """
    UPDATE outbox SET attempts = attempts + 1, last_error = failure.error,
        available_at = now() + least($3::float8, $2::float8 * 2 ^ least(attempts, 16)) * (0.5 + random() / 2)
                       * interval '1 second'
    FROM unnest($1::bigint[], $4::text[]) AS failure (seq, error) WHERE outbox.seq = failure.seq
"""

_QUARANTINE: Final = """
    WITH refused AS (
        DELETE FROM outbox USING unnest($1::bigint[], $2::text[]) AS refusal (seq, reason)
        WHERE outbox.seq = refusal.seq
        RETURNING id, aggregate_id, aggregate_version, type, version, payload, headers, created_at, attempts, reason
    )
    INSERT INTO outbox_quarantine
        (id, aggregate_id, aggregate_version, type, version, payload, headers, created_at, attempts, reason)
    SELECT * FROM refused
"""

_BACKLOG: Final = """
    SELECT count(*) AS depth, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS lag_seconds
    FROM (SELECT created_at FROM outbox ORDER BY seq LIMIT 10000) AS oldest
"""

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
    """`depth` counts at most 10,000 rows; `lag_seconds` is the age of the oldest."""

    depth: int
    lag_seconds: float


def insert_statement(rows: Sequence[NewRow]) -> tuple[Any, ...]:
    """Return one multi-row INSERT, as the arguments of `execute`."""
    return (_INSERT, *map(list, zip(*rows, strict=True)))


async def claim(uow: "UnitOfWork", max_rows: int) -> Claim:
    """Lock the partitions that have due rows and that no other relay holds, until the transaction ends; read the rows.

    Two statements on purpose: the snapshot of the second one is taken after the locks, so it sees every row that the
    previous holder has deleted or delayed.
    """
    partitions = await uow.fetch(_LOCK_DUE_PARTITIONS)
    locked = [row["partition"] for row in partitions if row["locked"]]
    rows = [Row(*row) for row in await uow.fetch(_CLAIM, locked, max_rows)] if locked else []
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
        await uow.execute(_DELETE, list(done))
    if failed:
        errors = [_storable(error) for error in failed.values()]
        await uow.execute(_RETRY_LATER, list(failed), FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, errors)
    if refused:
        await uow.execute(_QUARANTINE, list(refused), [_storable(reason) for reason in refused.values()])


async def backlog(reader: "Reader") -> Backlog:
    """Return how many rows wait and since when, for the metrics."""
    row = await reader.fetch_row(_BACKLOG)
    return Backlog(*row) if row else Backlog(0, 0.0)


def _storable(text: str) -> str:
    return text.replace("\x00", "")[:1000]
