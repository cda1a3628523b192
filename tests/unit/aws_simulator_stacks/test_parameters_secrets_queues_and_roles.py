"""The small services that a release asks: Parameter Store, Secrets Manager, SQS, IAM and STS."""

import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_simulator import AwsSimulator
from aws_simulator.secrets_and_parameters import SecretsManager, Ssm
from aws_simulator.small_services import Sts


def test_parameters_are_found_below_a_path_in_pages(simulator: AwsSimulator) -> None:
    for number in range(12):
        simulator.service(Ssm).put(f"/platform/staging/n{number:02d}", str(number))
    simulator.service(Ssm).put("/platform/staging/data/host", "db")
    simulator.service(Ssm).put("/platform/stagingother", "no")
    pages = simulator.client("ssm").get_paginator("get_parameters_by_path")
    flat = [list(page["Parameters"]) for page in pages.paginate(Path="/platform/staging")]
    assert [len(page) for page in flat] == [10, 2]
    every = [
        one["Name"] for page in pages.paginate(Path="/platform/staging", Recursive=True) for one in page["Parameters"]
    ]
    assert (len(every), "/platform/staging/data/host" in every) == (13, True)


def test_a_parameter_is_overwritten_only_if_asked(simulator: AwsSimulator) -> None:
    ssm = simulator.client("ssm")
    ssm.put_parameter(Name="/a", Value="1", Type="String")
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name="/a", Value="2", Type="String")
    assert ssm.put_parameter(Name="/a", Value="2", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name="/a")["Parameter"]["Value"] == "2"
    assert ssm.get_parameters(Names=["/a", "/b"])["InvalidParameters"] == ["/b"]
    ssm.delete_parameter(Name="/a")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/a")


def test_a_secure_parameter_is_shown_decrypted_only_if_asked(simulator: AwsSimulator) -> None:
    simulator.service(Ssm).put("/a", "secret", "SecureString")
    ssm = simulator.client("ssm")
    assert ssm.get_parameter(Name="/a")["Parameter"]["Value"] != "secret"
    assert ssm.get_parameter(Name="/a", WithDecryption=True)["Parameter"]["Value"] == "secret"


def test_a_secret_is_found_by_name_by_arn_and_by_the_arn_without_its_end(simulator: AwsSimulator) -> None:
    client = simulator.client("secretsmanager")
    arn = client.create_secret(Name="platform/staging/orders/database", SecretString='{"password": "p"}')["ARN"]
    for secret_id in ("platform/staging/orders/database", arn, arn[:-7]):
        assert json.loads(client.get_secret_value(SecretId=secret_id)["SecretString"]) == {"password": "p"}
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_secret(SecretId="platform/staging/orders/none")
    with pytest.raises(client.exceptions.ResourceExistsException):
        client.create_secret(Name="platform/staging/orders/database", SecretString="again")


def test_a_secret_without_a_value_is_there_and_cannot_be_read(simulator: AwsSimulator) -> None:
    client = simulator.client("secretsmanager")
    client.create_secret(Name="empty")
    assert client.describe_secret(SecretId="empty")["Name"] == "empty"
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="AWSCURRENT"):
        client.get_secret_value(SecretId="empty")
    client.put_secret_value(SecretId="empty", SecretString="now")
    assert client.get_secret_value(SecretId="empty")["SecretString"] == "now"


def test_a_secret_that_was_deleted_is_refused_and_described_as_such(simulator: AwsSimulator) -> None:
    client = simulator.client("secretsmanager")
    client.create_secret(Name="gone", SecretString="s")
    client.delete_secret(SecretId="gone")
    with pytest.raises(client.exceptions.InvalidRequestException, match="marked for deletion"):
        client.get_secret_value(SecretId="gone")
    assert client.describe_secret(SecretId="gone")["DeletedDate"] == simulator.now()
    assert client.list_secrets()["SecretList"] == []


def test_secrets_are_listed_by_the_beginning_of_their_name(simulator: AwsSimulator) -> None:
    for name in ("a/one", "a/two", "b/one"):
        simulator.service(SecretsManager).put(name, "s")
    filters = [{"Key": "name", "Values": ["a/"]}]
    listed = simulator.client("secretsmanager").list_secrets(Filters=filters)["SecretList"]
    assert [one["Name"] for one in listed] == ["a/one", "a/two"]


def test_a_queue_says_what_it_was_made_with(simulator: AwsSimulator) -> None:
    sqs = simulator.client("sqs")
    url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == url
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["VisibilityTimeout"], found["QueueArn"].rpartition(":")[2]) == ("60", "orders")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist, match="NonExistentQueue"):
        sqs.get_queue_url(QueueName="none")


def test_roles_show_their_documents_and_the_simulator_judges_by_them(simulator: AwsSimulator) -> None:
    iam = simulator.client("iam")
    trust = {
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]
    }
    allow = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
    condition = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    document = {"Statement": [{**allow, "Condition": condition}]}
    arn = iam.create_role(RoleName="release", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="release", PolicyName="release", PolicyDocument=json.dumps(document))
    assert iam.get_role(RoleName="release")["Role"]["AssumeRolePolicyDocument"] == trust
    assert iam.list_role_policies(RoleName="release")["PolicyNames"] == ["release"]
    assert iam.get_role_policy(RoleName="release", PolicyName="release")["PolicyDocument"] == document

    def decision(**more: Any) -> tuple[str, list[str]]:
        asked = {"PolicySourceArn": arn, "ActionNames": ["iam:PassRole"], "ResourceArns": [arn]}
        (found,) = iam.simulate_principal_policy(**asked, **more)["EvaluationResults"]
        return found["EvalDecision"], found["MissingContextValues"]

    passed = {"ContextKeyName": "iam:PassedToService", "ContextKeyType": "string"}
    assert decision(ContextEntries=[{**passed, "ContextKeyValues": ["ecs-tasks.amazonaws.com"]}]) == ("allowed", [])
    assert decision(ContextEntries=[{**passed, "ContextKeyValues": ["ec2.amazonaws.com"]}]) == ("implicitDeny", [])
    assert decision() == ("implicitDeny", ["iam:PassedToService"])


def test_a_role_that_is_not_there_is_refused(simulator: AwsSimulator) -> None:
    iam = simulator.client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException, match="The role with name none cannot be found"):
        iam.get_role(RoleName="none")


def test_the_caller_is_who_the_test_says(simulator: AwsSimulator) -> None:
    simulator.service(Sts).caller = f"arn:aws:sts::{simulator.account_id}:assumed-role/build/42"
    answer = simulator.client("sts").get_caller_identity()
    assert (answer["Account"], answer["Arn"].rpartition("/")[2]) == (simulator.account_id, "42")


@pytest.mark.parametrize(
    ("service", "operation", "request_", "resource"),
    [
        ("ssm", "get_parameter", {"Name": "/a/b"}, "arn:aws:ssm:us-east-1:{}:parameter/a/b"),
        ("ssm", "get_parameters_by_path", {"Path": "/a"}, "arn:aws:ssm:us-east-1:{}:parameter/a"),
        ("ecr", "describe_images", {"repositoryName": "orders"}, "arn:aws:ecr:us-east-1:{}:repository/orders"),
        ("ecr", "get_authorization_token", {}, "*"),
        ("dynamodb", "describe_table", {"TableName": "t"}, "arn:aws:dynamodb:us-east-1:{}:table/t"),
        ("sqs", "get_queue_url", {"QueueName": "q"}, "arn:aws:sqs:us-east-1:{}:q"),
        ("iam", "get_role", {"RoleName": "r"}, "arn:aws:iam::{}:role/r"),
        ("sts", "get_caller_identity", {}, "*"),
        ("cloudformation", "describe_stacks", {"StackName": "s"}, "arn:aws:cloudformation:us-east-1:{}:stack/s/*"),
    ],
)
def test_a_call_is_recorded_with_what_it_is_about(
    simulator: AwsSimulator, service: str, operation: str, request_: dict[str, Any], resource: str
) -> None:
    with suppress(ClientError):
        getattr(simulator.client(service), operation)(**request_)
    assert simulator.calls[-1].resources == (resource.format(simulator.account_id),)
