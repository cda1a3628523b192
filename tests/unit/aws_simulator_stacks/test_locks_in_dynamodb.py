"""Conditional writes as a lock uses them, and what the expressions refuse to guess."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_simulator import AwsSimulator, UnsupportedOperation
from aws_simulator.dynamodb import Expression

FREE_OR_EXPIRED = "attribute_not_exists(#name) OR expires_at < :now"
ITEM = {"name": {"S": "release/orders"}, "token": {"S": "one"}, "expires_at": {"N": "100"}}
KEY = {"name": ITEM["name"]}


@pytest.fixture
def dynamodb(simulator: AwsSimulator) -> Any:
    client = simulator.client("dynamodb")
    client.create_table(
        TableName="locks",
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def take(dynamodb: Any, token: str, now: int, **more: Any) -> Any:
    return dynamodb.put_item(
        TableName="locks",
        Item={**ITEM, "token": {"S": token}, "expires_at": {"N": str(now + 100)}},
        ConditionExpression=FREE_OR_EXPIRED,
        ExpressionAttributeNames={"#name": "name"},
        ExpressionAttributeValues={":now": {"N": str(now)}},
        **more,
    )


def test_a_lock_is_taken_once_until_it_expires(dynamodb: Any) -> None:
    take(dynamodb, "one", 0)
    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        take(dynamodb, "two", 99)
    found = take(dynamodb, "two", 101, ReturnValues="ALL_OLD")["Attributes"]
    assert found["token"] == {"S": "one"}
    assert dynamodb.get_item(TableName="locks", Key=KEY, ConsistentRead=True)["Item"]["token"] == {"S": "two"}


def test_a_refused_acquisition_returns_the_holder(dynamodb: Any) -> None:
    take(dynamodb, "one", 0)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as refused:
        take(dynamodb, "two", 9, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert refused.value.response["Item"]["token"] == {"S": "one"}
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as silent:
        take(dynamodb, "two", 9)
    assert "Item" not in silent.value.response


def test_it_is_renewed_and_given_back_by_its_holder_only(dynamodb: Any) -> None:
    take(dynamodb, "one", 0)
    renew = {
        "TableName": "locks",
        "Key": KEY,
        "UpdateExpression": "SET expires_at = :later, deployment_id = :deployment REMOVE purpose",
        "ConditionExpression": "#token = :token AND attribute_exists(expires_at)",
        "ExpressionAttributeNames": {"#token": "token"},
    }
    values = {":later": {"N": "500"}, ":deployment": {"S": "d-1"}}
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.update_item(**renew, ExpressionAttributeValues={**values, ":token": {"S": "two"}})
    mine = {**values, ":token": {"S": "one"}}
    after = dynamodb.update_item(**renew, ExpressionAttributeValues=mine, ReturnValues="ALL_NEW")["Attributes"]
    assert (after["expires_at"], after["deployment_id"]) == ({"N": "500"}, {"S": "d-1"})
    give_back = {"TableName": "locks", "Key": KEY, "ConditionExpression": "#token = :token"}
    names = {"ExpressionAttributeNames": {"#token": "token"}}
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.delete_item(**give_back, **names, ExpressionAttributeValues={":token": {"S": "two"}})
    dynamodb.delete_item(**give_back, **names, ExpressionAttributeValues={":token": {"S": "one"}})
    assert "Item" not in dynamodb.get_item(TableName="locks", Key=KEY)


def test_an_update_without_condition_makes_the_item(dynamodb: Any) -> None:
    values = {":token": {"S": "one"}}
    dynamodb.update_item(
        TableName="locks", Key=KEY, UpdateExpression="SET #t = :token",
        ExpressionAttributeNames={"#t": "token"}, ExpressionAttributeValues=values,
    )  # fmt: skip
    assert dynamodb.get_item(TableName="locks", Key=KEY)["Item"] == {**KEY, "token": {"S": "one"}}


def test_a_table_that_is_not_there_is_refused(dynamodb: Any) -> None:
    with pytest.raises(ClientError, match="Requested resource not found"):
        dynamodb.get_item(TableName="others", Key=KEY)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("#token = :one", True),
        ("#token <> :one", False),
        ("#token = :two", False),
        ("expires_at >= :hundred AND expires_at <= :hundred", True),
        ("expires_at > :hundred", False),
        ("expires_at < :hundred OR #token = :one", True),
        ("NOT #token = :two", True),
        ("NOT (#token = :one OR attribute_exists(none))", False),
        ("#token = :two AND #token = :one OR #token = :one", True),
        ("#token = :two AND (#token = :one OR #token = :one)", False),
        ("none = :one", False),
        ("none <> :one", True),
        ("#token = :hundred", False),
        ("attribute_not_exists(none)", True),
    ],
)
def test_conditions_of_an_item(expression: str, holds: bool) -> None:
    values = {":one": {"S": "one"}, ":two": {"S": "two"}, ":hundred": {"N": "100.0"}}
    assert Expression(expression, {"#token": "token"}, values).holds(ITEM) is holds


@pytest.mark.parametrize(
    "expression",
    [
        "begins_with(#token, :one)",
        "#token BETWEEN :one AND :one",
        "#token = :none",
        "#token = #token",
        ":one = #token",
        "#token = :one #token = :one",
        "#token =",
        "#token + :one",
    ],
)
def test_an_expression_that_is_not_known_is_not_guessed(expression: str) -> None:
    with pytest.raises(UnsupportedOperation):
        Expression(expression, {"#token": "token"}, {":one": {"S": "one"}}).holds(ITEM)


@pytest.mark.parametrize("expression", ["ADD expires_at :one", "SET expires_at = expires_at + :one"])
def test_an_update_that_is_not_known_is_not_guessed(expression: str) -> None:
    with pytest.raises(UnsupportedOperation):
        Expression(expression, {}, {":one": {"N": "1"}}).changes()


def test_words_that_are_reserved_need_another_name(dynamodb: Any) -> None:
    with pytest.raises(ClientError, match="reserved keyword: token"):
        dynamodb.put_item(
            TableName="locks",
            Item=ITEM,
            ConditionExpression="token = :t",
            ExpressionAttributeValues={":t": {"S": "one"}},
        )


def test_a_name_that_is_not_defined_and_a_value_that_is_not_used_are_refused(dynamodb: Any) -> None:
    with pytest.raises(ClientError, match="is not defined; attribute name: #token"):
        dynamodb.delete_item(TableName="locks", Key=KEY, ConditionExpression="attribute_exists(#token)")
    with pytest.raises(ClientError, match="ExpressionAttributeValues unused in expressions"):
        dynamodb.delete_item(
            TableName="locks",
            Key=KEY,
            ExpressionAttributeValues={":t": {"S": "one"}},
            ConditionExpression="attribute_exists(expires_at)",
        )
