"""The middleware around every request: id, trace, limits, log line, metrics, and a problem document for every failure.

server ─▶ RequestMiddleware ─▶ RequestGuard (wraps receive and send of one request) ─▶ app. Plain ASGI: each
BaseHTTPMiddleware would cost more than the rest of the request. Public: `RequestMiddleware`, `CLIENT_CLOSED_REQUEST`.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, SpanKind
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from platform_sdk.runtime.http.health import Health
from platform_sdk.runtime.http.problems import (
    ClientGone,
    Problem,
    bad_request,
    content_too_large,
    not_found,
    problem_of,
    timed_out,
    unavailable,
)
from platform_sdk.runtime.process import telemetry
from platform_sdk.runtime.process.logging import bind, unbind
from platform_sdk.runtime.process.settings import ServiceSettings

CLIENT_CLOSED_REQUEST: Final = 499
"""nginx's status for a client that disconnected; used in logs only."""

AllowedMethods = Callable[[Scope], frozenset[str]]

access_logger = logging.getLogger("platform_sdk.access")

_duration = telemetry.meter.create_histogram(
    "http.server.request.duration",
    "s",
    "Time from a request's arrival to the end of its response.",
    explicit_bucket_boundaries_advisory=[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
)
_active = telemetry.meter.create_up_down_counter("http.server.active_requests", "{request}", "Requests in flight.")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~-]{8,128}")

_ALWAYS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
]
_NO_STORE: Final = (b"cache-control", b"no-store")
_EVENT_STREAM: Final = b"text/event-stream"
_CLOSE: Final = (b"connection", b"close")
# How long the body of a refused request is still read.
_LINGER_SECONDS: Final = 1.0


class HeadAnswered(OSError):
    """Raised into an app that still writes the body of an answered HEAD request. An OSError, because Starlette treats
    an OSError as a client that has disconnected."""


class RequestGuard:
    """The `receive` and `send` of one request, with its limits.

    Counts the body as it arrives, stops the deadline when the response starts, adds the headers that every response
    has, and answers HEAD like GET without the body (RFC 9110, section 9.3.2).

    Attributes:
        scope: for the app; a HEAD request is a GET there.
        method: as the client sent it.
        status: of the response, once it has started.
        response_bytes: of the body so far.
        deadline: the clock that stops when the response starts.
        leave: ends the count as a request in flight; called once, when the response ends or is an event stream, whose
            length the route limits itself.
        is_closing: whether the response closes the connection.
    """

    __slots__ = (
        "_is_head",
        "_max_body_bytes",
        "_receive",
        "_received_bytes",
        "_send",
        "deadline",
        "has_body_arrived",
        "is_closing",
        "is_head_answered",
        "leave",
        "method",
        "request_headers",
        "request_id",
        "response_bytes",
        "scope",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, max_body_bytes: int) -> None:
        self.method: str = scope["method"]
        self._is_head = self.method == "HEAD"
        # The server looks at its own scope when it drops the body of a HEAD response, so the app gets another.
        self.scope: Scope = {**scope, "method": "GET"} if self._is_head else scope
        # Of two headers with one name, the first counts.
        self.request_headers: Mapping[bytes, bytes] = dict(reversed(scope["headers"]))
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._received_bytes = 0
        self.has_body_arrived = not self._expects_body()
        self.status: int | None = None
        self.response_bytes = 0
        self.deadline: asyncio.Timeout | None = None
        self.leave: Callable[[], None] | None = None
        self.is_closing = False
        self.is_head_answered = False
        self.request_id = ""

    def identify(self, trace_id: int) -> str:
        """Return the caller's request id if it is well-formed; otherwise the trace's, so that one id finds both."""
        given = self.request_headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else f"{trace_id:032x}"
        self.scope["request_id"] = self.request_id
        return self.request_id

    def check(self) -> None:
        """Refuse what no route accepts.

        Raises:
            Problem: 400, 404 or 413.
        """
        raw_path: bytes = self.scope.get("raw_path", b"")
        if b"%" in raw_path:
            if b"%00" in raw_path or "\ufffd" in self.scope["path"]:
                raise bad_request("the path is not percent-encoded UTF-8 without NUL")
            # Decoded, it would act as a separator and select another route than the one that the load balancer chose.
            if b"%2f" in raw_path.lower():
                raise not_found()
        length = self.request_headers.get(b"content-length", b"0")
        if len(length) > 18 or int(length) > self._max_body_bytes:
            raise self._too_large()

    def end(self) -> None:
        """Stop the deadline, so that it does not apply to a problem that is still to be sent."""
        self.deadline = None
        self._leave()

    def _leave(self) -> None:
        if self.leave is not None:
            leave, self.leave = self.leave, None
            leave()

    async def receive(self) -> Message:
        """Receive from the client and count the body's bytes. Raises Problem 413 above the limit."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._received_bytes += len(message.get("body", b""))
            if self._received_bytes > self._max_body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                self.has_body_arrived = True
        return message

    async def send(self, message: Message) -> None:
        """Send to the client and count the body's bytes. Raises HeadAnswered to end the stream of a HEAD request."""
        if message["type"] == "http.response.start":
            self._start(message)
        elif message["type"] == "http.response.body":
            if self._is_head and message.get("more_body", False):
                self.is_head_answered = True
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                raise HeadAnswered
            self.response_bytes += len(message.get("body", b""))
        await self._send(message)

    async def send_problem(self, problem: Problem) -> None:
        """Send the problem, and close the connection if the request's body has not arrived.

        The rest of the body is read first, for a limited time: if a server closes while bytes are on their way, the
        connection is reset, and the client can lose the response (RFC 9112, section 9.6).
        """
        if self.has_body_arrived:
            await problem.response()(self.scope, self.receive, self.send)
            return
        self.is_closing = True
        await problem.response()(self.scope, self.receive, self._send_unfinished)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while (await self._receive()).get("more_body", False):
                    pass
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_unfinished(self, message: Message) -> None:
        """Send all of a response, but leave the connection open."""
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await self.send(message)

    def _start(self, message: Message) -> None:
        self.status = message["status"]
        if self.deadline is not None:
            self.deadline.reschedule(None)
        headers = [*message["headers"], *_ALWAYS, (b"x-request-id", self.request_id.encode())]
        given = {name.lower(): value for name, value in headers}
        if given.get(b"content-type", b"").startswith(_EVENT_STREAM):
            self._leave()
        if b"cache-control" not in given:
            headers.append(_NO_STORE)
        headers.extend(self.scope.get("response_headers", ()))
        if self.is_closing:
            headers.append(_CLOSE)
        message["headers"] = headers

    def _expects_body(self) -> bool:
        return self.request_headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.request_headers

    def _too_large(self) -> Problem:
        return content_too_large(self._max_body_bytes)


class RequestMiddleware:
    """The outermost layer of a service's app.

    Args:
        allowed_methods: the methods that some route has at a scope's path; empty where there is no route.
        quiet_paths: the health checks' paths: no log line, no metrics, no load shedding.
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
        guard = RequestGuard(scope, receive, send, max_body_bytes=self._settings.max_body_bytes)
        guard.is_closing = self._health.is_draining
        span, context = telemetry.start_span(scope["method"], SpanKind.SERVER, _caller(guard))
        token = otel_context.attach(context)
        bound = bind(request_id=guard.identify(span.get_span_context().trace_id))
        started = time.perf_counter()
        _active.add(1)
        try:
            await self._answer(guard)
        finally:
            _active.add(-1)
            self._record(guard, span, time.perf_counter() - started)
            unbind(bound)
            otel_context.detach(token)
            span.end()

    async def _answer(self, guard: RequestGuard) -> None:
        """Let the app answer; whatever it raises before its response has started becomes a problem."""
        try:
            await self._run(guard)
        except asyncio.CancelledError:
            if guard.status is not None:
                raise
            # At the end of a stop the server cancels the requests in flight. This one may still answer.
            await guard.send_problem(unavailable("the task is stopping; try again"))
        except Exception as error:
            if guard.is_head_answered:
                return
            if guard.status is not None:
                # The response has started: the server closes the connection, which shows the client that it is broken.
                raise
            await self._answer_failure(guard, error)

    async def _run(self, guard: RequestGuard) -> None:
        guard.check()
        is_quiet = guard.scope["path"] in self._quiet_paths
        if self._in_flight >= self._settings.max_concurrent_requests and not is_quiet:
            raise unavailable("too many requests at the same time")
        self._in_flight += 1
        guard.leave = self._leave
        deadline = asyncio.timeout(self._settings.request_timeout_seconds)
        try:
            async with deadline:
                guard.deadline = deadline
                await self._app(guard.scope, guard.receive, guard.send)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise self._too_late(guard) from None
        finally:
            guard.end()

    def _leave(self) -> None:
        self._in_flight -= 1

    def _too_late(self, guard: RequestGuard) -> Problem:
        if guard.has_body_arrived:
            return timed_out(self._settings.request_timeout_seconds)
        return Problem(408, "request-timeout", detail="the request's body did not arrive in time")

    async def _answer_failure(self, guard: RequestGuard, error: Exception) -> None:
        allowed = self._allowed_methods(guard.scope)
        if guard.method == "OPTIONS" and allowed:
            options = Response(status_code=204, headers={"Allow": ", ".join(sorted(allowed))})
            await options(guard.scope, guard.receive, guard.send)
            return
        try:
            problem = problem_of(error, allowed)
        except ClientGone:
            guard.status = CLIENT_CLOSED_REQUEST
            return
        await guard.send_problem(problem)

    def _record(self, guard: RequestGuard, span: Span, seconds: float) -> None:
        scope = guard.scope
        if scope["path"] in self._quiet_paths:
            return
        route = getattr(scope.get("route"), "path_format", None)
        status = guard.status or CLIENT_CLOSED_REQUEST
        if telemetry.is_exporting():
            _measure(guard.method, route, status, scope, span, seconds)
        if access_logger.isEnabledFor(logging.INFO):
            access_logger.info(
                "%s %s %d", guard.method, scope["path"], status, extra=_access_members(guard, route, seconds)
            )


def _access_members(guard: RequestGuard, route: str | None, seconds: float) -> dict[str, Any]:
    scope = guard.scope
    members: dict[str, Any] = {
        "action": "http_request",
        "method": guard.method,
        "path": scope["path"],
        "route": route,
        "status": guard.status or CLIENT_CLOSED_REQUEST,
        "duration_ms": round(seconds * 1000, 2),
        "response_bytes": guard.response_bytes,
        "client": scope["client"][0] if scope.get("client") else None,
    }
    if "principal" in scope:
        members["user_id"] = str(scope["principal"].user_id)
    return members


def _measure(method: str, route: str | None, status: int, scope: Scope, span: Span, seconds: float) -> None:
    """Record names and attributes of OpenTelemetry's semantic conventions for HTTP."""
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


def _caller(guard: RequestGuard) -> Any:
    traceparent = guard.request_headers.get(b"traceparent")
    if traceparent is None:
        return None
    headers = {telemetry.TRACEPARENT: traceparent.decode("latin-1")}
    if state := guard.request_headers.get(b"tracestate"):
        headers[telemetry.TRACESTATE] = state.decode("latin-1")
    return telemetry.extract(headers)
