"""Start a worker process, which handles messages and releases expired holds: `python -m inventory.worker`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inventory.consumers import handlers
from inventory.item_cache import ItemCache
from inventory.settings import InventorySettings
from inventory.sweepers import sweepers
from inventory.use_cases import Terms
from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.lifecycle import Worker, run_worker
from platform_sdk.runtime.process.settings import load_settings


def build_worker() -> Worker:
    settings = load_settings(InventorySettings)
    items = ItemCache(Cache.from_settings(settings), settings.inventory_item_cache_seconds)
    terms = Terms.of(settings, items.items_changed)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        yield
        await items.close()

    return Worker(
        settings=settings,
        handlers=handlers(terms),
        periodic=sweepers(settings, terms),
        # A handler locks its order's SKUs in sorted order; the SKUs of several orders together would be in none, and
        # two such transactions would soon meet in a deadlock. A hot SKU would also stay locked for longer.
        messages_per_transaction=1,
        lifespan=lifespan,
    )


if __name__ == "__main__":
    run_worker(build_worker)
