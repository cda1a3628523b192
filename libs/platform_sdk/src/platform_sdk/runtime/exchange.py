"""One request and its response, as the middleware sees them go by.

It watches what passes and keeps the limits: it counts the body as it arrives, ends the clock when the response starts,
adds the headers that every response has, and answers HEAD like GET without the body.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from platform_sdk.runtime.problems import Problem, bad_request, content_too_large, not_found

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~-]{8,128}")

_ALWAYS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
]
_NO_STORE: Final = (b"cache-control", b"no-store")
_EVENT_STREAM: Final = b"text/event-stream"
_CLOSE: Final = (b"connection", b"close")


class HeadAnswered(OSError):
    """A HEAD request has its answer; raised into whoever still writes a body for it. An OSError, because that is how
    Starlette recognises a client that does not listen any more."""


class Exchange:
    """The request's `receive` and `send`, wrapped.

    Attributes:
        scope: for the app; a HEAD request is a GET there.
        method: as the client sent it.
        status: of the response, once it has started.
        response_bytes: of the body so far.
        deadline: the clock that stops when the response starts.
        leave: gives back the place among the requests in flight; called once, when the response ends or turns out to
            be an event stream, which lasts as long as its client likes and is bounded by whoever serves it.
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
        # The first one wins: of two X-Request-Id headers, or of two traceparents, neither is better.
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
        """The caller's request id if it is a decent one; otherwise the trace's, so that one word finds both."""
        given = self.request_headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else f"{trace_id:032x}"
        self.scope["request_id"] = self.request_id
        return self.request_id

    def check(self) -> None:
        """Refuses what no route could want.

        Raises:
            Problem: 400, 404 or 413.
        """
        raw_path: bytes = self.scope.get("raw_path", b"")
        if b"%" in raw_path:
            if b"%00" in raw_path or "\ufffd" in self.scope["path"]:
                raise bad_request("the path is not percent-encoded UTF-8 without NUL")
            # Decoded, it would look like a separator, and choose another route than the load balancer saw.
            if b"%2f" in raw_path.lower():
                raise not_found()
        length = self.request_headers.get(b"content-length", b"0")
        if len(length) > 18 or int(length) > self._max_body_bytes:
            raise self._too_large()

    def end(self) -> None:
        """The app has done its part, well or badly; a problem that is still to be sent has no deadline."""
        self.deadline = None
        self._give_up_place()

    def _give_up_place(self) -> None:
        if self.leave is not None:
            leave, self.leave = self.leave, None
            leave()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received_bytes += len(message.get("body", b""))
            if self._received_bytes > self._max_body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                self.has_body_arrived = True
        return message

    async def send(self, message: Message) -> None:
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
        if not self.has_body_arrived:
            # What is left of the body would be read as the next request.
            self.is_closing = True
        await problem.response()(self.scope, self.receive, self.send)

    def _start(self, message: Message) -> None:
        self.status = message["status"]
        if self.deadline is not None:
            self.deadline.reschedule(None)
        headers = [*message["headers"], *_ALWAYS, (b"x-request-id", self.request_id.encode())]
        given = {name.lower(): value for name, value in headers}
        if given.get(b"content-type", b"").startswith(_EVENT_STREAM):
            self._give_up_place()
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
