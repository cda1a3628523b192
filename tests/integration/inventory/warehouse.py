"""A migrated inventory database, and what the tests ask of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from inventory import model, use_cases
from inventory.consumers import handlers
from inventory.events import OrderCancelled, OrderedItem, OrderExpired, OrderPlaced, OrderRefunded, OrderReserved
from inventory.use_cases import Terms
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.messaging.messages import Event, Message

MIGRATIONS = Path(__file__).parents[3] / "services" / "inventory" / "migrations"


@dataclass(frozen=True)
class Warehouse:
    database: Database
    terms: Terms = field(default_factory=Terms)

    async def stock_item(self, sku: str, stock: int, *, price: int = 100, currency: str = "EUR") -> None:
        async with self.database.unit_of_work() as uow:
            await use_cases.create_item(uow, sku=sku, name=f"Item {sku}", price=price, currency=currency)
            if stock:
                await use_cases.adjust_stock(uow, self.terms, sku, delta=stock, reason="delivery")

    async def handle(self, event: Event) -> None:
        """As the consumer does: one message, one transaction."""
        async with self.database.unit_of_work() as uow:
            await handlers(self.terms)[type(event)](uow, event, message_of(event))

    async def sweep(self) -> int:
        async with self.database.unit_of_work() as uow:
            return await use_cases.release_expired_holds(uow, self.terms, limit=1_000)

    async def let_hold_expire(self, order_id: UUID) -> None:
        await self.execute(
            "UPDATE reservations SET expires_at = now() - interval '1 s' WHERE order_id = $1 AND status = 'held'",
            order_id,
        )

    async def execute(self, sql: str, *arguments: object) -> None:
        async with self.database.unit_of_work() as uow:
            await uow.execute(sql, *arguments)

    async def stock_of(self, sku: str) -> tuple[int, int, int]:
        """(available, reserved, sold)"""
        async with self.database.reader() as reader:
            row = await reader.fetch_row("SELECT available, reserved, sold FROM stock WHERE sku = $1", sku)
        assert row is not None
        return row["available"], row["reserved"], row["sold"]

    async def status_of(self, order_id: UUID) -> str | None:
        async with self.database.reader() as reader:
            status: str | None = await reader.fetch_value(
                "SELECT status FROM reservations WHERE order_id = $1", order_id
            )
        return status

    async def statuses(self) -> Counter[str]:
        async with self.database.reader() as reader:
            return Counter(row["status"] for row in await reader.fetch("SELECT status FROM reservations"))

    async def published(self, kind: str = "%", order_id: UUID | None = None) -> list[dict[str, Any]]:
        """Published messages: their type as `type`, and their data."""
        sql = "SELECT type, payload FROM outbox WHERE type LIKE $1 AND ($2::text IS NULL OR payload->>'order_id' = $2)"
        async with self.database.reader() as reader:
            rows = await reader.fetch(f"{sql} ORDER BY seq", kind, str(order_id) if order_id else None)
        return [{"type": row["type"]} | row["payload"] for row in rows]

    async def assert_ledger_agrees(self) -> None:
        async with self.database.reader() as reader:
            assert await model.ledger_discrepancies(reader) == []


def placed(items: Mapping[str, int], *, order_id: UUID | None = None, currency: str | None = None) -> OrderPlaced:
    lines = tuple(OrderedItem(sku=sku, quantity=quantity) for sku, quantity in items.items())
    return OrderPlaced(order_id=order_id or uuid4(), items=lines, currency=currency)


GIVE_BACK = {"cancelled": OrderCancelled, "expired": OrderExpired, "refunded": OrderRefunded}


def event_of(step: str, order_id: UUID, items: Mapping[str, int]) -> Event:
    """The message of orders that is meant by `placed`, `reserved`, `cancelled`, `expired` or `refunded`."""
    if step == "placed":
        return placed(items, order_id=order_id)
    if step == "reserved":
        return OrderReserved(order_id=order_id)
    return GIVE_BACK[step](order_id=order_id)


def message_of(event: Event) -> Message:
    return Message(
        id=uuid4(),
        type=event.type,
        version=event.version,
        source="orders",
        occurred_at=datetime.now(UTC),
        aggregate_id=str(uuid4()),
        aggregate_version=1,
        correlation_id="test",
        causation_id=None,
        data=event.model_dump(mode="json"),
    )
