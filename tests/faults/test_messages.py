"""What SQS may do to a message - twice, late, out of order - and what nobody should have sent."""

import asyncio
import json
import random
from uuid import uuid4

import httpx
import pytest

from tests.support.local_stack import LocalStack, wait_for
from tests.support.queues import Queues, envelope
from tests.support.shop import Shopper, stock_item


@pytest.fixture
def queues(local_stack: LocalStack) -> Queues:
    return Queues(local_stack)


async def settled(queues: Queues) -> None:
    """Waits until both queues have stayed empty for a moment."""
    quiet = 0
    for _ in range(600):
        quiet = quiet + 1 if await asyncio.to_thread(queues.is_idle) else 0
        if quiet >= 5:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the queues do not drain")


async def test_stale_and_duplicate_answers_change_no_decided_order(
    admin: Shopper, shopper: Shopper, queues: Queues
) -> None:
    sku = await stock_item(admin, 4)
    order_id = (await shopper.place({sku: 1})).json()["id"]
    before = await shopper.decided(order_id)
    assert before["status"] == "confirmed"
    reservation_id = str(uuid4())
    strays = [
        envelope(
            "inventory.rejected", reservation_id, {"order_id": order_id, "reason": "out_of_stock", "shortages": []}
        ),
        envelope(
            "inventory.released",
            reservation_id,
            {"order_id": order_id, "reservation_id": reservation_id, "reason": "expired"},
        ),
        envelope("inventory.committed", reservation_id, {"order_id": order_id, "reservation_id": reservation_id}),
    ]
    queues.send("orders", *strays, *strays)
    await settled(queues)

    after = await shopper.get(f"/orders/{order_id}")

    assert after == before


@pytest.mark.parametrize("seed", range(4))
async def test_saga_messages_in_any_order_and_number_conserve_the_stock(
    http: httpx.AsyncClient, admin: Shopper, queues: Queues, seed: int
) -> None:
    sku = await stock_item(admin, 10)
    order_id = str(uuid4())
    data = {
        "order_id": order_id,
        "user_id": str(uuid4()),
        "items": [{"sku": sku, "quantity": 3}],
        "currency": None,
        "expires_at": "2999-01-01T00:00:00Z",
    }
    messages = [
        envelope("order.placed", order_id, data, aggregate_version=1),
        envelope("order.reserved", order_id, {"order_id": order_id}, aggregate_version=2),
        envelope("order.cancelled", order_id, {"order_id": order_id, "reason": "customer"}, aggregate_version=3),
    ] * 3
    random.Random(seed).shuffle(messages)
    queues.send("inventory", *messages)
    await settled(queues)

    item = (await http.get(f"/inventory/items/{sku}")).json()

    assert (item["available"], item["reserved"]) == (10, 0)


async def test_poison_goes_to_the_dead_letter_queue_with_its_reason(local_stack: LocalStack, queues: Queues) -> None:
    mark = f"not json {uuid4()}"
    queues.send("inventory", mark)

    def listed() -> bool:
        return mark in local_stack.platform("dlq", "show", "inventory", "--json").stdout

    await asyncio.to_thread(wait_for, listed, 20, "the poison message in the dead-letter queue")
    shown = local_stack.platform("dlq", "show", "inventory", "--json")
    message = next(entry for entry in json.loads(shown.stdout)["messages"] if entry["body"] == mark)
    assert message["attributes"]["dead-letter-reason"]
    assert message["attributes"]["source-queue"] == "platform-local-inventory"
    depths = {
        entry["queue"]: entry["depth"]
        for entry in json.loads(local_stack.platform("dlq", "list", "--json").stdout)["queues"]
    }
    assert depths["inventory"] >= 1
    purged = local_stack.platform("dlq", "purge", "inventory", "--yes")
    assert purged.returncode == 0, purged.stderr


async def test_redriven_message_takes_effect(
    local_stack: LocalStack, http: httpx.AsyncClient, admin: Shopper, queues: Queues
) -> None:
    sku = await stock_item(admin, 10)
    order_id = str(uuid4())
    body = envelope(
        "order.placed",
        order_id,
        {
            "order_id": order_id,
            "user_id": str(uuid4()),
            "items": [{"sku": sku, "quantity": 4}],
            "currency": None,
            "expires_at": "2999-01-01T00:00:00Z",
        },
    )
    queues.client.send_message(QueueUrl=queues.dead_letter_url("inventory"), MessageBody=body)

    redriven = local_stack.platform("dlq", "redrive", "inventory", "--all")

    assert redriven.returncode == 0, redriven.stderr
    await settled(queues)
    item = (await http.get(f"/inventory/items/{sku}")).json()
    assert (item["available"], item["reserved"]) == (6, 4)
