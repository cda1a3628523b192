"""Where gateways connect to: the environment decides, and nothing else."""

from dataclasses import replace

import pytest

from platform_sdk.deploy.aws.session import ATTEMPTS, connect
from platform_sdk.deploy.environment import load_environment
from tests.support.repository import FIXTURES


@pytest.fixture(autouse=True)
def _a_shell_with_other_ideas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def test_an_environment_on_aws_is_reached_with_the_callers_keys_whatever_endpoint_the_shell_names() -> None:
    aws = connect(load_environment(FIXTURES, "production"))

    meta = aws.ecs.client.boto3_client.meta
    assert meta.endpoint_url == "https://ecs.us-east-1.amazonaws.com"
    assert aws.ecs.client.boto3_client._request_signer._credentials.access_key == "mine"
    assert (meta.config.retries["mode"], meta.config.retries["total_max_attempts"]) == ("standard", ATTEMPTS)
    assert (aws.account_id, aws.region, aws.partition) == ("111122223333", "us-east-1", "aws")


def test_what_stands_for_aws_never_sees_a_developers_keys() -> None:
    environment = replace(load_environment(FIXTURES, "local"), aws_endpoint_url="http://127.0.0.1:4566")

    client = connect(environment).codedeploy.client.boto3_client

    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert client._request_signer._credentials.access_key == "local"


def test_each_gateway_is_made_once_and_of_its_own_service() -> None:
    aws = connect(load_environment(FIXTURES, "staging"))

    clients = {
        name: getattr(aws, name).client.boto3_client.meta.service_model.service_name
        for name in (
            "ecs",
            "codedeploy",
            "load_balancing",
            "scaling",
            "alarms",
            "logs",
            "stacks",
            "images",
            "parameters",
            "secrets",
            "identity",
            "locks",
            "database",
            "lambdas",
        )
    }

    assert aws.ecs is aws.ecs
    assert clients == {
        "ecs": "ecs",
        "codedeploy": "codedeploy",
        "load_balancing": "elbv2",
        "scaling": "application-autoscaling",
        "alarms": "cloudwatch",
        "logs": "logs",
        "stacks": "cloudformation",
        "images": "ecr",
        "parameters": "ssm",
        "secrets": "secretsmanager",
        "identity": "sts",
        "locks": "dynamodb",
        "database": "rds-data",
        "lambdas": "lambda",
    }
    assert aws.identity.iam_client.boto3_client.meta.service_model.service_name == "iam"
