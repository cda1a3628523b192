"""compose.yaml brings the whole system up, does its work, and leaves nothing behind."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local_aws.processes import free_port
from tests.support.containers import docker
from tests.support.repository import ROOT
from tests.support.shop import log_in, sign_up

UP_SECONDS = 600
"""With images that have to be built from nothing; some 30 s when they are there."""

ONE_OFF = {"secrets", "provision", "migrate-orders", "migrate-users", "migrate-inventory"}
ONE_OFF |= {"demo-users", "demo-inventory"}


@dataclass(frozen=True)
class Project:
    """One run of compose.yaml, with a name and ports of its own."""

    name: str = field(default_factory=lambda: f"platform-test-{uuid4().hex[:8]}")
    port: int = field(default_factory=free_port)
    aws_port: int = field(default_factory=free_port)

    def compose(self, *arguments: str, timeout_seconds: float = 120) -> str:
        """Runs a `docker compose` command that must succeed; returns what it printed."""
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.name, *arguments],
            cwd=ROOT,
            env={**os.environ, "PLATFORM_PORT": str(self.port), "PLATFORM_AWS_PORT": str(self.aws_port)},
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def up(self, *options: str, timeout_seconds: float = UP_SECONDS) -> None:
        self.compose("up", "--wait", *options, timeout_seconds=timeout_seconds)

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "30")

    def containers(self) -> list[dict[str, Any]]:
        """As the engine describes them, ended ones too."""
        identifiers = docker("ps", "--all", "--quiet", "--filter", self.label).split()
        described: list[dict[str, Any]] = json.loads(docker("inspect", *identifiers))
        return described

    @property
    def label(self) -> str:
        """Filter for everything that compose made for this project."""
        return f"label=com.docker.compose.project={self.name}"


def service_of(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


@pytest.fixture(scope="module")
def project(engine: None) -> Iterator[Project]:
    """The system, up."""
    project = Project()
    try:
        try:
            project.up("--build")
        except AssertionError:
            print(project.compose("logs", "--tail", "30"))
            raise
        yield project
    finally:
        project.down()


async def test_an_order_placed_through_the_load_balancer_is_confirmed(project: Project) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{project.port}", timeout=40) as client:
        shopper = await sign_up(client)
        items = await shopper.get("/inventory/items?limit=1")
        placed = await shopper.place({items["data"][0]["sku"]: 1})
        assert placed.status_code in {201, 202}, placed.text
        order = await shopper.decided(placed.json()["id"])
    assert order["status"] == "confirmed"


async def test_the_demo_accounts_are_there(project: Project) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{project.port}", timeout=40) as client:
        await log_in(client, "admin@example.com")


def test_every_job_has_succeeded_and_everything_else_is_healthy(project: Project) -> None:
    states = {(service_of(one), one["State"]["Status"]): one["State"] for one in project.containers()}
    assert {service for service, status in states if status == "exited"} == ONE_OFF
    assert {state["ExitCode"] for (service, _), state in states.items() if service in ONE_OFF} == {0}
    unhealthy = {
        service: state["Health"]
        for (service, _), state in states.items()
        if service not in ONE_OFF and state["Health"]["Status"] != "healthy"
    }
    assert not unhealthy


def test_the_engine_confines_every_container_and_makes_no_nameless_volume(project: Project) -> None:
    for container in project.containers():
        host = container["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False), host
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        volumes = [mount["Name"] for mount in container["Mounts"] if mount["Type"] == "volume"]
        assert all(name.startswith(f"{project.name}_") for name in volumes), volumes


def test_tasks_have_the_processor_and_the_memory_of_their_task_definitions(project: Project) -> None:
    sizes = {
        service_of(one): (one["HostConfig"]["NanoCpus"], one["HostConfig"]["Memory"]) for one in project.containers()
    }
    half, quarter = (500_000_000, 1024 * 2**20), (250_000_000, 512 * 2**20)
    tasks = {
        name: size for name, size in sizes.items() if name.removesuffix("-worker") in {"orders", "users", "inventory"}
    }
    assert tasks == {
        "orders": half,
        "orders-worker": half,
        "users": half,
        "inventory": quarter,
        "inventory-worker": quarter,
    }


def test_only_the_load_balancer_and_the_aws_endpoint_are_published_and_on_this_machine_only(project: Project) -> None:
    published = {
        (service_of(one), binding["HostIp"], int(binding["HostPort"]))
        for one in project.containers()
        for bindings in one["HostConfig"]["PortBindings"].values()
        for binding in bindings
    }
    assert published == {("load-balancer", "127.0.0.1", project.port), ("aws", "127.0.0.1", project.aws_port)}


async def test_going_up_again_keeps_the_accounts_and_their_secrets(project: Project) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{project.port}", timeout=40) as client:
        shopper = await sign_up(client)
        project.compose("stop", "users", "--timeout", "30")
        project.up(timeout_seconds=240)
        assert (await shopper.request("GET", "/users/me")).status_code == 200


def test_going_down_leaves_nothing(project: Project) -> None:
    project.down()
    assert docker("ps", "--all", "--quiet", "--filter", project.label) == ""
    assert docker("volume", "ls", "--quiet", "--filter", project.label) == ""
    assert docker("network", "ls", "--quiet", "--filter", project.label) == ""
