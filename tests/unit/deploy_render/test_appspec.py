"""The AppSpec from the repository's appspec.yaml, and the request with it."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import get_session
from botocore.validate import ParamValidator

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.codedeploy import appspec_of, deployment_request, load_appspec_template, render_appspec
from platform_sdk.deploy.render.service_stack import render_service_stack
from tests.support.repository import FIXTURES

STAGING = load_environment(FIXTURES, "staging")
SPECS = load_services(FIXTURES, "staging")
REVISION = "arn:aws:ecs:us-east-1:444455556666:task-definition/staging-orders:42"


def parsed(spec: ServiceSpec) -> dict[str, Any]:
    return dict(yaml.safe_load(render_appspec(load_appspec_template(FIXTURES), appspec_of(spec, STAGING), REVISION)))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_it_names_the_revision_and_the_container_that_the_service_has(spec: ServiceSpec) -> None:
    (target,) = parsed(spec)["Resources"]
    assert target["TargetService"]["Type"] == "AWS::ECS::Service"
    assert target["TargetService"]["Properties"] == {
        "TaskDefinition": REVISION,
        "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": spec.port},
        "PlatformVersion": "1.4.0",
    }
    assert parsed(spec)["version"] == 0.0


def test_hooks_are_called_in_the_order_of_codedeploy_and_the_smoke_test_is_the_environments() -> None:
    spec = replace(SPECS[0], hooks={"AfterAllowTraffic": "tell-sales", "AfterAllowTestTraffic": "smoke_test"})
    assert parsed(spec)["Hooks"] == [
        {"AfterAllowTestTraffic": "platform-staging-smoke-test"},
        {"AfterAllowTraffic": "tell-sales"},
    ]
    assert parsed(replace(spec, hooks={}))["Hooks"] == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_codedeploy_accepts_the_request(spec: ServiceSpec) -> None:
    appspec = render_appspec(load_appspec_template(FIXTURES), appspec_of(spec, STAGING), REVISION)
    request = deployment_request(appspec, spec, STAGING, "1.4.2")
    shape = get_session().get_service_model("codedeploy").operation_model("CreateDeployment").input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    revision: Any = request["revision"]
    assert revision["appSpecContent"]["sha256"] == hashlib.sha256(appspec.encode()).hexdigest()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_request_names_resources_of_the_stack(spec: ServiceSpec) -> None:
    resources: Any = render_service_stack(spec, STAGING)["Resources"]
    request = deployment_request("", spec, STAGING, "1.4.2")
    assert request["applicationName"] == resources["Application"]["Properties"]["ApplicationName"]
    assert request["deploymentGroupName"] == resources["DeploymentGroup"]["Properties"]["DeploymentGroupName"]


def test_it_is_made_from_the_file_at_the_root_and_from_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "appspec.yaml").write_text("another: $task_definition\n", encoding="utf-8")
    text = render_appspec(load_appspec_template(tmp_path), appspec_of(SPECS[0], STAGING), REVISION)
    assert yaml.safe_load(text) == {"another": REVISION}
