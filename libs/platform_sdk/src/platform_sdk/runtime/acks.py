"""Deletes handled messages from the queue, ten at a time, a few milliseconds after the first of them."""

import asyncio
import logging
from typing import Final

from platform_sdk.runtime.sqs import MAX_BATCH_ENTRIES, QueueService
from platform_sdk.runtime.telemetry import meter

_log = logging.getLogger(__name__)
_batch_size = meter.create_histogram(
    "messages.ack_batch_size", unit="{message}", description="Messages per delete call"
)

MAX_AGE_SECONDS: Final = 0.03
_ATTEMPTS: Final = 3
LOST_HANDLE_CODES: Final = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})
"""SQS's words for "this delivery is no longer yours"."""


class Acks:
    """A message whose deletion fails is delivered again, and then is a duplicate that the inbox knows."""

    def __init__(self, queues: QueueService, queue_url: str) -> None:
        self._queues = queues
        self._queue_url = queue_url
        self._waiting: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()

    def add(self, receipt_handle: str) -> None:
        """Delete soon: when ten are waiting, or 30 ms after the first of them."""
        self._waiting.append(receipt_handle)
        if len(self._waiting) == MAX_BATCH_ENTRIES:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MAX_AGE_SECONDS, self._flush)

    async def drain(self) -> None:
        """Delete what is waiting, and return when all calls have ended."""
        self._flush()
        await asyncio.gather(*self._calls)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            handles, self._waiting = self._waiting, []
            call = asyncio.create_task(self._delete(handles))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _delete(self, handles: list[str]) -> None:
        _batch_size.record(len(handles))
        for attempt in range(_ATTEMPTS):
            failures = await self._queues.delete_message_batch(self._queue_url, handles)
            retried = [failure for failure in failures if failure.code not in LOST_HANDLE_CODES]
            if not retried:
                break
            handles = [handles[failure.index] for failure in retried]
            await asyncio.sleep(0.05 * 2**attempt)
        if failures:
            extra = {"action": "ack_failed", "messages": len(failures), "reason": failures[0].code}
            _log.warning("handled messages could not be deleted and will come again", extra=extra)
