"""Moves a message that cannot be handled to the dead-letter queue, with the reason beside it.

SQS's own redrive (maxReceiveCount) stays as the backstop for messages that kill the process; it gives no reason.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import orjson

from platform_sdk.contract import DeadLetterAttribute
from platform_sdk.runtime.sqs import OutgoingMessage, QueueService, ReceivedMessage, SqsError
from platform_sdk.runtime.telemetry import meter

_log = logging.getLogger(__name__)
_dead_lettered = meter.create_counter("messages.dead_lettered", unit="{message}", description="Moved to the DLQ")

_MAX_ATTRIBUTES: Final = 10
_MAX_TEXT: Final = 1_000


class DeadLetters:
    """The dead-letter queue of one queue, as its RedrivePolicy names it."""

    def __init__(self, queues: QueueService, source_queue: str, queue_attributes: Mapping[str, str]) -> None:
        policy = orjson.loads(queue_attributes.get("RedrivePolicy") or "{}")
        arn = policy.get("deadLetterTargetArn")
        self.max_receive_count: int | None = int(policy["maxReceiveCount"]) if arn else None
        self._name: str | None = arn.rpartition(":")[2] if arn else None
        self._queues = queues
        self._source_queue = source_queue

    async def move(self, received: ReceivedMessage, reason: str, error: Exception) -> bool:
        """Send it there; False if that was not possible, and the message must stay. The caller deletes it."""
        if self._name is None:
            _log.error("no dead-letter queue", extra={"action": "no_dead_letter_queue", "queue": self._source_queue})
            return False
        message = OutgoingMessage(body=received.body, attributes=self._attributes(received, reason, error))
        try:
            queue_url = await self._queues.queue_url(self._name)
            failures = await self._queues.send_message_batch(queue_url, [message])
        except SqsError as sqs_error:
            failure = str(sqs_error)
        else:
            failure = f"{failures[0].code}: {failures[0].message}" if failures else ""
        extra = {"queue": self._name, "reason": reason, "receive_count": received.receive_count}
        if failure:
            extra |= {"action": "dead_letter_failed", "error": failure}
            _log.error("message could not be moved to the dead-letter queue", extra=extra)
            return False
        _dead_lettered.add(1)
        extra |= {"action": "message_dead_lettered", "error": str(error)[:_MAX_TEXT]}
        _log.error("message moved to the dead-letter queue", extra=extra)
        return True

    def _attributes(self, received: ReceivedMessage, reason: str, error: Exception) -> dict[str, str]:
        ours = {
            DeadLetterAttribute.REASON: reason,
            DeadLetterAttribute.ERROR_TYPE: type(error).__name__,
            DeadLetterAttribute.ERROR_MESSAGE: _valid_text(str(error)),
            DeadLetterAttribute.FAILED_AT: datetime.now(UTC).isoformat(timespec="milliseconds"),
            DeadLetterAttribute.RECEIVE_COUNT: str(received.receive_count),
            DeadLetterAttribute.SOURCE_QUEUE: self._source_queue,
        }
        theirs = [(name, value) for name, value in received.attributes.items() if name not in ours]
        return dict(theirs[: _MAX_ATTRIBUTES - len(ours)]) | ours


def _valid_text(text: str) -> str:
    """What SQS takes as an attribute: not empty, and none of the characters that XML forbids."""
    return (
        "".join(c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") else "?" for c in text)[:_MAX_TEXT] or "-"
    )
