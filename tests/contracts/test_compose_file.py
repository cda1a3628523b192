"""compose.yaml runs what the task definitions of the environment `local` say.

Addresses and secrets differ, and a laptop may run smaller and fewer tasks than platform.toml asks for.
"""

import re
import stat
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose.load_balancer import PORT, envoy_document
from deploy.compose.provision import generate_secrets
from platform_sdk.contract import READINESS_PATH, Variable
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.render.names import Role
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.support.repository import ROOT

SPECS = {spec.name: spec for spec in load_services(ROOT, "local")}
TASKS = [(name, "api") for name in SPECS] + [(name, "worker") for name, spec in SPECS.items() if spec.worker]
JOBS = [
    (name, purpose, command)
    for name, spec in SPECS.items()
    for purpose, command in (("migrate", spec.commands.migrate), ("demo", spec.commands.demo))
    if command is not None
]
IMAGES = tuple(f"platform-{name}:" for name in SPECS)

# The process runner of `platform up` gives the same two to every task.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

Container = dict[str, Any]


@cache
def containers() -> dict[str, Container]:
    """The containers of compose.yaml by name, anchors merged, every ${VARIABLE:-default} with its default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "compose.yaml").read_text())
    described: dict[str, Container] = yaml.safe_load(text)["services"]
    return described


def container_of(service: str, role: str) -> Container:
    return containers()[service if role == "api" else f"{service}-{role}"]


@pytest.fixture(scope="module")
def environment() -> Environment:
    """The environment `local`, with the names of containers in the place of 127.0.0.1 and ports."""
    local = load_environment(ROOT, "local")
    return replace(
        local,
        aws_endpoint_url="http://aws:4566",
        database=replace(local.database, host="postgres", port=5432),
        cache=replace(local.cache, url="redis://redis:6379/0"),
        tasks=replace(local.tasks, host="0.0.0.0"),
    )


def document(service: str, role: Role, environment: Environment) -> dict[str, Any]:
    image = containers()[service]["image"]
    return render_task_definition(SPECS[service], environment, image=image, role=role)


def app(service: str, role: Role, environment: Environment) -> dict[str, Any]:
    found: dict[str, Any] = document(service, role, environment)["containerDefinitions"][0]
    return found


def variables(service: str, role: Role, environment: Environment) -> dict[str, str]:
    """What the task definition says, but the keys for tokens are fetched inside the network."""
    said = {pair["name"]: pair["value"] for pair in app(service, role, environment)["environment"]}
    jwks_url = f"http://load-balancer:{PORT}{environment.tokens.jwks_path}"
    return {**said, Variable.JWKS_URL: jwks_url, **CREDENTIALS}


@pytest.mark.parametrize(("service", "role"), TASKS)
def test_a_task_has_the_variables_of_its_task_definition(service: str, role: Role, environment: Environment) -> None:
    assert container_of(service, role)["environment"] == variables(service, role, environment)


@pytest.mark.parametrize(("service", "role"), TASKS)
def test_a_task_has_the_command_and_the_end_of_its_task_definition(
    service: str, role: Role, environment: Environment
) -> None:
    container, definition = container_of(service, role), app(service, role, environment)
    assert container["command"] == definition["command"]
    assert container["stop_grace_period"] == f"{definition['stopTimeout']}s"
    assert container["user"] == definition["user"]


@pytest.mark.parametrize(("service", "role"), TASKS)
def test_a_container_is_never_larger_than_its_task(service: str, role: Role, environment: Environment) -> None:
    deploy, definition = container_of(service, role)["deploy"], document(service, role, environment)
    limits = deploy["resources"]["limits"]
    assert 256 <= float(limits["cpus"]) * 1024 <= int(definition["cpu"])
    assert 512 <= int(limits["memory"].removesuffix("m")) <= int(definition["memory"])


@pytest.mark.parametrize(("service", "role"), TASKS)
def test_at_least_one_task_runs_and_never_more_than_the_maximum(service: str, role: Role) -> None:
    spec = SPECS[service]
    shape = spec.worker if role == "worker" else spec.scaling
    assert shape is not None
    assert container_of(service, role)["deploy"]["replicas"] in range(1, shape.max_tasks + 1)


@pytest.mark.parametrize(("service", "purpose", "command"), JOBS)
def test_a_job_runs_a_command_of_platform_toml_as_its_service(
    service: str, purpose: str, command: tuple[str, ...], environment: Environment
) -> None:
    job, task = containers()[f"{purpose}-{service}"], containers()[service]
    own_address = {Variable.HOST, Variable.PORT}
    said = variables(service, "api", environment)
    assert job["command"] == list(command)
    assert job["environment"] == {name: value for name, value in said.items() if name not in own_address}
    assert (job["image"], job["volumes"], job["entrypoint"]) == (task["image"], task["volumes"], task["entrypoint"])


def test_no_task_and_no_job_is_missing_and_none_is_extra() -> None:
    expected = {service if role == "api" else f"{service}-{role}" for service, role in TASKS}
    expected |= {f"{purpose}-{service}" for service, purpose, _ in JOBS}
    assert {name for name, container in containers().items() if container["image"].startswith(IMAGES)} == expected


@pytest.mark.parametrize("name", containers())
def test_every_container_is_confined(name: str) -> None:
    container = containers()[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["init"] is True
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(container)


def test_ports_are_published_on_this_machine_only() -> None:
    published = [port for container in containers().values() for port in container.get("ports", ())]
    assert published == ["127.0.0.1:8080:8080", "127.0.0.1:4566:4566"]


def test_every_way_through_the_load_balancer_ends_at_a_service() -> None:
    resources = envoy_document(SPECS.values())["static_resources"]
    manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    [*routes, last] = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert {route["match"]["path_separated_prefix"]: route["route"]["cluster"] for route in routes} == {
        spec.path: spec.name for spec in SPECS.values()
    }
    assert last["direct_response"]["status"] == 404
    for cluster in resources["clusters"]:
        [locality] = cluster["load_assignment"]["endpoints"]
        [target] = locality["lb_endpoints"]
        address = target["endpoint"]["address"]["socket_address"]
        assert address["port_value"] == int(containers()[address["address"]]["environment"][Variable.PORT])


def test_the_load_balancer_is_healthy_only_with_every_service() -> None:
    probe = containers()["load-balancer"]["healthcheck"]["test"][-1]
    assert set(re.findall(r'"(/[^"]+)"', probe)) == {f"{spec.path}{READINESS_PATH}" for spec in SPECS.values()}


@pytest.mark.parametrize("service", SPECS)
def test_a_service_finds_exactly_its_own_secrets(service: str, environment: Environment, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("postgres", *SPECS)]
    for folder in folders:
        folder.mkdir()
    generate_secrets(list(SPECS.values()), environment, tmp_path)
    named = {secret["name"] for secret in app(service, "api", environment)["secrets"]}
    assert {path.name for path in (tmp_path / service).iterdir()} == named
    assert containers()[service]["volumes"] == [f"{service}-secrets:/run/secrets:ro"]


def test_secrets_are_made_up_once_and_nobody_may_write_them(environment: Environment, tmp_path: Path) -> None:
    for name in ("postgres", *SPECS):
        (tmp_path / name).mkdir()
    made = generate_secrets(list(SPECS.values()), environment, tmp_path)
    values = {path: (tmp_path / path).read_text() for path in made}
    assert len(set(values.values())) == len(made)
    assert all(stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o444 for path in made)
    assert generate_secrets(list(SPECS.values()), environment, tmp_path) == []
    assert {path: (tmp_path / path).read_text() for path in made} == values


def test_no_value_of_a_secret_is_in_the_file(environment: Environment) -> None:
    names = {secret["name"] for service in SPECS for secret in app(service, "api", environment)["secrets"]}
    names.add("POSTGRES_PASSWORD")
    assert not [
        (name, variable)
        for name, container in containers().items()
        for variable in container.get("environment", {})
        if variable in names
    ]


def test_only_the_job_without_a_network_is_root() -> None:
    roots = [name for name, container in containers().items() if str(container.get("user", "")).startswith("0")]
    assert roots == ["secrets"]
    assert containers()["secrets"]["network_mode"] == "none"
