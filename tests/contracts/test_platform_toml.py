"""Every platform.toml and every environment of this repository can be used as it stands."""

import re
from pathlib import Path

import pytest

from platform_sdk.deploy.check import check
from platform_sdk.deploy.environment import environment_names, load_environment
from platform_sdk.deploy.manifest import ServiceSpec, load_services

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, ServiceSpec]:
    return {spec.name: spec for spec in load_services(ROOT)}


def test_every_service_and_environment_passes_the_check() -> None:
    assert check(ROOT) == (["inventory", "orders", "users"], ["local", "production", "staging"])


@pytest.mark.parametrize(
    ("name", "path", "cpu", "memory_mib", "min_tasks", "max_tasks"),
    [
        ("orders", "/orders", 512, 1024, 2, 6),
        ("users", "/users", 512, 1024, 2, 4),
        ("inventory", "/inventory", 256, 512, 2, 4),
    ],
)
def test_services_have_the_sizes_of_the_architecture(
    services: dict[str, ServiceSpec],
    name: str,
    path: str,
    cpu: int,
    memory_mib: int,
    min_tasks: int,
    max_tasks: int,
) -> None:
    spec = services[name]
    assert (spec.path, spec.port) == (path, 3000)
    assert (spec.task.cpu, spec.task.memory_mib) == (cpu, memory_mib)
    assert (spec.scaling.min_tasks, spec.scaling.max_tasks) == (min_tasks, max_tasks)


def test_services_with_queues_have_workers(services: dict[str, ServiceSpec]) -> None:
    assert {name: spec.worker is not None for name, spec in services.items()} == {
        "orders": True,
        "inventory": True,
        "users": False,
    }


@pytest.mark.parametrize("name", ["inventory", "orders", "users"])
def test_every_command_names_a_module_of_the_service_or_of_the_sdk(services: dict[str, ServiceSpec], name: str) -> None:
    spec = services[name]
    worker = () if spec.worker is None else (spec.worker.command,)
    for command in (spec.commands.api, spec.commands.migrate, spec.commands.demo, *worker):
        if command is not None:
            assert command[:2] == ("python", "-m")
            assert re.fullmatch(rf"{name}\.\w+|platform_sdk\.runtime\.[\w.]+", command[2])


def test_no_environment_holds_an_arn() -> None:
    for name in environment_names(ROOT):
        assert "arn:" not in (ROOT / "deploy" / "environments" / f"{name}.toml").read_text(encoding="utf-8")


def test_only_the_laptop_has_an_aws_endpoint_of_its_own() -> None:
    endpoints = {name: load_environment(ROOT, name).aws_endpoint_url for name in environment_names(ROOT)}
    assert endpoints == {"local": "http://127.0.0.1:4566", "production": None, "staging": None}
