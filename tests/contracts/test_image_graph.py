"""The graph that `platform changed` follows, and the Dockerfiles and documents that it speaks of, say the same."""

import re

import pytest

from platform_sdk.deploy.build.changed import RENDERERS, SDK_SOURCE, imported_files, load_graph
from platform_sdk.deploy.build.image_inputs import load_inputs
from platform_sdk.deploy.build.publish import read_inputs
from platform_sdk.deploy.environment import load_environment, service_names
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.support.repository import ROOT

SERVICES = service_names(ROOT)


@pytest.mark.parametrize("service", SERVICES)
def test_every_source_that_a_dockerfile_copies_brings_files_into_the_graph(service: str) -> None:
    inputs = load_inputs(ROOT, service)
    paths = [file.path for file in read_inputs(ROOT, inputs)]
    assert {inputs.source_of(path) for path in paths} - {None} == set(inputs.dockerfile.sources)


@pytest.mark.parametrize("service", SERVICES)
def test_every_file_of_an_image_touches_its_image_and_what_is_in_no_image_touches_none(service: str) -> None:
    graph = load_graph(ROOT, SERVICES, None)
    paths = {file.path for file in read_inputs(ROOT, load_inputs(ROOT, service))}
    for path in paths:
        assert "image" in [reason.kind for reason in graph.reasons(service, path)], path
    tests = [file.relative_to(ROOT).as_posix() for file in (ROOT / "tests").rglob("*.py")]
    assert [path for path in tests if any(graph.reasons(service, path))] == []


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_nothing_of_another_service_and_nothing_that_releases(service: str) -> None:
    paths = [file.path for file in read_inputs(ROOT, load_inputs(ROOT, service))]
    others = "|".join(other for other in SERVICES if other != service)
    foreign = re.compile(rf"(services|requirements)/({others})\b|.*/platform_sdk/(deploy|cli)")
    assert [path for path in paths if foreign.match(path)] == []


def test_a_services_documents_follow_from_its_own_platform_toml() -> None:
    """So another service's is no edge to them: read alone, or with all the others, they are the same."""
    environment = load_environment(ROOT, "production")
    for together in load_services(ROOT, "production"):
        alone = load_spec(ROOT / f"services/{together.name}/platform.toml", "production", root=ROOT)
        assert render_service_stack(alone, environment) == render_service_stack(together, environment)
        first, second = (
            render_task_definition(spec, environment, image="a:1", role="api") for spec in (alone, together)
        )
        assert first == second


def test_what_renders_is_found_by_its_imports() -> None:
    found = {file.relative_to(ROOT / SDK_SOURCE).as_posix() for file in imported_files(ROOT / SDK_SOURCE, RENDERERS)}
    rendering = {file.relative_to(ROOT / SDK_SOURCE).as_posix() for file in (ROOT / SDK_SOURCE).rglob("render/*.py")}
    assert rendering < found
    files = ("contract.py", "deploy/toml_document.py", "deploy/config_errors.py")
    assert {f"platform_sdk/{file}" for file in files} < found
    assert not [file for file in found if "/runtime/" in file or "/aws/" in file or "/build/" in file]
