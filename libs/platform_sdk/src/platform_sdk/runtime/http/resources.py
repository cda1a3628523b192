"""The resources of a running API process, and what a route takes beside its input: dependencies, entity tags, limits.

Routes take `Uow`, `Read`, `Resources` or `ShuttingDown`. `Uow` and `Read` end with the function, not with the response:
with `scope="function"` FastAPI commits before the first byte of the answer leaves, so that no client sees an order that
was never stored.
"""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from platform_sdk.errors import PlatformError
from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import Reader, UnitOfWork
from platform_sdk.runtime.http.auth import Principal, TokenVerifier
from platform_sdk.runtime.http.health import Health
from platform_sdk.runtime.http.problems import Problem, too_many_requests
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


# Conditional requests (RFC 9110, section 13): a row's version is its strong entity tag.
#
# A client that read version 3 sends `If-Match: "3"` with its change; 412 means that the row has changed since.


def etag_of(version: int) -> str:
    """Return the entity tag of a version: `"3"`, with its quotes."""
    return f'"{version}"'


def require_match(request: Request, version: int) -> None:
    """Let the request go on only if it was made for this version.

    Raises:
        Problem: 428 without `If-Match` (RFC 6585), 412 if none of its tags is this version's.
    """
    if "if-match" not in request.headers:
        raise Problem(428, "precondition-required", detail="send `If-Match` with the ETag that you read")
    if not _matches(request, "if-match", version, weak=False):
        raise Problem(
            412,
            "precondition-failed",
            detail="the resource has changed since you read it; read it again",
            headers={"ETag": etag_of(version)},
        )


def honour_match(request: Request, version: int) -> None:
    """Check the header as `require_match` does, if it is there; without it the last change wins.

    Raises:
        Problem: 412.
    """
    if "if-match" in request.headers:
        require_match(request, version)


def documented_match(*, required: bool) -> dict[str, Any]:
    """Return `openapi_extra=` of a route that takes `If-Match`; it is required by `require_match`."""
    return {
        "parameters": [
            {
                "name": "If-Match",
                "in": "header",
                "required": required,
                "description": "the ETag that you read; 412 if the resource has changed since",
                "schema": {"type": "string"},
            }
        ]
    }


def is_not_modified(request: Request, version: int) -> bool:
    """Return whether a GET may be answered by 304: `If-None-Match` names this version (weak comparison)."""
    return _matches(request, "if-none-match", version, weak=True)


def _matches(request: Request, header: str, version: int, *, weak: bool) -> bool:
    tags = [tag.strip() for value in request.headers.getlist(header) for tag in value.split(",")]
    if weak:
        tags = [tag.removeprefix("W/") for tag in tags]
    return "*" in tags or etag_of(version) in tags


# Rate limits: `dependencies=[Public, rate_limit("sign-in", limit=10, window_seconds=60)]`.
#
# Counted in Redis over all tasks, or in this process while Redis is away. Every answer carries the header fields of
# draft-ietf-httpapi-ratelimit-headers; beyond the limit the answer is 429.

Limit = int | Callable[[Any], int]


def client_network(request: Request) -> str:
    """Return the client's address; of an IPv6 address the /64 network, since one client has all of it.

    Behind the load balancer the server has already put the client that it saw in the place of its own address.
    """
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return host


def caller(request: Request) -> str:
    """Return the authenticated user; for routes with another policy than `public`."""
    principal: Principal = request.scope["principal"]
    return str(principal.user_id)


def rate_limit(
    name: str, *, limit: Limit, window_seconds: int, key: Callable[[Request], str] = client_network
) -> Any:  # what Depends gives
    """Return a dependency that counts each call.

    Args:
        name: of the policy, as clients see it; routes with the same name share their counts.
        limit: calls in each window of `window_seconds`; a function gets it from the service's settings.
        key: whose calls are counted together.
    """
    return Depends(_counter(name, limit, window_seconds, key))


def _counter(
    name: str, limit: Limit, window_seconds: int, key: Callable[[Request], str]
) -> Callable[[Request], Awaitable[None]]:
    async def count_call(request: Request) -> None:
        held: ServiceResources = request.app.state.resources
        calls = limit if isinstance(limit, int) else limit(held.settings)
        decision = await held.cache.take_token(f"{name}:{key(request)}", limit=calls, window_seconds=window_seconds)
        policy = f'"{name}";q={calls};w={window_seconds}'
        state = f'"{name}";r={decision.remaining};t={decision.reset_seconds}'
        # Through the scope, because a handler that returns a Response of its own would drop headers set otherwise.
        request.scope.setdefault("response_headers", []).extend(
            [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]
        )
        if not decision.allowed:
            raise too_many_requests(name, decision.reset_seconds)

    return count_call
