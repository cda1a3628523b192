"""Settings of the inventory service: those of every service, and its own limits. Read once, when a process starts."""

from pydantic import Field

from platform_sdk.runtime.process.settings import ServiceSettings


class InventorySettings(ServiceSettings):
    """Environment variables carry the same names in capitals, for example INVENTORY_HOLD_SECONDS."""

    inventory_hold_seconds: float = Field(default=900, gt=0, le=86_400)
    """How long stock is held for an order that does not ask to commit it."""
    inventory_sweep_interval_seconds: float = Field(default=5, gt=0)
    """How often each worker process looks for holds that have expired."""
    inventory_low_stock_threshold: int = Field(default=5, ge=0)
    """`stock.low` is published when what is available falls to this many units, or below."""
    inventory_item_cache_seconds: float = Field(default=2, gt=0, le=60)
    """How long an item may be answered from the cache, should its invalidation be lost."""
