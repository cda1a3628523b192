"""The outbox table: what a unit of work writes into it, and what the relay takes out.

Order: rows of one aggregate are sent in the order of `seq`, which is their commit order as long as writers of one
aggregate exclude each other (row lock or version guard). A row that waits for a retry holds back the later rows of its
aggregate, and nothing else.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

_INSERT: Final = """
    INSERT INTO outbox (id, aggregate_id, aggregate_version, type, version, payload, headers)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::integer[], $6::jsonb[], $7::jsonb[])
"""


class NewRow(NamedTuple):
    """A published event, not yet written; `headers` carries source, time, correlation, causation and trace context."""

    id: UUID
    aggregate_id: str
    aggregate_version: int
    type: str
    version: int
    payload: dict[str, Any]
    headers: dict[str, str]


def insert_statement(rows: Sequence[NewRow]) -> tuple[Any, ...]:
    """One multi-row INSERT, as the arguments of `execute`."""
    return (_INSERT, *map(list, zip(*rows, strict=True)))
