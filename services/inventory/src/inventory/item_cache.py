"""Cache items in Redis, to save database reads.

An entry lives for a few seconds. A change of an item, its price or its stock replaces the entry with a mark. While the
mark is there, readers use the database. A reader that read before the change cannot store its old answer, because
entries are only set where there is none. Without Redis, each read uses the database. A lost mark can cause old answers
only for the few seconds that an entry lives.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from platform_sdk.runtime.cache import Cache

MARK_SECONDS: Final = 2.0
"""Longer than a reader takes from its database read to storing it; every change sets the mark again when it commits."""

_MARK: Final = False
_marking: Final[set[asyncio.Task[None]]] = set()


@dataclass(frozen=True, slots=True)
class Cached:
    """What the cache has: the item's body, or None; `may_store` is False while the item is changing."""

    body: dict[str, Any] | None
    may_store: bool


@dataclass(frozen=True, slots=True)
class ItemCache:
    """Bodies of items by SKU, for `entry_seconds` each."""

    cache: Cache
    entry_seconds: float

    async def find(self, sku: str) -> Cached:
        stored = await self.cache.get_json(_key(sku))
        return Cached(stored if isinstance(stored, dict) else None, may_store=stored is not _MARK)

    async def store(self, sku: str, body: dict[str, Any]) -> None:
        await self.cache.set_json(_key(sku), body, self.entry_seconds, only_if_absent=True)

    async def mark_changing(self, skus: Collection[str]) -> None:
        """Await this before a change whose author may read the item right after the commit."""
        await asyncio.gather(*(self.cache.set_json(_key(sku), _MARK, MARK_SECONDS) for sku in skus))

    def items_changed(self, skus: Collection[str]) -> None:
        """Mark the items soon. For `UnitOfWork.on_commit`, which cannot wait."""
        task = asyncio.get_running_loop().create_task(self.mark_changing(skus))
        _marking.add(task)
        task.add_done_callback(_marking.discard)

    async def close(self) -> None:
        """Wait for pending marks and close the connection."""
        await asyncio.gather(*_marking, return_exceptions=True)
        await self.cache.close()


def _key(sku: str) -> str:
    return f"item:{sku}"
