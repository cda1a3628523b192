"""The worker process of orders, which consumes its queue and runs the sweeper: `python -m orders.worker`."""

from orders.consumers import HANDLERS
from orders.settings import OrdersSettings
from orders.sweepers import sweepers
from platform_sdk.runtime.lifecycle import Worker, run_worker
from platform_sdk.runtime.process.settings import load_settings


def build_worker() -> Worker:
    settings = load_settings(OrdersSettings)
    return Worker(
        settings=settings,
        handlers=HANDLERS,
        periodic=sweepers(settings),
        # A handler locks the one order of its message, so messages can share a transaction. The exceptions (a user's
        # orders, two messages of one order in two processes) end at worst in a deadlock, which splits the batch.
        messages_per_transaction=10,
    )


if __name__ == "__main__":
    run_worker(build_worker)
