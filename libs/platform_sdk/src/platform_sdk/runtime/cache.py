"""Redis, for values that may be lost: `Cache`. Nothing that must be correct depends on it.

Fail-open: a Redis that is slow or away costs a request at most WAIT_SECONDS, and then is skipped for SKIP_SECONDS
(circuit breaker). Meanwhile reads miss, writes are dropped, and rate limits are counted in this process.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import orjson

from platform_sdk.runtime.process.logging import OncePerInterval
from platform_sdk.runtime.process.settings import ServiceSettings

if TYPE_CHECKING:
    from redis.asyncio import Redis

WAIT_SECONDS: Final = 0.1
SKIP_SECONDS: Final = 1.0
MAX_CONNECTIONS: Final = 20

T = TypeVar("T")

logger = logging.getLogger(__name__)
logger.addFilter(OncePerInterval(seconds=10))


@dataclass(frozen=True, slots=True)
class RateLimitDecision:
    """Whether one more call is allowed: `remaining` of `limit` are left for the next `reset_seconds`."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int


class Cache:
    """JSON values under string keys; keys are private to the service and the environment.

    No method raises when Redis fails. Without a URL every read is a miss.
    """

    def __init__(self, url: str | None, *, prefix: str, password: str | None = None) -> None:
        self._url = url
        self._password = password
        self._prefix = prefix
        self._client: Redis | None = None
        self._skip_until = 0.0
        self._answered_at = float("-inf")
        self._counts: dict[str, tuple[int, int]] = {}

    @classmethod
    def from_settings(cls, settings: ServiceSettings) -> Self:
        """Return a cache whose keys start with `<environment>:<service>:`, so that services can share one Redis."""
        password = settings.redis_password.get_secret_value() if settings.redis_password else None
        return cls(settings.redis_url, prefix=f"{settings.environment}:{settings.service_name}:", password=password)

    async def get_json(self, key: str) -> Any | None:
        """Return the value; None if it is absent or expired, if Redis is away, or if it is not JSON."""
        stored = await self._run(lambda redis: redis.get(self._prefix + key), None)
        if stored is None:
            return None
        try:
            return orjson.loads(stored)
        except orjson.JSONDecodeError:
            return None

    async def set_json(self, key: str, value: Any, ttl_seconds: float, *, only_if_absent: bool = False) -> None:
        """Store a value for `ttl_seconds`, at least a millisecond. Readers must not depend on it: Redis may be away."""
        content = orjson.dumps(value)
        milliseconds = max(1, round(ttl_seconds * 1000))
        await self._run(lambda redis: redis.set(self._prefix + key, content, px=milliseconds, nx=only_if_absent), None)

    async def delete(self, *keys: str) -> None:
        """Delete values. If Redis is away, they stay until they expire."""
        if keys:
            await self._run(lambda redis: redis.delete(*(self._prefix + key for key in keys)), None)

    async def take_token(self, name: str, *, limit: int, window_seconds: int) -> RateLimitDecision:
        """Count one call against `limit` in the current window (fixed windows, aligned to the clock)."""
        window, into_window = divmod(time.time(), window_seconds)
        count = await self._run(lambda redis: self._count_in_redis(redis, name, int(window), window_seconds), None)
        if count is None:
            count = self._count_here(name, int(window))
        return RateLimitDecision(
            allowed=count <= limit,
            limit=limit,
            remaining=max(0, limit - count),
            reset_seconds=max(1, round(window_seconds - into_window)),
        )

    async def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _count_in_redis(self, redis: "Redis", name: str, window: int, window_seconds: int) -> int:
        key = f"{self._prefix}rate:{name}:{window}"
        pipeline = redis.pipeline(transaction=False)
        pipeline.incr(key)
        pipeline.expire(key, window_seconds + 1)
        return int((await pipeline.execute())[0])

    def _count_here(self, name: str, window: int) -> int:
        if len(self._counts) > 10_000:
            self._counts.clear()
        known_window, count = self._counts.get(name, (window, 0))
        count = count + 1 if known_window == window else 1
        self._counts[name] = (window, count)
        return count

    async def _run(self, operation: "Callable[[Redis], Awaitable[T]]", otherwise: T) -> T:
        now = time.monotonic()
        if self._url is None or now < self._skip_until:
            return otherwise
        if self._skip_until:
            # One caller checks whether Redis is back; the others continue without it.
            self._skip_until = now + WAIT_SECONDS
        client = self._connected()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                result = await operation(client)
        except _redis_errors() as error:
            now = time.monotonic()
            if isinstance(error, TimeoutError) and now - self._answered_at < WAIT_SECONDS:
                # It answers other calls: a burst waits for connections, and Redis is healthy.
                return otherwise
            self._skip_until = now + SKIP_SECONDS
            logger.warning("Redis is away: %s", type(error).__name__, extra={"action": "cache_skipped"})
            return otherwise
        self._skip_until, self._answered_at = 0.0, time.monotonic()
        return result

    def _connected(self) -> "Redis":
        if self._client is None:
            # Imported here: 120 ms that the start of a process does not need.
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            pool = BlockingConnectionPool.from_url(
                self._url or "",
                password=self._password,
                max_connections=MAX_CONNECTIONS,
                timeout=None,
                retry=Retry(NoBackoff(), 0),
                socket_keepalive=True,
            )
            self._client = Redis.from_pool(pool)
        return self._client


def _redis_errors() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    return (RedisError, OSError, TimeoutError)
