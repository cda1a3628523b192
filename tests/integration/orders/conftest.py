"""A database of the orders service, migrated as a task migrates it, and what the tests do with it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from orders import model, use_cases
from orders.consumers import HANDLERS
from orders.model import Draft, Item, Order
from platform_sdk.runtime.database.migrate import migrate
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.messaging.messages import Event, Message, new_id
from tests.integration.orders.serving import Api, serve, settings
from tests.support.databases import Databases

MIGRATIONS = Path(__file__).parents[3] / "services" / "orders" / "migrations"


class OrdersDatabase:
    """The service's own database, used below HTTP: places orders, hands over messages, reads what came of it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def place(self, *skus: str, user_id: UUID | None = None, lifetime: timedelta = timedelta(minutes=15)) -> UUID:
        draft = Draft(
            order_id=new_id(),
            user_id=user_id or uuid4(),
            items=tuple(Item(sku=sku, quantity=1) for sku in skus or ("TEA",)),
            currency=None,
            address_id=None,
            note=None,
        )
        async with self.database.unit_of_work() as uow:
            await use_cases.place_order(uow, draft, lifetime)
        return draft.order_id

    async def deliver(self, event: Event, *, aggregate_version: int = 1) -> None:
        """Handles one message without the inbox in front: duplicates reach the handler."""
        async with self.database.unit_of_work() as uow:
            await HANDLERS[type(event)](uow, event, message_of(event, aggregate_version=aggregate_version))

    async def order(self, order_id: UUID) -> Order:
        async with self.database.reader() as reader:
            order = await model.find(reader, order_id, None)
        assert order is not None
        return order

    async def published(self, order_id: UUID) -> list[tuple[str, int]]:
        """Type and aggregate version of the order's messages, in the order in which they were written."""
        async with self.database.reader() as reader:
            rows = await reader.fetch(
                "SELECT type, aggregate_version FROM outbox WHERE aggregate_id = $1 ORDER BY seq", str(order_id)
            )
        return [(row["type"], row["aggregate_version"]) for row in rows]


def message_of(event: Event, *, aggregate_id: UUID | None = None, aggregate_version: int = 1) -> Message:
    return Message(
        id=new_id(),
        type=event.type,
        version=event.version,
        source=event.type.split(".")[0],
        occurred_at=datetime.now(UTC),
        aggregate_id=str(aggregate_id or uuid4()),
        aggregate_version=aggregate_version,
        correlation_id="test",
        causation_id=None,
        data=event.model_dump(mode="json"),
    )


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    async with databases.copy_of("orders", lambda url: migrate(url, None, MIGRATIONS)) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, service_name="orders")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def orders(database: Database) -> OrdersDatabase:
    return OrdersDatabase(database)


@pytest.fixture
async def api(database: Database, database_url: str) -> AsyncIterator[Api]:
    async with serve(settings(database_url)) as api:
        yield api
