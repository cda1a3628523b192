"""The task definition of a scheduled command, and its schedule."""

from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import render_standalone_task
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")


@pytest.fixture
def spec(tmp_path: Path) -> ServiceSpec:
    """With every key of platform.toml, so with a task."""
    file = tmp_path / "platform.toml"
    file.write_text(reference(), encoding="utf-8")
    return load_spec(file)


def test_ecs_registers_it_with_the_family_that_the_schedule_starts(spec: ServiceSpec) -> None:
    resources: Any = render_service_stack(spec, PRODUCTION)["Resources"]
    started = {
        body["Properties"]["Target"]["EcsParameters"]["TaskDefinitionArn"].rpartition("/")[2]
        for body in resources.values()
        if body["Type"] == "AWS::Scheduler::Schedule"
    }
    documents = [
        render_standalone_task(spec, PRODUCTION, task, image="orders:7") for task in spec.tasks if task.schedule
    ]
    assert {document["family"] for document in documents} == started != set()
    shape = get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
    assert shape is not None
    for document in documents:
        assert not ParamValidator().validate(document, shape).has_errors()


def test_it_runs_its_command_in_its_size_and_answers_no_requests(spec: ServiceSpec) -> None:
    task = spec.tasks[0]
    document: Any = render_standalone_task(spec, PRODUCTION, task, image="orders:7")
    app = document["containerDefinitions"][0]
    assert (app["command"], app["image"]) == (list(task.command), "orders:7")
    assert (document["cpu"], document["memory"]) == (str(task.cpu), str(task.memory_mib))
    assert "portMappings" not in app
    assert app["logConfiguration"]["options"]["log_stream_prefix"] == f"{task.name}/"
    assert {"key": "platform:role", "value": task.name} in document["tags"]
