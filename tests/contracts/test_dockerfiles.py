"""The services' Dockerfiles against what the rest of the repository says of the same things."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.task_definition import APP_USER, render_task_definition
from tests.support.repository import FIXTURES, ROOT

SPECS = {spec.name: spec for spec in load_services(ROOT, "production")}
DEFAULTS = next(spec for spec in load_services(FIXTURES, "production") if spec.name == "orders")
EVERY_SERVICE = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def dockerfile(service: str) -> Path:
    return ROOT / "services" / service / "Dockerfile"


def instructions(service: str) -> dict[str, list[str]]:
    """Of the last stage: instruction to its arguments, in order."""
    text = re.sub(r"\\\n\s*", "", dockerfile(service).read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for line in text[text.rindex("\nFROM ") :].strip().splitlines():
        if not line.startswith("#"):
            name, _, arguments = line.partition(" ")
            found.setdefault(name, []).append(arguments)
    return found


def app_of(spec: ServiceSpec) -> dict[str, Any]:
    document: Any = render_task_definition(spec, load_environment(ROOT, "production"), image=f"{spec.name}:1")
    app: dict[str, Any] = next(one for one in document["containerDefinitions"] if one["name"] == "app")
    return app


@EVERY_SERVICE
def test_the_files_differ_in_the_name_of_the_service_alone(spec: ServiceSpec) -> None:
    orders = dockerfile("orders").read_text(encoding="utf-8")
    assert dockerfile(spec.name).read_text(encoding="utf-8") == orders.replace("orders", spec.name)


@EVERY_SERVICE
def test_the_command_is_that_of_the_api(spec: ServiceSpec) -> None:
    (command,) = instructions(spec.name)["CMD"]
    assert json.loads(command) == app_of(spec)["command"] == list(spec.commands.api)
    assert "ENTRYPOINT" not in instructions(spec.name)


@EVERY_SERVICE
def test_the_health_check_is_that_of_a_task_definition_with_the_default_timing(spec: ServiceSpec) -> None:
    """ECS ignores the image's own; a team that changes the timing in platform.toml need not touch its Dockerfile."""
    (check,) = instructions(spec.name)["HEALTHCHECK"]
    options, _, command = check.partition(" CMD ")
    assert ["CMD", *json.loads(command)] == app_of(spec)["healthCheck"]["command"]
    expected = app_of(DEFAULTS)["healthCheck"]
    assert dict(re.findall(r"--([a-z-]+)=(\w+)", options)) == {
        "interval": f"{expected['interval']}s",
        "timeout": f"{expected['timeout']}s",
        "start-period": f"{expected['startPeriod']}s",
        "retries": str(expected["retries"]),
    }


@EVERY_SERVICE
def test_port_user_and_temporary_files_are_those_of_the_task_definition(spec: ServiceSpec) -> None:
    last, app = instructions(spec.name), app_of(spec)
    assert last["EXPOSE"] == [str(spec.port)]
    assert last["USER"] == [APP_USER] == [app["user"]]
    assert [json.loads(one) for one in last["VOLUME"]] == [[mount["containerPath"] for mount in app["mountPoints"]]]


@EVERY_SERVICE
def test_what_changes_with_every_commit_comes_last(spec: ServiceSpec) -> None:
    names = list(instructions(spec.name))
    assert names[-2:] == ["ARG", "LABEL"]
    labels = instructions(spec.name)["LABEL"][0]
    assert re.findall(r"org\.opencontainers\.image\.([a-z]+)=", labels) == ["title", "version", "revision", "source"]


@EVERY_SERVICE
def test_nothing_that_an_older_engine_lacks_is_used(spec: ServiceSpec) -> None:
    text = dockerfile(spec.name).read_text(encoding="utf-8")
    assert not re.search(r"^# *syntax=|<<|--link|--mount|@sha256:", text, re.MULTILINE)


@EVERY_SERVICE
def test_the_lock_of_an_image_holds_nothing_of_the_deploy_half_and_no_test_tool(spec: ServiceSpec) -> None:
    lock = (ROOT / "requirements" / f"{spec.name}.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    assert {"aiobotocore", "fastapi", "greenlet", "sqlalchemy", "uvicorn"} <= locked
    # aiobotocore imports httpx2 or httpx wherever it finds one: 5 MiB and 40 ms for nothing.
    assert not {"boto3", "httpx", "httpx2", "pytest", "ruff", "mypy", "moto", "ministack", "testcontainers"} & locked


@EVERY_SERVICE
def test_an_image_holds_the_versions_that_the_tests_run(spec: ServiceSpec) -> None:
    image, development = (
        set(
            re.findall(r"^[a-z0-9-]+==[^ ;]+", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE)
        )
        for name in (f"{spec.name}.txt", "development.txt")
    )
    assert image - development == set()
