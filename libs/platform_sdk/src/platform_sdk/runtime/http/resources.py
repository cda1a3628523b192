"""The resources of a running API process, and the dependencies by which a route gets them.

Routes take `Uow`, `Read`, `Resources` or `ShuttingDown`. `Uow` and `Read` end with the function, not with the response:
with `scope="function"` FastAPI commits before the first byte of the answer leaves, so that no client sees an order that
was never stored.
"""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from platform_sdk.errors import PlatformError
from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import Reader, UnitOfWork
from platform_sdk.runtime.http.auth import TokenVerifier
from platform_sdk.runtime.http.health import Health
from platform_sdk.runtime.process.settings import ServiceSettings

if TYPE_CHECKING:
    from platform_sdk.runtime.messaging.relay import Relay
    from platform_sdk.runtime.messaging.sqs import Sqs


RELAY_STOP_SECONDS = 1.5

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ServiceResources:
    """Opened when the app starts, closed when it stops.

    Attributes:
        sqs: None until just after the app is ready, and always for a service that publishes nothing.
        relay: likewise.
        stopping: set when the process stops; streams end then.
    """

    settings: ServiceSettings
    cache: Cache
    tokens: TokenVerifier
    health: Health
    optional_database: Database | None = None
    sqs: "Sqs | None" = None
    relay: "Relay | None" = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def database(self) -> Database:
        """The service's database. Raises PlatformError if its platform.toml has none."""
        if self.optional_database is None:
            raise PlatformError(
                f"{self.settings.service_name} has no database", hint="add a [database] table to its platform.toml"
            )
        return self.optional_database


async def resources(request: Request) -> ServiceResources:
    """Return what the process shares between requests: a dependency of routes."""
    held: ServiceResources = request.app.state.resources
    return held


async def _open_unit_of_work(request: Request) -> AsyncIterator[UnitOfWork]:
    held = await resources(request)
    async with held.database.unit_of_work(correlation_id=request.scope["request_id"]) as uow:
        yield uow


async def _open_reader(request: Request) -> AsyncIterator[Reader]:
    held = await resources(request)
    async with held.database.reader() as reader:
        yield reader


async def _shutting_down(request: Request) -> asyncio.Event:
    return (await resources(request)).stopping


Resources = Annotated[ServiceResources, Depends(resources)]
Uow = Annotated[UnitOfWork, Depends(_open_unit_of_work, scope="function")]
Read = Annotated[Reader, Depends(_open_reader, scope="function")]
ShuttingDown = Annotated[asyncio.Event, Depends(_shutting_down)]
"""An event that streams wait for beside their own; it is set when the process stops."""


@asynccontextmanager
async def warmed_up(resources: ServiceResources) -> AsyncIterator[None]:
    """Load libraries and start the relay beside the block; at its end stop the relay, which first sends its rows.

    aiohttp, redis and the JWT library take 350 ms of CPU to import. Importing them in a thread once the process is
    ready keeps both the start and the first request short.
    """
    task = asyncio.create_task(_warm_up(resources), name="warm up")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if resources.relay is not None:
            await resources.relay.stop(RELAY_STOP_SECONDS)
        if resources.sqs is not None:
            await resources.sqs.close()


async def _warm_up(resources: ServiceResources) -> None:
    try:
        await asyncio.to_thread(_load, resources)
        if resources.settings.event_routes and resources.optional_database is not None:
            await _start_relay(resources, resources.optional_database)
        await resources.tokens.prepare()
    except Exception:
        logger.exception("warming up failed", extra={"action": "warm_up_failed"})


def _load(resources: ServiceResources) -> None:
    names = ["jwt", "cryptography.hazmat.primitives.asymmetric.ed25519", "aiohttp"]
    if resources.settings.redis_url is not None:
        names.append("redis.asyncio")
    for name in names:
        importlib.import_module(name)


async def _start_relay(resources: ServiceResources, database: Database) -> None:
    from platform_sdk.runtime.messaging.relay import Relay
    from platform_sdk.runtime.messaging.sqs import Sqs

    resources.sqs = Sqs.from_settings(resources.settings)
    resources.relay = Relay(database, resources.sqs, resources.settings.event_routes)
    resources.relay.start()
