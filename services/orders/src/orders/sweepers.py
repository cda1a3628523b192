"""Periodic work of the worker. Several processes may run it: a batch skips rows that another has locked."""

from orders import use_cases
from orders.settings import OrdersSettings
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.lifecycle import Periodic


async def expire_overdue_orders(database: Database) -> None:
    """Expire pending orders that inventory has not answered in time, in batches."""
    while True:
        async with database.unit_of_work() as uow:
            expired = await use_cases.expire_overdue(uow)
        if expired < use_cases.EXPIRE_BATCH_ORDERS:
            return


def sweepers(settings: OrdersSettings) -> tuple[Periodic, ...]:
    interval = settings.order_sweep_interval_seconds
    return (Periodic(name="expire_overdue_orders", every_seconds=interval, run=expire_overdue_orders),)
