"""The life of a process: `python -m orders.main` calls `serve_api`, `python -m orders.worker` calls `run_worker`.

The stop of an API task: readyz fails at once while requests are still accepted, so that the load balancer deregisters
the task first. Then streams end, the listener closes, requests in flight finish, and resources are closed. The stop of
a worker: no new messages, handlers in progress finish, the other messages return to the queue. Both exit with 0 within
the stop timeout. Data is safe whenever a process ends, so each step has a time limit.

A SIGTERM during the half second of imports ends the process at once: nothing is open yet, and the sender (ECS, the
local stack) ignores the exit code.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import uvicorn
import uvloop
from fastapi import FastAPI

from platform_sdk.errors import PlatformError, ended_by_errors
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.http.resources import RELAY_STOP_SECONDS, ServiceResources
from platform_sdk.runtime.process.logging import bound, configure_logging
from platform_sdk.runtime.process.settings import CLOSING_SECONDS, ServiceSettings
from platform_sdk.runtime.process.telemetry import configure_telemetry, stop_telemetry

if TYPE_CHECKING:
    from platform_sdk.runtime.messaging.inbox import Handler
    from platform_sdk.runtime.messaging.messages import Event
    from platform_sdk.runtime.messaging.sqs import Sqs

logger = logging.getLogger(__name__)

GAVE_UP_EXIT_CODE: Final = 1
MARGIN_SECONDS: Final = 0.5

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the load balancer's idle timeout (60 s): it must be the one that closes an idle connection."""

TRUSTED_PROXIES: Final = "127.0.0.0/8,10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,::1,fc00::/7"
"""Networks whose X-Forwarded-For is trusted: private ones only. The load balancer appends the address of its client, so
the first address from the right that is not private is the client; any client can forge those to the left of it."""

BACKLOG: Final = 2048

CONSUMER_MARGIN_SECONDS: Final = 3.0
"""Time that a consumer's stop needs beyond its poll and its handlers, to release and delete messages."""

PURGE_SECONDS: Final = 600.0
"""How often a worker deletes the rows of inbox and idempotency whose retention has ended."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that a worker repeats; it must be safe to run in several tasks at once.

    A run that fails is logged, and tried again after `every_seconds`.
    """

    name: str
    every_seconds: float
    run: Callable[[Database], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The work of a worker process.

    Attributes:
        handlers: for the messages of `settings.consumed_queues`.
        periodic: runs beside them.
        messages_per_transaction: see `Consumer`, whose argument it is.
        lifespan: further resources that the service opens and closes with the process, after all handlers have ended.
    """

    settings: ServiceSettings
    handlers: "Mapping[type[Event], Handler]"
    periodic: Sequence[Periodic] = ()
    messages_per_transaction: int = 1
    lifespan: Callable[[], AbstractAsyncContextManager[None]] = nullcontext


def serve_api(build: Callable[[], FastAPI]) -> None:
    """Serve the app that `build` makes (with `create_app`) until the process is asked to stop; then return.

    Raises:
        SystemExit: the settings or the routes are wrong (printed on stderr), the port is taken, or the app did not
            start (logged).
    """
    with ended_by_errors():
        app = build()
        resources: ServiceResources = app.state.resources
        _run_process(resources.settings, _serve(app, resources))


def run_worker(build: Callable[[], Worker]) -> None:
    """Run the worker that `build` makes until the process is asked to stop; then return.

    Raises:
        SystemExit: the settings are wrong or name no database (printed on stderr), or a consumer failed (logged).
    """
    with ended_by_errors():
        worker = build()
        _run_process(worker.settings, _work(worker))


class StopRequest:
    """Three events, set in this order: `requested`, `hurried`, `forced`.

    The first SIGTERM (from ECS) starts an orderly stop. A second signal, or Ctrl-C (SIGINT), skips the wait for the
    load balancer. A third one abandons requests in flight. The process ends itself before the stop timeout,
    at which ECS sends SIGKILL.
    """

    def __init__(self, stop_timeout_seconds: float) -> None:
        self.requested = asyncio.Event()
        self.hurried = asyncio.Event()
        self.forced = asyncio.Event()
        self._stop_timeout_seconds = stop_timeout_seconds

    def listen(self) -> None:
        """Handle SIGTERM and SIGINT from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.receive, number)

    def receive(self, number: signal.Signals) -> None:
        """Set the next event."""
        if not self.requested.is_set():
            logger.info("stopping", extra={"action": "stop_requested", "signal": number.name})
            self.requested.set()
            self._start_watchdog()
            if number == signal.SIGINT:
                self.hurried.set()
        elif not self.hurried.is_set():
            self.hurried.set()
        else:
            self.forced.set()

    async def wait_for_drain(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as `hurried` is set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.hurried.wait()

    def _start_watchdog(self) -> None:
        # A thread, because the event loop, or a thread of an executor, may hang.
        watchdog = threading.Timer(max(0.0, self._stop_timeout_seconds - MARGIN_SECONDS), _give_up)
        watchdog.daemon = True
        watchdog.start()


def _give_up() -> None:
    logger.error("the stop took too long; ending now", extra={"action": "stop_timed_out"})
    os._exit(GAVE_UP_EXIT_CODE)


def _run_process(settings: ServiceSettings, main: Coroutine[Any, Any, None]) -> None:
    configure_logging(settings)
    configure_telemetry(settings)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
    except PlatformError:
        raise
    except Exception as error:
        logger.critical("the process failed", exc_info=error, extra={"action": "process_failed"})
        raise SystemExit(1) from None
    finally:
        stop_telemetry()
    logger.info("stopped", extra={"action": "stopped"})


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which would raise the signal again and exit with its number."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(app: FastAPI, resources: ServiceResources) -> None:
    settings = resources.settings
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=TRUSTED_PROXIES,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_grace_seconds(settings),
        )
    )
    stop = StopRequest(settings.stop_timeout_seconds)
    stop.listen()
    stopper = asyncio.create_task(_stop_server(server, stop, resources), name="stop when asked")
    try:
        await server.serve()
    finally:
        stopper.cancel()
        await asyncio.gather(stopper, return_exceptions=True)


async def _stop_server(server: uvicorn.Server, stop: StopRequest, resources: ServiceResources) -> None:
    await stop.requested.wait()
    resources.health.is_draining = True
    await stop.wait_for_drain(resources.settings.drain_delay_seconds)
    resources.stopping.set()
    server.should_exit = True
    await stop.forced.wait()
    server.force_exit = True


def _grace_seconds(settings: ServiceSettings) -> int:
    """Return how long requests in flight may take once the listener is closed."""
    return max(1, int(settings.stop_timeout_seconds - settings.drain_delay_seconds - CLOSING_SECONDS))


async def _work(worker: Worker) -> None:
    from platform_sdk.runtime.database.tables import purge_expired
    from platform_sdk.runtime.messaging.relay import Relay
    from platform_sdk.runtime.messaging.sqs import Sqs

    settings = worker.settings
    stop = StopRequest(settings.stop_timeout_seconds)
    stop.listen()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(worker.lifespan())
        database = Database.from_settings(settings)
        await database.open()
        stack.push_async_callback(database.close)
        sqs = Sqs.from_settings(settings)
        await sqs.open()
        stack.push_async_callback(sqs.close)
        relay = Relay(database, sqs, settings.event_routes)
        relay.start()
        stack.push_async_callback(relay.stop, RELAY_STOP_SECONDS)
        purge = Periodic("purge_expired", PURGE_SECONDS, purge_expired)
        await stack.enter_async_context(_running((purge, *worker.periodic), database))
        logger.info("working", extra={"action": "worker_started", "queues": list(settings.consumed_queues)})
        await _consume(worker, database, sqs, stop)


async def _consume(worker: Worker, database: Database, sqs: "Sqs", stop: StopRequest) -> None:
    """Run a consumer for each queue until the stop; one that fails ends the process, so that ECS starts another."""
    from platform_sdk.runtime.messaging.consumer import Consumer

    settings = worker.settings
    wait_seconds, drain_seconds = _consumer_shares(settings)
    consumers = [
        Consumer(
            database,
            sqs,
            queue=queue,
            consumer=settings.service_name,
            handlers=worker.handlers,
            wait_seconds=wait_seconds,
            drain_seconds=drain_seconds,
            messages_per_transaction=worker.messages_per_transaction,
        )
        for queue in settings.consumed_queues
    ]
    async with asyncio.TaskGroup() as group:
        for consumer in consumers:
            group.create_task(consumer.run(), name="consumer")
        await stop.requested.wait()
        for consumer in consumers:
            consumer.stop()


def _consumer_shares(settings: ServiceSettings) -> tuple[int, float]:
    """Return the seconds of the stop timeout for the poll in progress, and for the handlers beside it.

    Cutting the poll off would strand its messages. A stop takes the longer of both, and CONSUMER_MARGIN_SECONDS.
    """
    seconds = max(1.0, settings.stop_timeout_seconds - CLOSING_SECONDS - CONSUMER_MARGIN_SECONDS)
    return min(settings.receive_wait_seconds, int(seconds)), seconds


@asynccontextmanager
async def _running(periodic: Sequence[Periodic], database: Database) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_repeat(work, database), name=work.name) for work in periodic]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(work: Periodic, database: Database) -> None:
    with bound(periodic=work.name):
        while True:
            # Not all tasks of a service at the same moment.
            await asyncio.sleep(work.every_seconds * random.uniform(0.8, 1.2))
            try:
                await work.run(database)
            except Exception:
                logger.exception("%s failed, and will be tried again", work.name, extra={"action": "periodic_failed"})
