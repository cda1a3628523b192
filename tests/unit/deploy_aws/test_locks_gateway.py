"""The conditions under which locks are written, and what is made of the answers. DynamoDB itself is in the
integration tests.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.state import Held, LockItem, Suspended, Taken
from tests.support.recorded_aws import RecordedAws, Refusal

TABLE = "platform-production-locks"
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
OURS = LockItem(
    name="release/orders",
    token="ours",
    owner="me",
    purpose="release",
    since=AT,
    expires_at=AT + timedelta(seconds=180),
)
SECONDS = int(AT.timestamp())
LOST = Refusal(code="ConditionalCheckFailedException", message="The conditional request failed")
SUSPENDED = '{"scale_in": true, "scale_out": false, "scheduled": false}'


def kept(token: str, **more: str) -> dict[str, Any]:
    texts = {"name": OURS.name, "token": token, "owner": "you", "purpose": "rollback", **more}
    numbers = {"since": str(SECONDS - 300), "expires_at": str(SECONDS - 60)}
    return {name: {"S": text} for name, text in texts.items()} | {name: {"N": text} for name, text in numbers.items()}


def test_a_free_lock_is_taken_under_the_condition_that_it_is_free() -> None:
    aws = RecordedAws()
    aws.answers("dynamodb.UpdateItem", {})

    assert aws.gateways.locks.take(TABLE, OURS, now=AT) == Held(item=OURS, before=None)
    assert aws.requests == [
        (
            "dynamodb.UpdateItem",
            {
                "TableName": TABLE,
                "Key": {"name": {"S": "release/orders"}},
                "ConditionExpression": "attribute_not_exists(#name) OR #expires_at <= :now OR #token = :token",
                "UpdateExpression": "SET #token = :token, #owner = :owner, #purpose = :purpose, #since = :since, "
                "#expires_at = :expires_at",
                "ExpressionAttributeNames": {
                    f"#{name}": name for name in ("expires_at", "name", "owner", "purpose", "since", "token")
                },
                "ExpressionAttributeValues": {
                    ":now": {"N": str(SECONDS)},
                    ":token": {"S": "ours"},
                    ":owner": {"S": "me"},
                    ":purpose": {"S": "release"},
                    ":since": {"N": str(SECONDS)},
                    ":expires_at": {"N": str(SECONDS + 180)},
                },
                "ReturnValues": "ALL_OLD",
            },
        )
    ]


def test_notes_of_an_expired_holder_are_kept() -> None:
    aws = RecordedAws()
    aws.answers("dynamodb.UpdateItem", {"Attributes": kept("theirs", deployment_id="d-1", scaling=SUSPENDED)})

    held = aws.gateways.locks.take(TABLE, OURS, now=AT)

    assert isinstance(held, Held)
    assert held.item == replace(OURS, deployment_id="d-1", scaling=Suspended(scale_in=True))
    assert held.before is not None
    assert (held.before.owner, held.before.purpose, held.before.token) == ("you", "rollback", "theirs")
    assert (held.before.since, held.before.expires_at) == (AT - timedelta(seconds=300), AT - timedelta(seconds=60))


def test_a_lock_whose_answer_was_lost_is_ours_when_it_is_taken_again() -> None:
    aws = RecordedAws()
    aws.answers("dynamodb.UpdateItem", {"Attributes": kept("ours", scaling=SUSPENDED)})

    held = aws.gateways.locks.take(TABLE, OURS, now=AT)

    assert isinstance(held, Held)
    assert held.before is None
    assert held.item.scaling == Suspended(scale_in=True)


def test_a_lock_of_another_says_whose_it_is() -> None:
    aws = RecordedAws()
    aws.answers("dynamodb.UpdateItem", LOST)
    aws.answers("dynamodb.GetItem", {"Item": kept("theirs")})

    taken = aws.gateways.locks.take(TABLE, OURS, now=AT)

    assert isinstance(taken, Taken)
    assert (taken.by.owner, taken.by.deployment_id, taken.by.scaling) == ("you", "", None)
    assert aws.sent("dynamodb.GetItem")[0]["ConsistentRead"] is True


def test_a_lock_that_is_released_meanwhile_is_taken_at_the_second_attempt() -> None:
    aws = RecordedAws()
    aws.answers("dynamodb.UpdateItem", LOST, {})
    aws.answers("dynamodb.GetItem", {})

    assert aws.gateways.locks.take(TABLE, OURS, now=AT) == Held(item=OURS, before=None)


def test_renewing_changes_only_what_is_given() -> None:
    aws = RecordedAws()
    aws.answers("dynamodb.UpdateItem", {"Attributes": kept("ours")})
    locks, until = aws.gateways.locks, AT + timedelta(seconds=240)

    assert locks.renew(TABLE, "release/orders", token="ours", expires_at=until)
    assert locks.renew(
        TABLE,
        "release/orders",
        token="ours",
        expires_at=until,
        deployment_id="d-1",
        scaling=Suspended(scale_in=True),
    )

    assert locks.renew(TABLE, "release/orders", token="ours", expires_at=until, forget_scaling=True)

    short, long, last = aws.sent("dynamodb.UpdateItem")
    assert short["UpdateExpression"] == "SET #expires_at = :expires_at"
    assert short["ExpressionAttributeNames"] == {"#expires_at": "expires_at", "#token": "token"}
    assert short["ConditionExpression"] == "#token = :token"
    assert long["ExpressionAttributeValues"] == {
        ":token": {"S": "ours"},
        ":expires_at": {"N": str(SECONDS + 240)},
        ":deployment_id": {"S": "d-1"},
        ":scaling": {"S": SUSPENDED},
    }
    assert last["ExpressionAttributeValues"][":scaling"] == {"S": "null"}


def test_a_lock_that_is_no_longer_ours_is_neither_renewed_nor_released() -> None:
    aws = RecordedAws()
    aws.answers("dynamodb.UpdateItem", LOST)
    aws.answers("dynamodb.DeleteItem", LOST)

    assert not aws.gateways.locks.renew(TABLE, "release/orders", token="ours", expires_at=AT)
    assert not aws.gateways.locks.release(TABLE, "release/orders", token="ours")


def test_a_lock_is_released_under_the_condition_that_it_is_ours() -> None:
    aws = RecordedAws()
    aws.answers("dynamodb.DeleteItem", {"Attributes": kept("ours")})

    assert aws.gateways.locks.release(TABLE, "release/orders", token="ours")
    assert aws.requests[0][1] == {
        "TableName": TABLE,
        "Key": {"name": {"S": "release/orders"}},
        "ConditionExpression": "#token = :token",
        "ExpressionAttributeNames": {"#token": "token"},
        "ExpressionAttributeValues": {":token": {"S": "ours"}},
        "ReturnValues": "ALL_OLD",
    }


def test_a_table_that_is_not_there_is_an_error() -> None:
    aws = RecordedAws()
    missing = Refusal(code="ResourceNotFoundException", message="Requested resource not found")
    for operation in ("UpdateItem", "DeleteItem", "GetItem"):
        aws.answers(f"dynamodb.{operation}", missing)
    locks = aws.gateways.locks

    for ask in (
        lambda: locks.take(TABLE, OURS, now=AT),
        lambda: locks.renew(TABLE, OURS.name, token="ours", expires_at=AT),
        lambda: locks.release(TABLE, OURS.name, token="ours"),
        lambda: locks.read(TABLE, OURS.name),
    ):
        with pytest.raises(AwsCallFailed, match="not found"):
            ask()
