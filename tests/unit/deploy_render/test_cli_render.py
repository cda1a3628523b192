"""`platform render`: all documents of a service, or one of them."""

import json
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from platform_sdk.cli import platform
from tests.support.repository import FIXTURES


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(platform, ("render", *arguments, "--env", "staging"), prog_name="platform")


def documents(*arguments: str) -> list[Any]:
    return list(yaml.safe_load_all(run(*arguments).stdout))


def test_all_documents_are_one_stream_of_yaml() -> None:
    api, worker, appspec, stack = documents("orders", "--image", "orders:7")
    assert (api["family"], worker["family"]) == ("staging-orders", "staging-orders-worker")
    assert appspec["Resources"][0]["TargetService"]["Type"] == "AWS::ECS::Service"
    assert stack["Resources"]["WorkerService"]["Properties"]["ServiceName"] == worker["family"]
    assert len(documents("users")) == 3


def test_the_stream_and_the_single_document_say_the_same() -> None:
    api, worker, appspec, stack = documents("orders")
    assert json.loads(run("orders", "--document", "task-definition").stdout) == api
    assert json.loads(run("orders", "--role", "worker").stdout) == worker
    assert documents("orders", "--document", "appspec") == [appspec]
    assert documents("orders", "--document", "stack") == [stack]


def test_the_appspec_names_the_given_revision() -> None:
    (appspec,) = documents("orders", "--document", "appspec", "--revision", "42")
    named = appspec["Resources"][0]["TargetService"]["Properties"]["TaskDefinition"]
    assert named == "arn:aws:ecs:us-east-1:444455556666:task-definition/staging-orders:42"


def test_a_role_is_of_a_task_definition_only() -> None:
    result = run("orders", "--document", "stack", "--role", "worker")
    assert result.exit_code == 2
    assert "--role does not go with --document" in result.stderr
