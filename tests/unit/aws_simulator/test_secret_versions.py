"""Versions of secrets with their labels, and the users of a cache, as AWS documents them."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from aws_simulator import AwsSimulator, SteppedClock
from aws_simulator.small_services import MODIFYING_SECONDS, CacheUsers

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
TOKENS = [str(digit) * 32 for digit in range(4)]


@pytest.fixture
def account() -> AwsSimulator:
    return AwsSimulator(clock=SteppedClock(START), account_id="111122223333", region="us-east-1")


def labels(account: AwsSimulator) -> dict[str, list[str]]:
    answer = account.client("secretsmanager").list_secret_version_ids(SecretId="key")
    return {each["VersionId"]: each["VersionStages"] for each in answer["Versions"]}


def test_labels_move_to_the_version_that_they_are_given_to(account: AwsSimulator) -> None:
    secrets = account.client("secretsmanager")
    secrets.create_secret(Name="key", SecretString="1")
    (first,) = labels(account)
    secrets.put_secret_value(
        SecretId="key", SecretString="2", ClientRequestToken=TOKENS[2], VersionStages=["AWSCURRENT", "mine"]
    )
    assert labels(account) == {first: ["AWSPREVIOUS"], TOKENS[2]: ["AWSCURRENT", "mine"]}
    secrets.put_secret_value(SecretId="key", SecretString="3", ClientRequestToken=TOKENS[3])
    assert labels(account) == {TOKENS[2]: ["AWSPREVIOUS", "mine"], TOKENS[3]: ["AWSCURRENT"]}
    secrets.update_secret_version_stage(SecretId="key", VersionStage="mine", RemoveFromVersionId=TOKENS[2])
    assert labels(account) == {TOKENS[2]: ["AWSPREVIOUS"], TOKENS[3]: ["AWSCURRENT"]}
    assert secrets.get_secret_value(SecretId="key")["SecretString"] == "3"


def test_the_same_token_writes_once_and_never_another_value(account: AwsSimulator) -> None:
    secrets = account.client("secretsmanager")
    secrets.create_secret(Name="key", SecretString="1")
    for _ in range(2):
        secrets.put_secret_value(SecretId="key", SecretString="2", ClientRequestToken=TOKENS[2])
    assert len(labels(account)) == 2
    with pytest.raises(ClientError, match="ResourceExistsException"):
        secrets.put_secret_value(SecretId="key", SecretString="3", ClientRequestToken=TOKENS[2])


def test_a_label_is_removed_from_its_own_version_only(account: AwsSimulator) -> None:
    secrets = account.client("secretsmanager")
    secrets.create_secret(Name="key", SecretString="1")
    (first,) = labels(account)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        secrets.update_secret_version_stage(SecretId="key", VersionStage="mine", RemoveFromVersionId=first)
    with pytest.raises(ClientError, match="AWSCURRENT"):
        secrets.update_secret_version_stage(SecretId="key", VersionStage="AWSCURRENT", RemoveFromVersionId=first)


def test_a_cache_user_has_two_passwords_at_most_and_one_change_at_a_time(account: AwsSimulator) -> None:
    cache = account.client("elasticache")
    given = {"UserId": "u", "UserName": "default", "Engine": "valkey", "AccessString": "on ~* &* +@all"}
    cache.create_user(**given, Passwords=["a" * 16])
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        cache.modify_user(UserId="u", Passwords=["a" * 16, "b" * 16, "c" * 16])
    with pytest.raises(ClientError, match="16-128"):
        cache.modify_user(UserId="u", Passwords=["short"])
    cache.modify_user(UserId="u", Passwords=["a" * 16, "b" * 16])
    assert cache.describe_users(UserId="u")["Users"][0]["Status"] == "modifying"
    with pytest.raises(ClientError, match="InvalidUserState"):
        cache.modify_user(UserId="u", Passwords=["b" * 16])
    account.clock.sleep(MODIFYING_SECONDS)
    shown = cache.describe_users(UserId="u")["Users"][0]
    assert (shown["Status"], shown["Authentication"]) == ("active", {"Type": "password", "PasswordCount": 2})
    assert account.service(CacheUsers).users["u"].passwords == ["a" * 16, "b" * 16]
    with pytest.raises(ClientError, match="UserNotFound"):
        cache.describe_users(UserId="nobody")
