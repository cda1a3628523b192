"""Envoy with the load balancer's documents, in front of small real HTTP servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aiohttp
import pytest
from aiohttp import web

from local_aws.load_balancer.envoy import Rule, TargetGroup
from local_aws.load_balancer.server import LoadBalancer
from local_aws.processes import free_port

StartTarget = Callable[[str], Awaitable[int]]


def headers_of(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadBalancer]:
    balancer = LoadBalancer(
        tmp_path_factory.mktemp("load_balancer"),
        free_port(),
        target_groups=[TargetGroup(name="orders-blue", path="/orders"), TargetGroup(name="users-blue", path="/users")],
        rules=[Rule(path="/orders", target_group="orders-blue"), Rule(path="/users", target_group="users-blue")],
    )
    balancer.start()
    yield balancer
    balancer.stop()


@pytest.fixture
async def start_target(balancer: LoadBalancer) -> AsyncIterator[StartTarget]:
    """Starts a target that answers with its name and what it was asked; all are stopped after the test."""
    runners = []

    async def start(name: str) -> int:
        async def answer(request: web.Request) -> web.Response:
            if request.path.endswith("/hang-up") and request.transport is not None:
                request.transport.abort()
            return web.json_response({"target": name, "path": request.path_qs, "headers": headers_of(request)})

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, keepalive_timeout=75)
        await runner.setup()
        runners.append(runner)
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return port

    yield start
    balancer.set_targets("orders-blue", [])
    await asyncio.sleep(0.1)
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def client(balancer: LoadBalancer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(balancer.url) as session:
        yield session


async def until_answered_by(client: aiohttp.ClientSession, name: str) -> None:
    for _ in range(200):
        async with client.get("/orders") as response:
            if response.status == 200 and (await response.json())["target"] == name:
                return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} was never asked")


@pytest.mark.parametrize("path", ["/orders", "/orders/", "/orders/1/items?page=2"])
async def test_path_and_everything_below_it_reach_the_service(
    balancer: LoadBalancer, client: aiohttp.ClientSession, start_target: StartTarget, path: str
) -> None:
    balancer.set_targets("orders-blue", [await start_target("one")])
    await until_answered_by(client, "one")
    async with client.get(path, headers={"X-Request-Id": "abc"}) as response:
        seen = await response.json()
    assert seen["path"] == path
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert seen["headers"]["x-request-id"] == "abc"
    assert not [name for name in seen["headers"] if name.startswith("x-envoy")]


async def test_client_address_is_appended_to_what_a_proxy_before_us_wrote(
    balancer: LoadBalancer, client: aiohttp.ClientSession, start_target: StartTarget
) -> None:
    balancer.set_targets("orders-blue", [await start_target("one")])
    await until_answered_by(client, "one")
    async with client.get("/orders", headers={"X-Forwarded-For": "203.0.113.7"}) as response:
        assert (await response.json())["headers"]["x-forwarded-for"] == "203.0.113.7,127.0.0.1"


@pytest.mark.parametrize("path", ["/", "/ordersx", "/order", "/nothing/here"])
async def test_any_other_path_is_a_404_problem(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        assert await response.json(content_type=None) == {
            "type": "about:blank",
            "title": "No service at this path",
            "status": 404,
        }


async def test_service_without_a_task_is_a_503_problem(client: aiohttp.ClientSession) -> None:
    async with client.get("/users/me") as response:
        assert (response.status, response.content_type) == (503, "application/problem+json")
        assert (await response.json(content_type=None))["status"] == 503


async def test_target_that_hangs_up_is_a_502_problem_and_is_not_asked_again(
    balancer: LoadBalancer, client: aiohttp.ClientSession, start_target: StartTarget
) -> None:
    balancer.set_targets("orders-blue", [await start_target("one")])
    await until_answered_by(client, "one")
    async with client.post("/orders/hang-up") as response:
        assert (response.status, response.content_type) == (502, "application/problem+json")
        assert (await response.json(content_type=None))["status"] == 502


async def test_target_that_is_not_ready_gets_no_requests(
    balancer: LoadBalancer, client: aiohttp.ClientSession, start_target: StartTarget
) -> None:
    ready = await start_target("ready")
    balancer.set_targets("orders-blue", [ready])
    await until_answered_by(client, "ready")
    balancer.set_targets("orders-blue", [ready, free_port()])
    for _ in range(50):
        async with client.get("/orders") as response:
            assert response.status == 200


async def test_targets_are_replaced_without_a_failed_request(
    balancer: LoadBalancer, client: aiohttp.ClientSession, start_target: StartTarget
) -> None:
    ports = {name: await start_target(name) for name in ("first", "second")}
    balancer.set_targets("orders-blue", [ports["first"]])
    await until_answered_by(client, "first")
    statuses: list[int] = []
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            async with client.post("/orders", data=b"x") as response:
                await response.read()
                statuses.append(response.status)

    loads = [asyncio.create_task(load()) for _ in range(8)]
    for _ in range(5):
        for name in ("second", "first"):
            balancer.set_targets("orders-blue", ports.values())
            await until_answered_by(client, name)
            balancer.set_targets("orders-blue", [ports[name]])
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*loads)

    assert len(statuses) > 100
    assert set(statuses) == {200}
