"""Periodic work of the worker. Several processes may run it: a batch skips rows that another has locked."""

from typing import Final

from inventory import use_cases
from inventory.settings import InventorySettings
from inventory.use_cases import Terms
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.lifecycle import Periodic

BATCH_HOLDS: Final = 100


def sweepers(settings: InventorySettings, terms: Terms) -> tuple[Periodic, ...]:
    async def release_expired_holds(database: Database) -> None:
        released = BATCH_HOLDS
        while released == BATCH_HOLDS:
            async with database.unit_of_work() as uow:
                released = await use_cases.release_expired_holds(uow, terms, limit=BATCH_HOLDS)

    interval = settings.inventory_sweep_interval_seconds
    return (Periodic(name="release_expired_holds", every_seconds=interval, run=release_expired_holds),)
