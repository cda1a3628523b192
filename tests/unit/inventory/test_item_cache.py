"""What the cache may remember of an item while the item changes."""

import asyncio
from typing import Any

from inventory.item_cache import ItemCache
from platform_sdk.runtime.cache import Cache


class CacheInMemory(Cache):
    """Redis's SET with NX, and GET; nothing expires."""

    def __init__(self) -> None:
        super().__init__(None, prefix="")
        self.values: dict[str, Any] = {}

    async def get_json(self, key: str) -> Any | None:
        return self.values.get(key)

    async def set_json(self, key: str, value: Any, ttl_seconds: float, *, only_if_absent: bool = False) -> None:
        if not (only_if_absent and key in self.values):
            self.values[key] = value


async def test_stored_item_is_found() -> None:
    items = ItemCache(CacheInMemory(), entry_seconds=2)
    assert (await items.find("CUP")).may_store

    await items.store("CUP", {"available": 3})

    assert (await items.find("CUP")).body == {"available": 3}


async def test_change_removes_an_entry_and_keeps_late_readers_from_restoring_it() -> None:
    items = ItemCache(CacheInMemory(), entry_seconds=2)
    await items.store("CUP", {"available": 3})

    await items.mark_changing(["CUP", "POT"])
    await items.store("CUP", {"available": 3})

    for sku in ("CUP", "POT"):
        found = await items.find(sku)
        assert (found.body, found.may_store) == (None, False)


async def test_change_is_marked_soon_after_a_commit_that_does_not_wait() -> None:
    items = ItemCache(CacheInMemory(), entry_seconds=2)
    await items.store("CUP", {"available": 3})

    items.items_changed(["CUP"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert (await items.find("CUP")).body is None


async def test_without_redis_every_read_is_a_miss() -> None:
    items = ItemCache(Cache(None, prefix=""), entry_seconds=2)
    await items.store("CUP", {"available": 3})
    assert (await items.find("CUP")).body is None


async def test_closing_sets_the_marks_that_are_on_their_way() -> None:
    cache = CacheInMemory()
    items = ItemCache(cache, entry_seconds=2)
    await items.store("CUP", {"available": 3})

    items.items_changed(["CUP"])
    await items.close()

    assert cache.values == {"item:CUP": False}
