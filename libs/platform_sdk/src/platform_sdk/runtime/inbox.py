"""The inbox table: which messages a consumer has handled. Claiming is part of the handler's own transaction."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from platform_sdk.runtime.unit_of_work import UnitOfWork

# Sorted, so that two transactions that claim some of the same messages wait for each other instead of deadlocking.
_CLAIM: Final = """
    INSERT INTO inbox (consumer, message_id) SELECT $1, id FROM unnest($2::uuid[]) AS id ORDER BY id
    ON CONFLICT DO NOTHING RETURNING message_id
"""


async def claim(uow: UnitOfWork, consumer: str, message_ids: Sequence[UUID]) -> set[UUID]:
    """Those of `message_ids` that `consumer` has not handled yet; they are handled if this transaction commits.

    Waits for another transaction that claims the same message. Message ids are the publisher's, never SQS's: a message
    that is sent again gets a new id from SQS.
    """
    return {row["message_id"] for row in await uow.fetch(_CLAIM, consumer, list(message_ids))}
