"""The life of an API task, by real signals."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from local_aws.processes import free_port
from tests.integration.runtime_edge.edge_task import Task, running


@asynccontextmanager
async def api(port: int, **variables: str) -> AsyncIterator[tuple[Task, aiohttp.ClientSession]]:
    given = {"HOST": "127.0.0.1", "PORT": str(port), "STOP_TIMEOUT_SECONDS": "8", "DRAIN_DELAY_SECONDS": "1"}
    async with (
        running("edge_api_task", **(given | variables)) as task,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        await task.logged("Uvicorn running")
        yield task, client


async def status(client: aiohttp.ClientSession, path: str) -> int:
    async with client.get(path) as response:
        return response.status


async def test_a_stop_is_announced_then_drained_then_finished_with_0() -> None:
    async with api(free_port()) as (task, client):
        assert await status(client, "/shop/readyz") == 200
        slow = asyncio.create_task(status(client, "/shop/slow?seconds=2"))
        stream = await client.get("/shop/stream")
        assert await stream.content.readline() == b"data: first\n"
        task.signal()
        await task.logged("stop_requested")
        # Still accepting, for as long as the load balancer may take to notice.
        assert await status(client, "/shop/readyz") == 503
        assert await status(client, "/shop/quick") == 200
        assert await slow == 200
        assert b"data: last" in await stream.content.read()
        assert await task.exit_code() == 0
        assert (await task.logged("stopped"))["level"] == "info"
        with pytest.raises(aiohttp.ClientConnectionError):
            await status(client, "/shop/quick")


async def test_ctrl_c_and_a_second_sigterm_do_not_wait_for_the_load_balancer() -> None:
    for signals in ([signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]):
        async with api(free_port(), DRAIN_DELAY_SECONDS="100", STOP_TIMEOUT_SECONDS="120") as (task, _):
            for number in signals:
                task.signal(number)
                await task.logged("stop_requested")
            assert await task.exit_code() == 0


async def test_a_request_that_does_not_end_is_cut_off_inside_the_stop_timeout() -> None:
    async with api(free_port(), STOP_TIMEOUT_SECONDS="6") as (task, client):
        slow = asyncio.create_task(status(client, "/shop/slow?seconds=600"))
        await asyncio.sleep(0.3)
        task.signal()
        assert await task.exit_code() == 0
        assert await slow == 503


async def test_a_task_whose_event_loop_hangs_ends_itself_before_it_is_killed() -> None:
    async with api(free_port(), STOP_TIMEOUT_SECONDS="5") as (task, client):
        task.signal()
        await task.logged("stop_requested")
        hanging = asyncio.create_task(status(client, "/shop/hang"))
        assert await task.exit_code() == 1
        assert (await task.logged("stop_timed_out"))["level"] == "error"
        with pytest.raises(aiohttp.ClientError):
            await hanging


async def test_a_port_that_is_taken_ends_the_task_with_an_error() -> None:
    port = free_port()
    async with api(port), running("edge_api_task", HOST="127.0.0.1", PORT=str(port)) as second:
        assert await second.exit_code() not in (0, None)
        assert any("in use" in line["message"] for line in second.lines)


async def test_a_missing_collector_costs_requests_nothing_and_is_logged_once() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    async with api(free_port(), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_BSP_SCHEDULE_DELAY="50") as (task, client):
        # An export that a request waited for would take ten seconds each time.
        async with asyncio.timeout(60):
            for _ in range(100):
                assert await status(client, "/shop/quick") == 200
        await asyncio.sleep(0.5)
        task.signal(signal.SIGINT)
        assert await task.exit_code() == 0
        complaints = [line for line in task.lines if line["logger"].startswith("opentelemetry")]
        # Few for a hundred requests: how often the exporter tries again depends on the machine.
        assert 0 < len(complaints) < 20


async def test_spans_and_metrics_reach_a_collector() -> None:
    received: dict[str, bytes] = {}

    async def take(request: web.Request) -> web.Response:
        received[request.path] = received.get(request.path, b"") + await request.read()
        return web.Response()

    collector = web.Application()
    collector.router.add_post("/v1/{kind}", take)
    runner = web.AppRunner(collector)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    endpoint = f"http://127.0.0.1:{port}"
    async with api(free_port(), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_COMPRESSION="none") as (
        task,
        client,
    ):
        trace_id = bytes.fromhex("ab" * 16)
        async with client.get("/shop/quick", headers={"traceparent": f"00-{trace_id.hex()}-{'cd' * 8}-01"}) as answer:
            assert answer.status == 200
        task.signal(signal.SIGINT)
        assert await task.exit_code() == 0
    await runner.cleanup()
    assert trace_id in received["/v1/traces"]
    assert b"GET /shop/quick" in received["/v1/traces"]
    for name in (b"http.server.request.duration", b"http.server.active_requests"):
        assert name in received["/v1/metrics"]
