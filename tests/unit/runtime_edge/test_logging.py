import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from platform_sdk.runtime.process.logging import MASK, MAX_LINE_BYTES, OncePerInterval, bound, configure_logging
from platform_sdk.runtime.process.telemetry import consumer_span
from tests.unit.runtime_edge.edge_settings import settings

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Logging as a process configures it, into a buffer; what pytest configured comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    buffer = io.StringIO()
    configure_logging(settings(service_version="1.2.3"), buffer)
    yield lambda: [orjson.loads(line) for line in buffer.getvalue().rstrip("\n").split("\n")]
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_line_has_the_platforms_members(lines: Lines) -> None:
    logging.getLogger("shop").info("order %s placed", "o-1", extra={"action": "order_placed", "quantity": 2})
    (line,) = lines()
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "shop",
        "message": "order o-1 placed",
        "service": "shop",
        "version": "1.2.3",
        "environment": "test",
        "action": "order_placed",
        "quantity": 2,
    }


def test_a_line_carries_the_ids_of_what_it_belongs_to(lines: Lines) -> None:
    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with bound(message_id="m-1"), consumer_span("inventory process", headers):
        logging.getLogger("shop").warning("late")
    logging.getLogger("shop").warning("later")
    inside, outside = lines()
    assert inside["message_id"] == "m-1"
    assert inside["trace_id"] == "a" * 32
    assert len(inside["span_id"]) == 16
    assert not {"message_id", "trace_id"} & outside.keys()


@pytest.mark.parametrize("name", ["password", "new_password", "Authorization", "access_token", "api_key", "set_cookie"])
def test_a_member_that_is_named_like_a_secret_is_masked(lines: Lines, name: str) -> None:
    logging.getLogger("shop").info("x", extra={name: "hunter2", "wrapped": SecretStr("hunter3")})
    assert lines()[0][name] == MASK
    assert "hunter" not in str(lines())


def test_a_value_cannot_forge_a_line(lines: Lines) -> None:
    logging.getLogger("shop").info("name is %s", 'x"}\n{"level":"error"', extra={"path": "\r\n\u2028"})
    (line,) = lines()
    assert line["level"] == "info"


def test_a_value_that_is_not_utf_8_or_too_big_is_logged_anyway(lines: Lines) -> None:
    logging.getLogger("shop").info("name is %s", "\ud800", extra={"count": 2**70, "self": logging})
    assert lines()[0]["message"] == "name is \\ud800"


def test_an_exception_is_one_line_with_its_traceback(lines: Lines) -> None:
    try:
        raise ZeroDivisionError("nothing")
    except ZeroDivisionError:
        logging.getLogger("shop").exception("failed")
    (line,) = lines()
    assert line["error_type"] == "ZeroDivisionError"
    assert line["traceback"].startswith("Traceback")


def test_uvicorns_logs_are_lines_too_and_its_access_log_is_silent(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").info("Uvicorn running", extra={"color_message": "\x1b[1m"})
    logging.getLogger("uvicorn.access").info("GET /")
    (line,) = lines()
    assert line["logger"] == "uvicorn.error"
    assert "color_message" not in line


def test_a_flood_is_let_through_once_in_an_interval() -> None:
    flood = OncePerInterval(seconds=3600)
    record = logging.makeLogRecord({"name": "exporter", "levelno": logging.ERROR})
    other = logging.makeLogRecord({"name": "exporter", "levelno": logging.WARNING})
    assert [flood.filter(record), flood.filter(record), flood.filter(other)] == [True, False, True]


def test_a_line_that_is_too_long_keeps_both_ends_of_its_long_values_and_says_so(lines: Lines) -> None:
    long = "first" + "\n" * 50_000 + "last"
    logging.getLogger("shop").info(long, extra={"action": "order_placed", "reasons": [long] * 3, "quantity": 2})
    (line,) = lines()
    assert len(orjson.dumps(line)) <= MAX_LINE_BYTES
    assert line["message"].startswith("first")
    assert line["message"].endswith("last")
    assert (line["truncated"], line["action"], line["quantity"], line["service"]) == (True, "order_placed", 2, "shop")


def test_a_long_traceback_keeps_its_end(lines: Lines) -> None:
    try:
        raise ValueError("x" * 2 * MAX_LINE_BYTES + " the reason")
    except ValueError:
        logging.getLogger("shop").exception("failed")
    (line,) = lines()
    assert line["error_type"] == "ValueError"
    assert line["traceback"].startswith("Traceback")
    assert line["traceback"].endswith("the reason\n")


def test_a_line_that_just_fits_is_left_alone(lines: Lines) -> None:
    logging.getLogger("shop").info("")
    room = MAX_LINE_BYTES - len(orjson.dumps(lines()[0]))
    logging.getLogger("shop").info("x" * room)
    logging.getLogger("shop").info("x" * (room + 1))
    _, fits, cut = lines()
    assert fits["message"] == "x" * room
    assert "truncated" not in fits
    assert cut["truncated"] is True
