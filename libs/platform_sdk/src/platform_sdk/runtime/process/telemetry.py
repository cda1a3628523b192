"""Traces and metrics: the OpenTelemetry API always, its SDK only where a collector is configured.

Trace context is W3C (traceparent, tracestate) and exists even when nothing is exported, so that the logs of one request
share a trace id across services and queues. With `otlp_endpoint` the SDK exports over OTLP/HTTP from its own threads,
out of bounded queues: a collector that is slow or away costs spans, never requests.
"""

import random
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from platform_sdk.runtime.process.settings import ServiceSettings

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_EXPORT_TIMEOUT_SECONDS = 5
_FLUSH_TIMEOUT_SECONDS = 2.0

tracer = trace.get_tracer("platform_sdk")
meter = metrics.get_meter("platform_sdk")


class _Export:
    """Whether spans and metrics leave this process; attributes are only gathered if they do."""

    is_on = False
    shutdowns: Sequence[Any] = ()


def is_exporting() -> bool:
    """Return whether spans and metrics leave this process. Callers skip what is costly to gather."""
    return _Export.is_on


def configure_telemetry(settings: ServiceSettings) -> None:
    """Start exporting if `settings.otlp_endpoint` is set; otherwise import nothing."""
    if settings.otlp_endpoint is None or _Export.is_on:
        return
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {
            "service.name": settings.service_name,
            "service.version": settings.service_version,
            "service.instance.id": socket.gethostname(),
            "deployment.environment.name": settings.environment,
        }
    )
    base = settings.otlp_endpoint.rstrip("/")
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces", timeout=_EXPORT_TIMEOUT_SECONDS), max_queue_size=2048)
    )
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(f"{base}/v1/metrics", timeout=_EXPORT_TIMEOUT_SECONDS), export_interval_millis=30_000
    )
    measures = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(measures)
    _Export.is_on, _Export.shutdowns = True, (traces, measures)


def stop_telemetry() -> None:
    """Send what is left, for at most two seconds; drop the rest."""
    # The exporters retry a missing collector for longer than a stop may take, so daemon threads do the waiting.
    threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in _Export.shutdowns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_FLUSH_TIMEOUT_SECONDS / len(threads))
    _Export.is_on, _Export.shutdowns = False, ()


def extract(headers: Mapping[str, str]) -> SpanContext | None:
    """Return the caller's span, if the headers (names in lower case) hold a valid one (W3C Trace Context, 3.2)."""
    match = _TRACEPARENT.fullmatch(headers.get(TRACEPARENT, ""))
    if match is None:
        return None
    state = headers.get(TRACESTATE)
    return SpanContext(
        int(match[1], 16),
        int(match[2], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(match[3], 16) & TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([state]) if state else None,
    )


def current_trace_headers() -> dict[str, str]:
    """Return the current span as W3C headers, for an outgoing request or message; empty if there is none."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    headers = {TRACEPARENT: f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags):02x}"}
    if span.trace_state:
        headers[TRACESTATE] = span.trace_state.to_header()
    return headers


def start_span(
    name: str, kind: SpanKind, parent: SpanContext | None, links: Sequence[SpanContext] = ()
) -> tuple[Span, otel_context.Context]:
    """Return a span below `parent` (a new trace without one), and the context in which it is the current span.

    When nothing is exported it is only a pair of ids, yet a valid one. The caller ends the span.
    """
    if _Export.is_on:
        above = trace.set_span_in_context(NonRecordingSpan(parent)) if parent else otel_context.Context()
        span = tracer.start_span(name, above, kind, links=[Link(link) for link in links])
    else:
        span = NonRecordingSpan(_new_span_context(parent))
    return span, trace.set_span_in_context(span)


@contextmanager
def consumer_span(
    name: str, headers: Mapping[str, str] | None = None, links: Iterable[Mapping[str, str]] = ()
) -> Iterator[Span]:
    """Open a span around handling: one message is its parent (`headers`), the messages of a batch are its `links`."""
    contexts = [context for context in map(extract, links) if context is not None]
    span, context = start_span(name, SpanKind.CONSUMER, extract(headers or {}), contexts)
    token = otel_context.attach(context)
    try:
        yield span
    except Exception as error:
        fail(span, error)
        raise
    finally:
        otel_context.detach(token)
        span.end()


def fail(span: Span, error: Exception) -> None:
    """Mark a span as failed; the class of the error only, because messages may hold what must not leave."""
    if _Export.is_on:
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(Status(StatusCode.ERROR))


def _new_span_context(parent: SpanContext | None) -> SpanContext:
    # Ids must be unique, not secret; `secrets` would be a system call for each.
    span_id = random.getrandbits(64) or 1
    if parent is not None:
        return SpanContext(parent.trace_id, span_id, False, parent.trace_flags, parent.trace_state)
    return SpanContext(random.getrandbits(128) or 1, span_id, is_remote=False)
