"""Settings of the orders service: those of every service, and its own limits. Read once, when a process starts."""

from pydantic import Field

from platform_sdk.runtime.process.settings import ServiceSettings


class OrdersSettings(ServiceSettings):
    """Environment variables carry the same names in capitals, for example ORDER_PENDING_TIMEOUT_SECONDS."""

    order_pending_timeout_seconds: float = Field(default=900, gt=0)
    """A pending order that inventory has not answered for this long expires."""
    order_sweep_interval_seconds: float = Field(default=15, gt=0)
    """How often each worker process looks for orders that have expired."""
    order_max_wait_seconds: float = Field(default=10, ge=0, le=20)
    """The longest `Prefer: wait` and `?wait` that is honoured; longer wishes are shortened to it."""
    order_watch_interval_seconds: float = Field(default=0.05, ge=0.01, le=1)
    """How often the versions of watched orders are read while somebody waits."""
    order_max_streams: int = Field(default=100, ge=0)
    """Live streams that one process serves at once; more are answered 503. They do not count as requests in flight."""
    order_stream_heartbeat_seconds: float = Field(default=15, gt=0)
    """A comment line after this much silence, so that proxies and clients keep the stream open."""
    order_stream_seconds: float = Field(default=900, gt=0)
    """A stream ends after this long, as the access token that opened it does; clients resume with Last-Event-ID."""
