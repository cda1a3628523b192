"""Around every request: its id and trace, its limits, its log line and its metrics, and a problem for every failure.

One middleware in plain ASGI; each BaseHTTPMiddleware in its place would cost more than the rest of the request.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, SpanKind
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from platform_sdk.runtime import telemetry
from platform_sdk.runtime.exchange import Exchange
from platform_sdk.runtime.failures import ClientGone, problem_of
from platform_sdk.runtime.health import Health
from platform_sdk.runtime.logging import bind, unbind
from platform_sdk.runtime.problems import Problem, timed_out, unavailable
from platform_sdk.runtime.settings import ServiceSettings

CLIENT_CLOSED_REQUEST: Final = 499
"""nginx's number for a client that left; it stands in logs only."""

AllowedMethods = Callable[[Scope], frozenset[str]]

access_logger = logging.getLogger("platform_sdk.access")

_duration = telemetry.meter.create_histogram(
    "http.server.request.duration",
    "s",
    "Time from a request's arrival to the end of its response.",
    explicit_bucket_boundaries_advisory=[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
)
_active = telemetry.meter.create_up_down_counter("http.server.active_requests", "{request}", "Requests in flight.")


class RequestMiddleware:
    """The outermost layer of a service's app.

    Args:
        allowed_methods: the methods that some route has at a scope's path; empty where there is no route.
        quiet_paths: without log line, metrics and load shedding: what the load balancer asks every few seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ServiceSettings,
        health: Health,
        allowed_methods: AllowedMethods,
        quiet_paths: frozenset[str],
    ) -> None:
        self._app = app
        self._settings = settings
        self._health = health
        self._allowed_methods = allowed_methods
        self._quiet_paths = quiet_paths
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, max_body_bytes=self._settings.max_body_bytes)
        exchange.is_closing = self._health.is_draining
        span, context = telemetry.start_span(scope["method"], SpanKind.SERVER, _caller(exchange))
        token = otel_context.attach(context)
        bound = bind(request_id=exchange.identify(span.get_span_context().trace_id))
        started = time.perf_counter()
        _active.add(1)
        try:
            await self._answer(exchange)
        finally:
            _active.add(-1)
            self._record(exchange, span, time.perf_counter() - started)
            unbind(bound)
            otel_context.detach(token)
            span.end()

    async def _answer(self, exchange: Exchange) -> None:
        """Lets the app answer; whatever it raises before its response has started becomes a problem."""
        try:
            await self._run(exchange)
        except asyncio.CancelledError:
            if exchange.status is not None:
                raise
            # The server cuts off what is left at the end of a stop. The task ends here anyway, so it may answer first.
            await exchange.send_problem(unavailable("the task is stopping; try again"))
        except Exception as error:
            if exchange.is_head_answered:
                return
            if exchange.status is not None:
                # Half an answer cannot be taken back: the server closes the connection, so that the client can tell.
                raise
            await self._answer_failure(exchange, error)

    async def _run(self, exchange: Exchange) -> None:
        exchange.check()
        is_quiet = exchange.scope["path"] in self._quiet_paths
        if self._in_flight >= self._settings.max_concurrent_requests and not is_quiet:
            raise unavailable("too many requests at the same time")
        self._in_flight += 1
        exchange.leave = self._leave
        deadline = asyncio.timeout(self._settings.request_timeout_seconds)
        try:
            async with deadline:
                exchange.deadline = deadline
                await self._app(exchange.scope, exchange.receive, exchange.send)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise self._too_late(exchange) from None
        finally:
            exchange.end()

    def _leave(self) -> None:
        self._in_flight -= 1

    def _too_late(self, exchange: Exchange) -> Problem:
        if exchange.has_body_arrived:
            return timed_out(self._settings.request_timeout_seconds)
        return Problem(408, "request-timeout", detail="the request's body did not arrive in time")

    async def _answer_failure(self, exchange: Exchange, error: Exception) -> None:
        allowed = self._allowed_methods(exchange.scope)
        if exchange.method == "OPTIONS" and allowed:
            options = Response(status_code=204, headers={"Allow": ", ".join(sorted(allowed))})
            await options(exchange.scope, exchange.receive, exchange.send)
            return
        try:
            problem = problem_of(error, allowed)
        except ClientGone:
            exchange.status = CLIENT_CLOSED_REQUEST
            return
        await exchange.send_problem(problem)

    def _record(self, exchange: Exchange, span: Span, seconds: float) -> None:
        scope = exchange.scope
        if scope["path"] in self._quiet_paths:
            return
        route = getattr(scope.get("route"), "path_format", None)
        status = exchange.status or CLIENT_CLOSED_REQUEST
        if telemetry.is_exporting():
            _measure(exchange.method, route, status, scope, span, seconds)
        if access_logger.isEnabledFor(logging.INFO):
            access_logger.info(
                "%s %s %d", exchange.method, scope["path"], status, extra=_access_members(exchange, route, seconds)
            )


def _access_members(exchange: Exchange, route: str | None, seconds: float) -> dict[str, Any]:
    scope = exchange.scope
    members: dict[str, Any] = {
        "action": "http_request",
        "method": exchange.method,
        "path": scope["path"],
        "route": route,
        "status": exchange.status or CLIENT_CLOSED_REQUEST,
        "duration_ms": round(seconds * 1000, 2),
        "response_bytes": exchange.response_bytes,
        "client": scope["client"][0] if scope.get("client") else None,
    }
    if "principal" in scope:
        members["user_id"] = str(scope["principal"].user_id)
    return members


def _measure(method: str, route: str | None, status: int, scope: Scope, span: Span, seconds: float) -> None:
    """Names and attributes are those of OpenTelemetry's semantic conventions for HTTP."""
    attributes: dict[str, Any] = {
        "http.request.method": method,
        "http.response.status_code": status,
        "url.scheme": scope.get("scheme", "http"),
    }
    if route is not None:
        attributes["http.route"] = route
        span.update_name(f"{method} {route}")
    if status >= 500:
        attributes["error.type"] = str(status)
    _duration.record(seconds, attributes)
    span.set_attributes({**attributes, "url.path": scope["path"]})


def _caller(exchange: Exchange) -> Any:
    traceparent = exchange.request_headers.get(b"traceparent")
    if traceparent is None:
        return None
    headers = {telemetry.TRACEPARENT: traceparent.decode("latin-1")}
    if state := exchange.request_headers.get(b"tracestate"):
        headers[telemetry.TRACESTATE] = state.decode("latin-1")
    return telemetry.extract(headers)
