"""GET /orders/{id}/events: where the order stands, then each change, until nothing more can come."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from orders.consumers import InventoryCommitted
from platform_sdk.runtime.database.pool import Database
from tests.integration.orders.conftest import OrdersDatabase
from tests.integration.orders.serving import Api, Caller, serve, settings
from tests.integration.orders.test_order_messages import rejected, reserved


async def messages(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The data of each message, with its event id."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if not line and "data" in fields:
            assert fields["event"] == "status"
            yield {**json.loads(fields["data"]), "event_id": fields["id"]}
            fields = {}
        elif line:
            fields[name] = value


async def test_a_stream_reports_every_step_and_ends_with_the_last(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    seen = []
    async with customer.stream(f"/orders/{order_id}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        async for message in messages(response):
            seen.append((message["status"], message["event_id"], message["version"]))
            if message["status"] == "pending":
                # Both before the next query: still, no step is skipped.
                await orders.deliver(reserved(order_id))
                await orders.deliver(InventoryCommitted(order_id=order_id))
            if message["status"] == "confirmed":
                await customer.post(f"/orders/{order_id}/cancel")
    assert seen == [("pending", "1", 1), ("reserved", "2", 2), ("confirmed", "3", 3), ("cancelled", "4", 4)]


async def test_a_stream_resumes_where_the_client_has_left_it(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    await orders.deliver(reserved(order_id))
    await customer.post(f"/orders/{order_id}/cancel")
    async with customer.stream(f"/orders/{order_id}/events", **{"Last-Event-ID": "1"}) as response:
        assert [message["status"] async for message in messages(response)] == ["reserved", "cancelled"]


async def test_a_stream_of_a_finished_order_ends_at_once_and_stops_the_client(api: Api, orders: OrdersDatabase) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    await orders.deliver(rejected(order_id))
    async with customer.stream(f"/orders/{order_id}/events") as response:
        assert [message["status"] async for message in messages(response)] == ["rejected"]
    again = await customer.get(f"/orders/{order_id}/events", headers={"Last-Event-ID": "2"})
    assert again.status_code == 204


async def test_a_silent_stream_has_a_heartbeat_and_ends_in_time(database: Database, database_url: str) -> None:
    limits = settings(database_url, order_stream_heartbeat_seconds=0.1, order_stream_seconds=0.5)
    async with serve(limits) as api:
        customer = api.customer()
        order_id = await customer.place_one()
        async with customer.stream(f"/orders/{order_id}/events") as response:
            lines = [line async for line in response.aiter_lines()]
    assert 3 <= lines.count(":") <= 6


async def _status(customer: Caller, path: str) -> int:
    async with customer.stream(path) as response:
        status: int = response.status_code
        return status


async def test_no_more_streams_than_the_process_may_serve(database: Database, database_url: str) -> None:
    async with serve(settings(database_url, order_max_streams=1)) as api:
        customer = api.customer()
        path = f"/orders/{await customer.place_one()}/events"
        async with customer.stream(path) as response:
            # Held, because a stream that is collected closes its connection.
            stream = messages(response)
            await anext(stream)
            assert await _status(customer, path) == 503
        # The server learns that the client has gone when the connection does.
        for _ in range(100):
            if await _status(customer, path) == 200:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the stream that has ended is still counted")


async def test_streams_and_waits_end_when_the_process_stops(api: Api) -> None:
    customer = api.customer()
    order_id = await customer.place_one()
    waiting = asyncio.create_task(customer.place(prefer="wait=10"))
    async with customer.stream(f"/orders/{order_id}/events") as response:
        stream = messages(response)
        await anext(stream)
        await asyncio.sleep(0.1)
        api.app.resources.stopping.set()
        async with asyncio.timeout(60):
            assert [message async for message in stream] == []
            assert (await waiting).status_code == 202
