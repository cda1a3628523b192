"""Logs: one JSON object per line on standard output, which the platform's log router reads.

Every line has `timestamp, level, logger, message, service, version, environment`, and, where they are known,
`request_id, message_id, trace_id, span_id`. The members of `extra=` are added; the member by which events are counted
is named `action`: `logger.info("order placed", extra={"action": "order_placed"})`.

A value cannot forge a line (JSON escapes line breaks), and a member whose name says that it is a secret is masked. In a
line that is too long the longest values are cut in the middle, and `truncated` is true.
"""

import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Any, Final

import orjson
from opentelemetry import trace

from platform_sdk.runtime.process.settings import ServiceSettings

MASK: Final = "**********"

MAX_LINE_BYTES: Final = 16_383
"""Without the line break. Docker and Fargate cut a longer line into pieces, none of which is JSON
(github.com/moby/moby, daemon/logger/copier.go)."""

_SHORTEST_CUT: Final = 64

_SECRET_NAME = re.compile(r"password|passwd|secret|authorization|cookie|api_?key|private_?key|(^|_)token$|jwt", re.I)
_STANDARD_MEMBERS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default={})  # noqa: B039 - never mutated


def bind(**members: str) -> Token[Mapping[str, str]]:
    """Add members to every line that this task, and the tasks it starts, log from here on, or until `unbind`."""
    return _context.set({**_context.get(), **members})


def unbind(token: Token[Mapping[str, str]]) -> None:
    """Undo the `bind` that returned this token."""
    _context.reset(token)


@contextmanager
def bound(**members: str) -> Iterator[None]:
    """Add members to every line that is logged inside the block."""
    token = bind(**members)
    try:
        yield
    finally:
        unbind(token)


def configure_logging(settings: ServiceSettings, stream: IO[str] | None = None) -> None:
    """Send all logs of the process, uvicorn's and the libraries' too, to `stream` (standard output) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(settings))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "alembic"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    # The middleware writes the access line; these would add noise to every request or call.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("aiohttp.access", "botocore", "asyncio", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("opentelemetry").addFilter(OncePerInterval(seconds=60))
    logging.captureWarnings(True)
    _skip_caller()


def _skip_caller() -> None:
    # No line names its file, thread or task; finding them is a third of the cost of a line
    # (docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class OncePerInterval(logging.Filter):
    """Lets one record of each logger and level through in `seconds`, so that an outage does not flood the log."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log the record, by its logger and level alone."""
        key, now = (record.name, record.levelno), time.monotonic()
        if now - self._last.get(key, -self._seconds) < self._seconds:
            return False
        self._last[key] = now
        return True


class JsonFormatter(logging.Formatter):
    """Turns a record into one JSON line; see the module for the members."""

    def __init__(self, settings: ServiceSettings) -> None:
        super().__init__()
        self._constant = {
            "service": settings.service_name,
            "version": settings.service_version,
            "environment": settings.environment,
        }

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON, with secrets masked by their names."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._constant,
            **_context.get(),
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = f"{span.trace_id:032x}"
            line["span_id"] = f"{span.span_id:016x}"
        for name, value in vars(record).items():
            if name not in _STANDARD_MEMBERS:
                line[name] = MASK if _is_secret(name) else value
        if record.exc_info and record.exc_info[0] is not None:
            line["error_type"] = record.exc_info[0].__name__
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        if record.stack_info:
            line["stack"] = record.stack_info
        return _dump(line)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _dump(line: dict[str, Any]) -> str:
    encoded = _encode(line)
    return (encoded if len(encoded) <= MAX_LINE_BYTES else _encode_shortened(line)).decode()


def _encode(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        # Lone surrogates, integers above 64 bits, cycles: the line must be written anyway.
        readable = {name: str(value).encode("utf-8", "backslashreplace").decode() for name, value in line.items()}
        return orjson.dumps(readable)


def _encode_shortened(line: dict[str, Any]) -> bytes:
    limit = MAX_LINE_BYTES
    encoded = b""
    while limit > _SHORTEST_CUT and not 0 < len(encoded) <= MAX_LINE_BYTES:
        limit //= 2
        encoded = _encode({**{name: _cut(value, limit) for name, value in line.items()}, "truncated": True})
    return encoded


def _cut(value: object, limit: int) -> object:
    """Return the value itself, or the beginning and the end of its text: a traceback says at its end what happened."""
    text = value if isinstance(value, str) else str(value)
    return value if len(text) <= limit else f"{text[: limit // 2]} … {text[-(limit // 2) :]}"
