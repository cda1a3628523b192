"""The worker process of orders, which consumes its queue and sweeps: `python -m orders.worker`."""

from orders.consumers import HANDLERS
from orders.settings import OrdersSettings
from orders.sweepers import sweepers
from platform_sdk.runtime.lifecycle import run_worker
from platform_sdk.runtime.settings import load_settings


def main() -> None:
    settings = load_settings(OrdersSettings)
    run_worker(settings, HANDLERS, sweepers(settings))


if __name__ == "__main__":
    main()
