import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from platform_sdk.runtime.process.telemetry import consumer_span, current_trace_headers, extract, start_span

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


def test_a_valid_traceparent_is_accepted() -> None:
    context = extract({"traceparent": TRACEPARENT, "tracestate": "vendor=1"})
    assert context is not None
    assert (f"{context.trace_id:032x}", f"{context.span_id:016x}") == (TRACE, SPAN)
    assert context.trace_flags.sampled
    assert context.trace_state.get("vendor") == "1"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        TRACEPARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_is_ignored(header: str) -> None:
    assert extract({"traceparent": header}) is None


def test_trace_context_exists_although_nothing_is_exported() -> None:
    span, _ = start_span("GET", SpanKind.SERVER, None)
    assert span.get_span_context().is_valid
    assert not span.is_recording()


def test_a_trace_continues_from_message_to_message() -> None:
    assert current_trace_headers() == {}
    with consumer_span("inventory send", {"traceparent": TRACEPARENT}):
        sent = current_trace_headers()
    assert sent["traceparent"].split("-")[1] == TRACE
    assert sent["traceparent"].split("-")[2] != SPAN
    with consumer_span("inventory process", sent, links=[{"traceparent": TRACEPARENT}, {}]):
        assert current_trace_headers()["traceparent"].split("-")[1] == TRACE
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_failed_handler_leaves_no_span_behind() -> None:
    with pytest.raises(ZeroDivisionError), consumer_span("inventory process"):
        raise ZeroDivisionError
    assert current_trace_headers() == {}


def test_without_a_collector_the_sdk_and_other_heavy_libraries_are_not_even_imported() -> None:
    program = (
        "import sys, platform_sdk.runtime.lifecycle, platform_sdk.runtime.http.app\n"
        "heavy = {'opentelemetry.sdk', 'redis', 'aiohttp', 'aiobotocore', 'jwt', 'cryptography', 'botocore'}\n"
        "print(*heavy & sys.modules.keys())"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert outcome.stdout.split() == []
