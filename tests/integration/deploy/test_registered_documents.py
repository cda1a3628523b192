"""The answer of an ECS emulator equals the rendered task definition, whatever the emulator adds."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local_aws.servers.ministack import AwsServer
from platform_sdk.deploy.aws.session import Aws, connect
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.plan.diff import diff_task_definitions, document_digest
from platform_sdk.deploy.render.names import Role
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.support.repository import FIXTURES

STAGING = load_environment(FIXTURES, "staging")
ROLES: tuple[Role, ...] = ("api", "worker")
RENDERED = [
    (role, render_task_definition(spec, STAGING, image=f"{spec.name}:1.4.2", role=role))
    for spec in load_services(FIXTURES, "staging")
    for role in ROLES
    if role == "api" or spec.worker is not None
]


@pytest.fixture
def aws(aws_server: AwsServer) -> Iterator[Aws]:
    gateways = connect(replace(STAGING, aws_endpoint_url=aws_server.endpoint_url))
    yield gateways
    gateways.ecs.client.boto3_client.close()


@pytest.mark.parametrize(("role", "document"), RENDERED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_registered_document_is_no_change(aws: Aws, role: Role, document: dict[str, object]) -> None:
    bare = {key: value for key, value in document.items() if key != "tags"}
    registered = aws.ecs.register(bare, {"platform:document": document_digest(document)})
    found = aws.ecs.revision(registered.arn)
    assert found is not None
    assert diff_task_definitions(role, found.document, document) == ()
    assert document_digest(found.document) == found.tags["platform:document"]
