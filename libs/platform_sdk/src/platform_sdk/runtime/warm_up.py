"""What an API process does once it is ready: load the libraries that starting does not need, and start its relay.

aiohttp, redis and the JWT library take 350 ms of CPU to import. Loading them in a thread after the first readyz, and
not in the first request that needs them, keeps both the start and that request short.
"""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from platform_sdk.runtime.database import Database
from platform_sdk.runtime.resources import ServiceResources

RELAY_STOP_SECONDS = 1.5

logger = logging.getLogger(__name__)


@asynccontextmanager
async def warmed_up(resources: ServiceResources) -> AsyncIterator[None]:
    """Warms up beside the block; at its end stops the relay, which first sends what has been committed."""
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
    from platform_sdk.runtime.relay import Relay
    from platform_sdk.runtime.sqs import Sqs

    resources.sqs = Sqs.from_settings(resources.settings)
    await resources.sqs.open()
    resources.relay = Relay(database, resources.sqs, resources.settings.event_routes)
    resources.relay.start()
