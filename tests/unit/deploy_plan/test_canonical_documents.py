"""Documents with the same meaning have the same canonical form; others do not."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.plan.diff import canonical_task_definition, canonical_template, document_digest
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.render.task_definition import render_standalone_task, render_task_definition
from tests.support.deployed_services import as_ecs_answers, image_of
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")
SERVICES = load_services(FIXTURES, "production")
ORDERS = next(spec for spec in SERVICES if spec.name == "orders")
IMAGE = image_of(ORDERS, PRODUCTION, "1.4.2")
DESCRIBED_ONLY: dict[str, Any] = {
    "taskDefinitionArn": "arn:aws:ecs:us-east-1:111122223333:task-definition/production-orders:7",
    "revision": 7,
    "status": "ACTIVE",
    "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.task-iam-role"}],
    "compatibilities": ["EC2", "FARGATE"],
    "registeredAt": "2026-01-05T09:00:00Z",
    "registeredBy": "arn:aws:sts::111122223333:assumed-role/production-orders-release/build",
    "placementConstraints": [],
    "enableFaultInjection": False,
}


def document() -> Any:
    return render_task_definition(ORDERS, PRODUCTION, image=IMAGE)


def app(of: Any) -> Any:
    return next(container for container in of["containerDefinitions"] if container["name"] == "app")


@pytest.mark.parametrize("spec", SERVICES, ids=lambda spec: spec.name)
def test_the_answer_of_ecs_equals_the_rendered_document(spec: Any) -> None:
    roles: Any = ("api",) if spec.worker is None else ("api", "worker")
    for role in roles:
        rendered: Any = render_task_definition(spec, PRODUCTION, image=IMAGE, role=role)
        live = as_ecs_answers(rendered) | DESCRIBED_ONLY
        assert live != rendered
        assert document_digest(live) == document_digest(rendered)


def test_standalone_tasks_and_every_key_too(tmp_path: Path) -> None:
    (tmp_path / "platform.toml").write_text(reference(), encoding="utf-8")
    spec = load_spec(tmp_path / "platform.toml", "production")
    for task in spec.tasks:
        rendered = render_standalone_task(spec, PRODUCTION, task, image=IMAGE)
        assert document_digest(as_ecs_answers(rendered) | DESCRIBED_ONLY) == document_digest(rendered)


def test_defaults_that_ecs_fills_in_are_no_difference() -> None:
    explicit, implicit = document(), document()
    container = app(explicit)
    container |= {"essential": True, "environmentFiles": [], "dockerLabels": {}, "versionConsistency": "enabled"}
    container["portMappings"][0] |= {"hostPort": 3000, "protocol": "tcp", "name": "http"}
    container["linuxParameters"] |= {"devices": [], "tmpfs": []}
    container["logConfiguration"]["secretOptions"] = []
    app(implicit).pop("essential")
    app(implicit)["portMappings"] = [{"containerPort": 3000}]
    app(implicit)["mountPoints"][0].pop("readOnly")
    assert canonical_task_definition(explicit) == canonical_task_definition(implicit)


def test_tags_belong_to_the_form_and_not_to_the_digest() -> None:
    tagged = document()
    tagged["tags"] = [*tagged["tags"], {"key": "platform:version", "value": "1.4.2"}]
    assert canonical_task_definition(tagged) != canonical_task_definition(document())
    assert document_digest(tagged) == document_digest(document())
    assert len(document_digest(tagged)) == 64


def with_variable(of: Any) -> None:
    app(of)["environment"].append({"name": "GREETING", "value": "hello"})


def with_empty_variable(of: Any) -> None:
    app(of)["environment"].append({"name": "GREETING", "value": ""})


def with_other_health_check(of: Any) -> None:
    app(of)["healthCheck"]["interval"] = 30


def with_other_order_of_command(of: Any) -> None:
    app(of)["command"].reverse()


def with_other_port(of: Any) -> None:
    app(of)["portMappings"][0] |= {"containerPort": 3001, "hostPort": 3001}


def with_writable_root(of: Any) -> None:
    app(of)["readonlyRootFilesystem"] = False


def with_unessential_app(of: Any) -> None:
    app(of)["essential"] = False


def with_udp(of: Any) -> None:
    app(of)["portMappings"][0]["protocol"] = "udp"


def with_other_cpu(of: Any) -> None:
    of["cpu"] = "1024"


def without_a_sidecar(of: Any) -> None:
    of["containerDefinitions"].pop()


@pytest.mark.parametrize(
    "change",
    [
        with_variable, with_empty_variable, with_other_health_check, with_other_order_of_command, with_other_port,
        with_writable_root, with_unessential_app, with_udp, with_other_cpu, without_a_sidecar,
    ],
)  # fmt: skip
def test_every_change_of_a_running_part_changes_the_digest(change: Callable[[Any], None]) -> None:
    changed = document()
    change(changed)
    assert document_digest(changed) != document_digest(document())


def test_documents_are_left_as_they_are() -> None:
    live = as_ecs_answers(document()) | DESCRIBED_ONLY
    before = copy.deepcopy(live)
    document_digest(live)
    assert live == before


def template() -> Any:
    return render_service_stack(ORDERS, PRODUCTION)


def test_parts_that_cloudformation_ignores_make_no_difference() -> None:
    other = template()
    other["Description"] = "another"
    other["Parameters"]["ContainerPort"] |= {"Default": 3001, "Description": "another"}
    other["Resources"]["BlueTargetGroup"] |= {"Metadata": {}, "DependsOn": ["Dashboard"]}
    other["Resources"]["Service"]["Properties"]["Tags"].reverse()
    assert canonical_template(other) == canonical_template(template())


@pytest.mark.parametrize("part", ["Properties", "DeletionPolicy", "UpdateReplacePolicy", "Type"])
def test_parts_that_cloudformation_acts_on_make_a_difference(part: str) -> None:
    other = template()
    queue = other["Resources"]["OrdersQueue"]
    queue[part] = {**queue[part], "DelaySeconds": 5} if part == "Properties" else "Other"
    assert canonical_template(other) != canonical_template(template())


def test_a_parameter_that_is_looked_up_elsewhere_is_one() -> None:
    other = template()
    other["Parameters"]["VpcId"]["Default"] = "/platform/staging/network/vpc-id"
    assert canonical_template(other) != canonical_template(template())
