"""The health of a task, for the load balancer: `{path}/livez`, `{path}/readyz`, `{path}/version`.

livez is about this process alone. readyz says whether this task should get requests: start-up is complete, the database
was reached once, and the task is not stopping. A database that is lost later is a warning, not a failure: all tasks
share it, so all would fail at once and the load balancer would have no target left.
Bodies are `application/health+json` (draft-inadarei-api-health-check-06): pass and warn are 200, fail is 503.
"""

import asyncio
import logging
import time
from typing import Any, Final, Protocol

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from platform_sdk import contract
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable
from platform_sdk.runtime.http.auth import Public
from platform_sdk.runtime.process.settings import ServiceSettings

HEALTH_MEDIA_TYPE: Final = "application/health+json"
PROBE_INTERVAL_SECONDS: Final = 2.0
PROBE_TIMEOUT_SECONDS: Final = 1.0
FAILURES_UNTIL_WARNING: Final = 2

logger = logging.getLogger(__name__)


class Pingable(Protocol):
    """What readiness asks the database for."""

    async def ping(self) -> None:
        """Make one round trip. Raises DatabaseUnavailable."""


class Health:
    """The state behind readyz. `has_started` and `is_draining` are set by the life cycle."""

    def __init__(self, database: Pingable | None) -> None:
        self.has_started = False
        self.is_draining = False
        self._database = database
        self._was_reachable = database is None
        self._failures = 0
        self._probed_at = float("-inf")
        self._milliseconds = 0.0
        self._lock = asyncio.Lock()

    async def readiness(self) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the body of readyz."""
        await self._probe()
        status, output = self._status()
        body: dict[str, Any] = {"status": status}
        if output:
            body["output"] = output
        if self._database is not None:
            body["checks"] = {"postgres:responseTime": [self._database_check()]}
        return (503 if status == "fail" else 200), body

    def _status(self) -> tuple[str, str | None]:
        if self.is_draining:
            return "fail", "the task is stopping"
        if not self.has_started:
            return "fail", "the task is starting"
        if not self._was_reachable:
            return "fail", "the database has not been reached yet"
        if self._failures >= FAILURES_UNTIL_WARNING:
            return "warn", "the database is away"
        return "pass", None

    def _database_check(self) -> dict[str, Any]:
        if not self._was_reachable:
            return {"status": "fail"}
        if self._failures:
            return {"status": "warn"}
        return {"status": "pass", "observedValue": round(self._milliseconds, 1), "observedUnit": "ms"}

    async def _probe(self) -> None:
        # The load balancer's nodes ask often and at the same time: one probe answers them all.
        async with self._lock:
            if self._database is None or time.monotonic() - self._probed_at < PROBE_INTERVAL_SECONDS:
                return
            started = time.monotonic()
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                    await self._database.ping()
            except (DatabaseUnavailable, TimeoutError):
                self._failures += 1
                if self._failures == FAILURES_UNTIL_WARNING:
                    logger.warning("the database is away", extra={"action": "readiness_degraded"})
            else:
                self._failures, self._was_reachable = 0, True
                self._milliseconds = (time.monotonic() - started) * 1000
            # A task that is not ready yet probes for each request, so that it becomes ready without delay.
            self._probed_at = time.monotonic() if self._was_reachable else float("-inf")


def health_router(settings: ServiceSettings, health: Health) -> APIRouter:
    """Return the three routes under the service's path; public, and left out of the OpenAPI document."""
    router = APIRouter(prefix=settings.service_path, dependencies=[Public], include_in_schema=False)

    @router.get(contract.LIVENESS_PATH)
    async def get_livez() -> Response:
        return _health_response(200, {"status": "pass"})

    @router.get(contract.READINESS_PATH)
    async def get_readyz() -> Response:
        return _health_response(*await health.readiness())

    @router.get("/version")
    async def get_version() -> dict[str, str]:
        return {
            "service": settings.service_name,
            "version": settings.service_version,
            "environment": settings.environment,
        }

    return router


def _health_response(status: int, body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), status, media_type=HEALTH_MEDIA_TYPE)
