"""Every platform.toml and every environment of this repository can be used."""

import re
from importlib.util import find_spec

import pytest

from platform_sdk.deploy.check import check
from platform_sdk.deploy.environment import environment_names, load_environment, service_names
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from tests.support.repository import ROOT

SERVICES = load_services(ROOT)


def test_every_service_and_environment_passes_the_check() -> None:
    assert check(ROOT) == (service_names(ROOT), environment_names(ROOT))


@pytest.mark.parametrize("spec", SERVICES, ids=lambda spec: spec.name)
def test_a_service_with_queues_has_a_worker(spec: ServiceSpec) -> None:
    assert spec.worker is not None or not spec.queues


@pytest.mark.parametrize("spec", SERVICES, ids=lambda spec: spec.name)
def test_every_command_names_a_module_of_the_service_or_of_the_sdk(spec: ServiceSpec) -> None:
    worker = () if spec.worker is None else (spec.worker.command,)
    for command in (spec.commands.api, spec.commands.migrate, spec.commands.demo, *worker):
        if command is not None:
            assert command[:2] == ("python", "-m")
            assert find_spec(command[2]) is not None
            assert re.fullmatch(rf"{spec.name}\.\w+|platform_sdk\.runtime\.[\w.]+", command[2])


def test_no_environment_holds_an_arn() -> None:
    for name in environment_names(ROOT):
        assert "arn:" not in (ROOT / "deploy" / "environments" / f"{name}.toml").read_text(encoding="utf-8")


def test_only_the_laptop_has_an_aws_endpoint_of_its_own() -> None:
    environments = [load_environment(ROOT, name) for name in environment_names(ROOT)]
    assert [each.name for each in environments if each.aws_endpoint_url is not None] == ["local"]
