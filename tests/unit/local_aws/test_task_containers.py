"""What the runner reads from a task definition: the app container, and where its secrets are kept."""

import os

import pytest

from local_aws.tasks.process import (
    ParameterReference,
    SecretsManagerReference,
    app_container,
    base_environment,
    parse_reference,
)
from platform_sdk.contract import STOP_TIMEOUT_SECONDS

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:platform/local/orders/database"

DEFINITION = {
    "containerDefinitions": [
        {"name": "log-router", "command": ["fluent-bit"]},
        {
            "name": "app",
            "command": ["python", "-m", "orders.main"],
            "environment": [{"name": "PORT", "value": "3000"}],
            "secrets": [{"name": "DATABASE_PASSWORD", "valueFrom": f"{ARN}:password::"}],
            "stopTimeout": 45,
        },
    ]
}


def test_only_the_app_container_runs_here() -> None:
    container = app_container(DEFINITION)
    assert container.command == ("python", "-m", "orders.main")
    assert container.environment == {"PORT": "3000"}
    assert container.secrets == {"DATABASE_PASSWORD": f"{ARN}:password::"}
    assert container.stop_timeout_seconds == 45


def test_container_that_says_little_gets_the_usual_stop_timeout() -> None:
    container = app_container({"containerDefinitions": [{"name": "app", "command": ["true"]}]})
    assert (container.environment, container.secrets) == ({}, {})
    assert container.stop_timeout_seconds == STOP_TIMEOUT_SECONDS


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (ARN, SecretsManagerReference(arn=ARN)),
        (f"{ARN}:password::", SecretsManagerReference(arn=ARN, json_key="password")),
        (f"{ARN}::AWSPREVIOUS:", SecretsManagerReference(arn=ARN, version_stage="AWSPREVIOUS")),
        (f"{ARN}:::v1", SecretsManagerReference(arn=ARN, version_id="v1")),
        ("/platform/local/orders/flag", ParameterReference(name="/platform/local/orders/flag")),
        (
            "arn:aws:ssm:us-east-1:000000000000:parameter/platform/local/orders/flag",
            ParameterReference(name="/platform/local/orders/flag"),
        ),
    ],
)
def test_secret_reference_is_read_as_ecs_reads_it(
    text: str, reference: SecretsManagerReference | ParameterReference
) -> None:
    assert parse_reference(text) == reference


def test_secret_is_known_by_its_name() -> None:
    assert parse_reference(f"{ARN}:password::").name == "platform/local/orders/database"


def test_nothing_of_the_developers_shell_reaches_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real one")
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    environment = base_environment()
    assert environment["AWS_SECRET_ACCESS_KEY"] == "local"
    assert {environment["AWS_CONFIG_FILE"], environment["AWS_SHARED_CREDENTIALS_FILE"]} == {os.devnull}
    assert "DATABASE_URL" not in environment
