"""What a running process holds open, and the dependencies through which a route gets at it.

`Uow` and `Read` end with the function, not with the response: with `scope="function"` FastAPI commits before the first
byte of the answer leaves, so nobody is told of an order that is then not there.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from platform_sdk.errors import PlatformError
from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.database import Database
from platform_sdk.runtime.health import Health
from platform_sdk.runtime.queries import Reader
from platform_sdk.runtime.settings import ServiceSettings
from platform_sdk.runtime.tokens import TokenVerifier
from platform_sdk.runtime.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from platform_sdk.runtime.relay import Relay
    from platform_sdk.runtime.sqs import Sqs


@dataclass(slots=True)
class ServiceResources:
    """Opened when the app starts, closed when it stops.

    Attributes:
        sqs: None until just after the app is ready, and always for a service that publishes nothing.
        relay: likewise.
        stopping: set when the process stops; whoever streams ends its stream then.
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
        if self.optional_database is None:
            raise PlatformError(
                f"{self.settings.service_name} has no database", hint="add a [database] table to its platform.toml"
            )
        return self.optional_database


async def resources(request: Request) -> ServiceResources:
    held: ServiceResources = request.app.state.resources
    return held


async def open_unit_of_work(request: Request) -> AsyncIterator[UnitOfWork]:
    held = await resources(request)
    async with held.database.unit_of_work(correlation_id=request.scope["request_id"]) as uow:
        yield uow


async def open_reader(request: Request) -> AsyncIterator[Reader]:
    held = await resources(request)
    async with held.database.reader() as reader:
        yield reader


async def shutting_down(request: Request) -> asyncio.Event:
    return (await resources(request)).stopping


Resources = Annotated[ServiceResources, Depends(resources)]
Uow = Annotated[UnitOfWork, Depends(open_unit_of_work, scope="function")]
Read = Annotated[Reader, Depends(open_reader, scope="function")]
ShuttingDown = Annotated[asyncio.Event, Depends(shutting_down)]
"""An event that a stream waits for beside its own: when it is set, the process is stopping."""
