"""Every order in which the messages of one saga can arrive, with duplicates, against a model of a few lines."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from tests.integration.inventory.warehouse import Warehouse, event_of

ITEMS = {"CUP": 2, "POT": 1}
STOCK = 1_000

NEXT = {
    ("placed", None): "held",
    ("reserved", "held"): "committed",
    ("sweep", "held"): "released",
    ("give_back", None): "released",
    ("give_back", "held"): "released",
    ("give_back", "committed"): "returned",
}
PUBLISHED = {
    ("placed", None): "inventory.reserved",
    ("reserved", "held"): "inventory.committed",
    ("sweep", "held"): "inventory.released",
    ("give_back", None): "inventory.released",
    ("give_back", "held"): "inventory.released",
    ("give_back", "committed"): "inventory.released",
}
HELD_AND_SOLD = {"held": (1, 0), "committed": (0, 1)}


def distinct_orders(steps: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield from sorted(set(permutations(steps)))


async def play(warehouse: Warehouse, steps: Sequence[str]) -> None:
    """Run one saga, and hold the state after each step against the model."""
    order_id = uuid4()
    expected: str | None = None
    published: list[str] = []
    for step in steps:
        if step == "sweep":
            await warehouse.let_hold_expire(order_id)
            await warehouse.sweep()
        else:
            await warehouse.handle(event_of(step, order_id, ITEMS))
        rule = (step if step in ("placed", "reserved", "sweep") else "give_back", expected)
        expected = NEXT.get(rule, expected)
        if rule in PUBLISHED:
            published.append(PUBLISHED[rule])
        assert await warehouse.status_of(order_id) == expected, (steps, step)
    assert [event["type"] for event in await warehouse.published("inventory.%", order_id)] == published, steps


async def assert_stock_is_explained(warehouse: Warehouse) -> None:
    statuses = await warehouse.statuses()
    for sku, quantity in ITEMS.items():
        held, sold = quantity * statuses["held"], quantity * statuses["committed"]
        assert await warehouse.stock_of(sku) == (STOCK - held - sold, held, sold)
    await warehouse.assert_ledger_agrees()


@pytest.mark.parametrize("give_back", ["cancelled", "expired", "refunded"])
async def test_duplicates_in_every_order_end_as_the_model_says(warehouse: Warehouse, give_back: str) -> None:
    for sku in ITEMS:
        await warehouse.stock_item(sku, STOCK)

    for steps in distinct_orders(["placed", "placed", "reserved", "reserved", give_back, give_back]):
        await play(warehouse, steps)

    await assert_stock_is_explained(warehouse)


async def test_expiry_at_every_moment_ends_as_the_model_says(warehouse: Warehouse) -> None:
    for sku in ITEMS:
        await warehouse.stock_item(sku, STOCK)

    for steps in distinct_orders(["placed", "placed", "reserved", "cancelled", "sweep"]):
        await play(warehouse, steps)

    await assert_stock_is_explained(warehouse)


async def test_messages_of_one_order_handled_at_the_same_time_make_each_transition_once(warehouse: Warehouse) -> None:
    for sku in ITEMS:
        await warehouse.stock_item(sku, STOCK)
    order_ids = [uuid4() for _ in range(25)]
    steps = [(order_id, step) for order_id in order_ids for step in ("placed", "reserved", "cancelled") * 2]
    random.Random(7).shuffle(steps)

    await asyncio.gather(*(warehouse.handle(event_of(step, order_id, ITEMS)) for order_id, step in steps))

    for order_id in order_ids:
        kinds = [event["type"] for event in await warehouse.published("inventory.%", order_id)]
        status = await warehouse.status_of(order_id)
        # The last word has always been a release, because every order was cancelled, whenever that arrived.
        assert status in ("released", "returned"), kinds
        assert sorted(kinds) == sorted(_published_on_the_way_to(status, "inventory.reserved" in kinds))
    await assert_stock_is_explained(warehouse)


def _published_on_the_way_to(status: str, was_held: bool) -> list[str]:
    if status == "returned":
        return ["inventory.reserved", "inventory.committed", "inventory.released"]
    return ["inventory.reserved", "inventory.released"] if was_held else ["inventory.released"]


async def test_commit_and_expiry_race_for_a_hold_and_exactly_one_wins(warehouse: Warehouse) -> None:
    for sku in ITEMS:
        await warehouse.stock_item(sku, STOCK)
    order_ids = [uuid4() for _ in range(40)]
    for order_id in order_ids:
        await warehouse.handle(event_of("placed", order_id, ITEMS))
        await warehouse.let_hold_expire(order_id)

    async def commit(order_id: UUID) -> None:
        await warehouse.handle(event_of("reserved", order_id, ITEMS))

    await asyncio.gather(*(commit(order_id) for order_id in order_ids[::2]), warehouse.sweep(), warehouse.sweep())
    await asyncio.gather(*(commit(order_id) for order_id in order_ids), warehouse.sweep())
    await warehouse.sweep()

    for order_id in order_ids:
        kinds = [event["type"] for event in await warehouse.published("inventory.%", order_id)]
        ended = {"committed": "inventory.committed", "released": "inventory.released"}
        assert kinds == ["inventory.reserved", ended[await warehouse.status_of(order_id) or ""]]
    await assert_stock_is_explained(warehouse)
