"""Each image run as its task definitions say: confined, of the task's size, beside real servers."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from uuid import uuid4

import asyncpg
import httpx
import pytest
from testcontainers.core.container import DockerContainer

from platform_sdk.contract import queue_name
from tests.containers.conftest import Image
from tests.support.container_tasks import SERVICES, Surroundings, exit_code, health_of, log_of, ready, run_to_end
from tests.support.local_stack import wait_for
from tests.support.queues import envelope
from tests.support.shop import Shopper, sign_up

FIRST_CHECK_SECONDS = 15
"""The health check's interval: Docker asks for the first time when it has passed."""

MESSAGES = 120


@pytest.fixture(scope="module")
def migrated(around: Surroundings, image: Image) -> dict[str, tuple[int, str]]:
    """Exit code and output of each service's migrations, in an empty database."""
    return {service: migrate(around, image, service) for service in SERVICES}


def migrate(around: Surroundings, image: Image, service: str) -> tuple[int, str]:
    command = around.specs[service].commands.migrate
    return run_to_end(around.task(service, image(service), command=command))


@pytest.fixture(scope="module")
def apis(around: Surroundings, image: Image, migrated: object) -> Iterator[dict[str, DockerContainer]]:
    """An API task of each service."""
    with ExitStack() as stack:
        yield {service: stack.enter_context(around.task(service, image(service))) for service in SERVICES}


@pytest.fixture
async def shopper(around: Surroundings, apis: dict[str, DockerContainer]) -> AsyncIterator[Shopper]:
    url = await asyncio.to_thread(ready, apis["users"], around.specs["users"])
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield await sign_up(client)


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_run_from_the_image(migrated: dict[str, tuple[int, str]], service: str) -> None:
    assert migrated[service] == (0, f"{service}: applied 0001\n")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.usefixtures("migrated")
def test_migrations_that_are_done_are_left_alone(around: Surroundings, image: Image, service: str) -> None:
    assert migrate(around, image, service) == (0, f"{service}: nothing to do (0001)\n")


async def test_a_request_in_flight_at_sigterm_is_answered_before_the_exit_with_0(
    around: Surroundings, image: Image, shopper: Shopper
) -> None:
    with around.task("orders", image("orders")) as task:
        url = await asyncio.to_thread(ready, task, around.specs["orders"])
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            customer = Shopper(client, shopper.token)
            # No worker runs, so the answer is held back until the wait is over.
            placing = asyncio.create_task(customer.place({"TEA": 1}, headers={"Prefer": "wait=3"}))
            await asyncio.sleep(1)
            assert not placing.done()
            task.get_wrapped_container().kill(signal="SIGTERM")
            assert (await placing).status_code == 202
        assert await asyncio.to_thread(exit_code, task) == 0
        assert '"action":"stopped"' in log_of(task)


@pytest.mark.parametrize("service", ["users", "inventory"])
def test_an_idle_api_exits_with_0_at_sigterm(
    around: Surroundings, image: Image, migrated: object, service: str
) -> None:
    with around.task(service, image(service)) as task:
        ready(task, around.specs[service])
        task.get_wrapped_container().kill(signal="SIGTERM")
        assert exit_code(task) == 0


async def test_messages_that_are_in_flight_at_sigterm_are_neither_lost_nor_handled_twice(
    around: Surroundings, image: Image, migrated: object
) -> None:
    # What the orders of other tests have left there takes part.
    total = depth(around, "inventory") + MESSAGES
    send(around, MESSAGES)
    with around.task("inventory", image("inventory"), role="worker") as first:
        await handled(around, at_least=1)
        first.get_wrapped_container().kill(signal="SIGTERM")
        assert await asyncio.to_thread(exit_code, first) == 0
    handled_by_first = await count(around, "inbox")
    assert 0 < handled_by_first < total
    assert handled_by_first + depth(around, "inventory") == total

    with around.task("inventory", image("inventory"), role="worker") as second:
        await handled(around, at_least=total)
        second.get_wrapped_container().kill(signal="SIGTERM")
        assert await asyncio.to_thread(exit_code, second) == 0
    assert depth(around, "inventory") == 0
    assert await count(around, "inbox") == await count(around, "reservations") == total


def send(around: Surroundings, messages: int) -> None:
    """Orders of an article that inventory does not have: each message ends in a rejected reservation."""
    url = queue_url(around, "inventory")
    for _ in range(messages):
        order_id = str(uuid4())
        data = {"order_id": order_id, "items": [{"sku": "NONE", "quantity": 1}], "currency": None}
        around.aws.sqs.send_message(QueueUrl=url, MessageBody=envelope("order.placed", order_id, data))


def depth(around: Surroundings, queue: str) -> int:
    """Messages that a worker can receive now."""
    attributes = around.aws.sqs.get_queue_attributes(
        QueueUrl=queue_url(around, queue), AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def queue_url(around: Surroundings, queue: str) -> str:
    return str(around.aws.sqs.get_queue_url(QueueName=queue_name("local", queue))["QueueUrl"])


async def handled(around: Surroundings, *, at_least: int) -> None:
    async with asyncio.timeout(60):
        while True:
            if await count(around, "inbox") >= at_least:
                return
            await asyncio.sleep(0.01)


async def count(around: Surroundings, table: str) -> int:
    connection = await asyncpg.connect(around.database_url)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM inventory.{table}"))
    finally:
        await connection.close()


def test_the_size_and_confinement_of_a_task_are_those_of_its_definition(
    apis: dict[str, DockerContainer], around: Surroundings
) -> None:
    for service, task in apis.items():
        wrapped = task.get_wrapped_container()
        wrapped.reload()
        host, size = wrapped.attrs["HostConfig"], around.specs[service].task
        assert (host["NanoCpus"], host["Memory"]) == (size.cpu * 10**9 // 1024, size.memory_mib * 2**20)
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["Init"]) == (True, ["ALL"], True)
        assert wrapped.attrs["Config"]["User"] == "10001:10001"


def test_json_log_lines_name_the_version_of_the_image(apis: dict[str, DockerContainer], around: Surroundings) -> None:
    ready(apis["orders"], around.specs["orders"])
    lines = [json.loads(line) for line in log_of(apis["orders"]).splitlines()]
    assert {line["version"] for line in lines} == {"built"}


# Last, when the interval has passed.
@pytest.mark.parametrize("service", SERVICES)
def test_an_api_is_healthy_by_the_health_check_of_its_image(
    apis: dict[str, DockerContainer], around: Surroundings, service: str
) -> None:
    ready(apis[service], around.specs[service])
    wait_for(lambda: health_of(apis[service]) == "healthy", 4 * FIRST_CHECK_SECONDS, f"{service} is healthy")
