"""Which services a change affects: the graph of this repository, file by file."""

from functools import cache

import pytest

from platform_sdk.deploy.build.changed import Edge, Graph, Kind, affected_services, load_graph
from tests.support.repository import ROOT

SERVICES = ("inventory", "orders", "users")
SDK = "libs/platform_sdk/src/platform_sdk"


@cache
def graph(environment: str | None = None) -> Graph:
    return load_graph(ROOT, SERVICES, environment)


def why(path: str, environment: str | None = None) -> dict[str, set[tuple[Kind, Edge]]]:
    return {
        one.service: {(reason.kind, reason.edge) for reason in one.reasons}
        for one in affected_services(graph(environment), [path])
    }


def all_by(*reasons: tuple[Kind, Edge]) -> dict[str, set[tuple[Kind, Edge]]]:
    return {service: set(reasons) for service in SERVICES}


@pytest.mark.parametrize(
    "path",
    [
        "services/orders/src/orders/api.py",
        "services/orders/src/orders/a_new_one.py",
        "services/orders/migrations/versions/0002_more.py",
    ],
)
def test_a_services_sources_touch_its_image(path: str) -> None:
    assert why(path) == {"orders": {("image", "service")}}


def test_a_services_platform_toml_touches_its_documents_and_no_image() -> None:
    assert why("services/orders/platform.toml") == {"orders": {("documents", "service")}}


def test_a_lock_touches_the_image_of_its_service() -> None:
    assert why("requirements/users.txt") == {"users": {("image", "lock")}}


def test_a_dockerfile_affects_its_image_and_shared_files_affect_all_images() -> None:
    assert why("services/users/Dockerfile") == {"users": {("image", "Dockerfile")}}
    assert why(".dockerignore") == all_by(("image", "Dockerfile"))
    assert why("deploy/image/root_filesystem.py") == all_by(("image", "Dockerfile"))


def test_the_runtime_half_touches_every_image() -> None:
    assert why(f"{SDK}/runtime/messaging/outbox.py") == all_by(("image", "SDK"))


def test_renderers_affect_the_documents_of_every_service() -> None:
    for module in ("render/alarms.py", "manifest/reader.py", "environment.py", "render/names.py", "toml_document.py"):
        assert why(f"{SDK}/deploy/{module}") == all_by(("documents", "renderer")), module


def test_modules_of_both_halves_affect_images_and_documents() -> None:
    assert why(f"{SDK}/contract.py") == all_by(("image", "SDK"), ("documents", "renderer"))


@pytest.mark.parametrize(
    "path",
    [
        "appspec.yaml",
        "deploy/cloudformation/pipeline.yaml",
        "deploy/cloudformation/cloudwatch-agent.json",
        "deploy/hooks/smoke_test.py",
    ],
)
def test_templates_touch_every_services_documents(path: str) -> None:
    assert why(path) == all_by(("documents", "template"))


def test_an_environments_file_touches_the_documents_of_that_environment() -> None:
    staging = "deploy/environments/staging.toml"
    assert why(staging) == why(staging, "staging") == all_by(("documents", "environment"))
    assert why(staging, "production") == {}


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docs/flows.md",
        "services/orders/README.md",
        "services/orders/pyproject.toml",
        "tests/unit/orders/test_order_states.py",
        "benchmarks/__main__.py",
        "Makefile",
        "buildspec.yml",
        "deploy/release.py",
        "deploy/prices/us-east-1.toml",
        "requirements/development.txt",
        "libs/local_aws/src/local_aws/local_stack.py",
        f"{SDK}/cli/__init__.py",
        f"{SDK}/runtime/testing.py",
        f"{SDK}/deploy/build/changed.py",
        f"{SDK}/deploy/manifest/reference.py",
    ],
)
def test_other_files_affect_nothing(path: str) -> None:
    assert why(path) == {}


def test_services_come_by_name_and_reasons_by_path() -> None:
    found = affected_services(
        graph(), {"services/users/platform.toml", "requirements/users.txt", "requirements/orders.txt"}
    )
    assert [one.service for one in found] == ["orders", "users"]
    assert [reason.path for reason in found[1].reasons] == ["requirements/users.txt", "services/users/platform.toml"]
    assert found[1].kinds == ("image", "documents")
