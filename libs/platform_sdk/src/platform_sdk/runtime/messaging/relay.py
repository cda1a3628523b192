"""Sends the rows of the outbox: outbox row ─▶ `Relay` ─▶ queue.

A relay runs in every process that commits units of work. Each commit wakes the relay of its process; polling finds the
rows of a process that was killed. Relays share the work by partition, without a leader. A row is deleted in the
transaction that claimed it, after SQS has accepted it; after a crash in between it is sent again: at least once.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.messaging import outbox
from platform_sdk.runtime.messaging.messages import (
    MAX_BATCH_ENTRIES,
    Message,
    OutgoingMessage,
    QueueService,
    SqsError,
    encode_message,
)
from platform_sdk.runtime.messaging.outbox import Row
from platform_sdk.runtime.process.settings import crash_point
from platform_sdk.runtime.process.telemetry import TRACEPARENT, TRACESTATE, meter

_log = logging.getLogger(__name__)
_published = meter.create_counter("outbox.published", unit="{message}", description="Rows sent to all their queues")
_failed = meter.create_counter("outbox.failed", unit="{message}", description="Rows put off after a failed send")
_quarantined = meter.create_counter("outbox.quarantined", unit="{message}", description="Rows that can never be sent")
_depth = meter.create_gauge("outbox.depth", unit="{message}", description="Rows that wait, counted up to 10,000")
_lag = meter.create_gauge("outbox.lag_seconds", unit="s", description="Age of the oldest row that waits")

MAX_ROWS: Final = 200
CONCURRENT_CALLS: Final = 8
SEND_SECONDS: Final = 2.0
"""The longest that one round may keep its transaction open for sending: it holds back the database's vacuum."""

POLL_SECONDS: Final = 1.0
LONGEST_POLL_SECONDS: Final = 5.0
OTHERS_AT_WORK_SECONDS: Final = 0.01
_BACKLOG_SECONDS: Final = 10.0


class Relay:
    """The loop that sends; `start` it with the process, `stop` it when nothing commits any more.

    Args:
        routes: event type to the physical names of the queues that receive it. Without a queue the event is dropped:
            no service consumes it (yet). A type that is missing goes to quarantine: platform.toml must name it.
    """

    def __init__(
        self,
        database: Database,
        queues: QueueService,
        routes: Mapping[str, Sequence[str]],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._queues = queues
        self._routes = routes
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._next_backlog = 0.0

    def start(self) -> None:
        """Run in the background, woken by each commit of the database."""
        self._database.on_commit_wake.append(self._wake.set)
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Send what is due, then end; what is left after the timeout stays in the outbox for other processes."""
        if self._task is None:
            return
        self._stopping = True
        self._wake.set()
        _, unfinished = await asyncio.wait([self._task], timeout=timeout_seconds)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        poll_seconds = self._poll_seconds
        while True:
            self._wake.clear()
            try:
                claimed = await self.relay_once()
                pause = 0.0 if len(claimed.rows) == MAX_ROWS else poll_seconds
                if claimed.others_at_work:
                    pause = min(pause, OTHERS_AT_WORK_SECONDS)
                idle = not claimed.rows
            except Exception as error:
                # Catch everything: the rows are still there, and the relay must go on.
                _log.warning("relay: will try again", extra={"action": "relay_failed"}, exc_info=error)
                pause, idle = poll_seconds, True
            if self._stopping and idle:
                return
            poll_seconds = min(LONGEST_POLL_SECONDS, poll_seconds * 1.5) if idle else self._poll_seconds
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        if seconds == 0 or self._stopping:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * random.uniform(0.8, 1.2)):
                await self._wake.wait()

    async def relay_once(self) -> outbox.Claim:
        """Claim and send one batch of rows, and record the results; return what was claimed."""
        async with self._database.unit_of_work() as uow:
            claimed = await outbox.claim(uow, MAX_ROWS)
            if claimed.rows:
                # Not earlier: most API processes of a service that seldom publishes never send anything.
                await self._queues.open()
                batch = Batch(self._queues, self._routes, claimed.rows)
                await batch.send()
                crash_point("relay_after_send")
                await outbox.record_results(uow, done=batch.done, failed=batch.failed, refused=batch.refused)
                batch.report()
        if time.monotonic() >= self._next_backlog:
            await self._measure_backlog()
        return claimed

    async def _measure_backlog(self) -> None:
        self._next_backlog = time.monotonic() + _BACKLOG_SECONDS
        async with self._database.reader() as reader:
            waiting = await outbox.backlog(reader)
        _depth.set(waiting.depth)
        _lag.set(waiting.lag_seconds)


class Batch:
    """One batch on its way. Rows of one aggregate go one after another; a failed one holds back those after it."""

    def __init__(self, queues: QueueService, routes: Mapping[str, Sequence[str]], rows: Sequence[Row]) -> None:
        self.done: list[int] = []
        self.failed: dict[int, str] = {}
        self.refused: dict[int, str] = {}
        self._queues = queues
        self._routes = routes
        self._calls = asyncio.Semaphore(CONCURRENT_CALLS)
        self._lines: dict[str, deque[Row]] = {}
        for row in rows:
            self._lines.setdefault(row.aggregate_id, deque()).append(row)

    async def send(self) -> None:
        """Send until all is sent or time is up; then cancel calls in progress and leave further rows as they are."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SEND_SECONDS
        while loop.time() < deadline and (wave := [line.popleft() for line in self._lines.values() if line]):
            await self._send_wave(wave, deadline)

    async def _send_wave(self, rows: Sequence[Row], deadline: float) -> None:
        """Send at most one row of each aggregate, so that their order does not matter."""
        by_queue: dict[str, list[Row]] = {}
        for row in rows:
            if row.type not in self._routes:
                self.refused[row.seq] = (
                    f"no route for `{row.type}`: add it to [publishes] of the service's platform.toml"
                )
            for queue in self._routes.get(row.type, ()):
                by_queue.setdefault(queue, []).append(row)
        tens = [(queue, ten) for queue, those in by_queue.items() for ten in _tens(those)]
        await asyncio.gather(*(self._send_ten(queue, ten, deadline) for queue, ten in tens))
        for row in rows:
            if row.seq in self.failed:
                self._lines[row.aggregate_id].clear()
            elif row.seq not in self.refused:
                self.done.append(row.seq)

    async def _send_ten(self, queue: str, rows: Sequence[Row], deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline), self._calls:
                queue_url = await self._queues.queue_url(queue)
                failures = await self._queues.send_message_batch(queue_url, [_outgoing(row) for row in rows])
        except TimeoutError:
            self.failed |= {row.seq: f"{queue}: no answer within {SEND_SECONDS:g} s" for row in rows}
            return
        except SqsError as error:
            self.failed |= {row.seq: f"{queue}: {error}" for row in rows}
            return
        for failure in failures:
            verdict = self.refused if failure.sender_fault else self.failed
            verdict[rows[failure.index].seq] = f"{queue}: {failure.code}: {failure.message}"

    def report(self) -> None:
        """Count the batch in metrics, and log once what failed and what was moved to the quarantine."""
        _published.add(len(self.done))
        if self.failed:
            _failed.add(len(self.failed))
            reason = next(iter(self.failed.values()))
            extra = {"action": "outbox_send_failed", "rows": len(self.failed), "reason": reason}
            _log.warning("outbox rows were not sent, will try again", extra=extra)
        if self.refused:
            _quarantined.add(len(self.refused))
            reason = next(iter(self.refused.values()))
            extra = {"action": "outbox_quarantined", "rows": len(self.refused), "reason": reason}
            _log.error("outbox rows can never be sent, moved to outbox_quarantine", extra=extra)


def _tens(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    return (rows[start : start + MAX_BATCH_ENTRIES] for start in range(0, len(rows), MAX_BATCH_ENTRIES))


def _outgoing(row: Row) -> OutgoingMessage:
    headers = row.headers
    message = Message(
        id=row.id,
        type=row.type,
        version=row.version,
        source=headers["source"],
        occurred_at=datetime.fromisoformat(headers["occurred_at"]).astimezone(UTC),
        aggregate_id=row.aggregate_id,
        aggregate_version=row.aggregate_version,
        correlation_id=headers["correlation_id"],
        causation_id=headers.get("causation_id"),
        data=row.payload,
    )
    trace_context = {name: headers[name] for name in (TRACEPARENT, TRACESTATE) if headers.get(name)}
    return OutgoingMessage(body=encode_message(message), attributes=trace_context)
