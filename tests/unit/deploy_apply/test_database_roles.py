"""Roles and schemas for the services, made through the data API: once, however often and wherever it is interrupted."""

from dataclasses import replace

import pytest

from aws_simulator.secrets_and_parameters import SecretsManager
from aws_simulator.small_services import RdsData
from platform_sdk.deploy.apply.after_creation import (
    POLL_SECONDS,
    WAKING_SECONDS,
    UnusablePassword,
    make_database_roles,
)
from platform_sdk.deploy.aws import AccessDenied, AwsCallFailed, AwsUnavailable
from tests.support.applying import Applying, Killed, account_with_shared_stacks, copy_of, empty_account, everything

STAGING, SPECS = everything("staging")
ORDERS = SPECS["orders"]


def account() -> Applying:
    return copy_of(account_with_shared_stacks("staging", "orders"))


def made(applying: Applying) -> dict[str, list[str]]:
    return applying.simulator.service(RdsData).made


def test_a_service_gets_a_role_of_its_own_and_a_schema_that_the_role_owns() -> None:
    applying = account()

    assert make_database_roles([ORDERS], STAGING, applying.context()) == ("orders",)

    *_, revoke, create, path, connect, belong, schema = applying.simulator.service(RdsData).statements
    assert revoke == 'REVOKE ALL ON DATABASE "platform" FROM PUBLIC'
    assert create.startswith('CREATE ROLE "orders" LOGIN PASSWORD E\'SCRAM-SHA-256$4096')
    assert path == 'ALTER ROLE "orders" IN DATABASE "platform" SET search_path = "orders"'
    assert connect == 'GRANT CONNECT ON DATABASE "platform" TO "orders"'
    assert belong == 'GRANT "orders" TO CURRENT_USER'
    assert schema == 'CREATE SCHEMA IF NOT EXISTS "orders" AUTHORIZATION "orders"'
    password = applying.aws().secrets.field("platform/staging/orders/database", "password")
    assert applying.simulator.service(RdsData).accepts("orders", password)


def test_what_is_there_costs_one_question_and_no_password() -> None:
    applying = account()
    make_database_roles([ORDERS], STAGING, applying.context())
    applying.simulator.calls.clear()

    assert make_database_roles([ORDERS], STAGING, applying.context()) == ()

    assert [call.operation for call in applying.simulator.calls] == ["GetParameters", "ExecuteStatement"]


def test_a_service_without_a_database_gets_nothing() -> None:
    applying = account()

    assert make_database_roles([replace(ORDERS, database=None)], STAGING, applying.context()) == ()

    assert applying.simulator.service(RdsData).statements == []


def test_a_missing_database_is_not_called() -> None:
    applying = empty_account(STAGING.account_id)

    assert make_database_roles([ORDERS], STAGING, applying.context()) == ()

    assert [call.operation for call in applying.simulator.calls] == ["GetParameters"]


def number_of_calls() -> int:
    applying = account()
    applying.simulator.calls.clear()
    make_database_roles([ORDERS], STAGING, applying.context())
    return len(applying.simulator.calls)


@pytest.mark.parametrize("call", range(1, number_of_calls() + 1))
def test_after_a_kill_at_any_call_the_same_command_finishes(call: int) -> None:
    applying = account()
    with applying.dying_before(call) as client_of, pytest.raises(Killed):
        make_database_roles([ORDERS], STAGING, applying.context(client_of=client_of))

    make_database_roles([ORDERS], STAGING, applying.context())

    assert made(applying) == {"ROLE": ["orders"], "SCHEMA": ["orders"]}
    assert make_database_roles([ORDERS], STAGING, applying.context()) == ()


def test_a_paused_database_is_waited_for() -> None:
    applying = account()
    applying.simulator.service(RdsData).paused = 4

    assert make_database_roles([ORDERS], STAGING, applying.context()) == ("orders",)


def test_a_database_that_does_not_wake_up_is_an_error() -> None:
    applying = account()
    applying.simulator.service(RdsData).paused = 2 * WAKING_SECONDS // POLL_SECONDS

    with pytest.raises(AwsUnavailable, match="could not give orders its role and schema"):
        make_database_roles([ORDERS], STAGING, applying.context())


def test_a_password_may_hold_any_character() -> None:
    applying = account()
    applying.simulator.service(SecretsManager).put("platform/staging/orders/database", '{"password": "it\'s :a $1"}')

    assert make_database_roles([ORDERS], STAGING, applying.context()) == ("orders",)

    assert applying.simulator.service(RdsData).accepts("orders", "it's :a $1")


def test_an_empty_password_is_refused() -> None:
    applying = account()
    applying.simulator.service(SecretsManager).put("platform/staging/orders/database", '{"password": ""}')

    with pytest.raises(UnusablePassword, match="the password of orders is empty"):
        make_database_roles([ORDERS], STAGING, applying.context())

    assert made(applying) == {"ROLE": [], "SCHEMA": []}


@pytest.mark.parametrize("how", ["denied", "server_error"])
def test_no_error_holds_the_statement(how: str) -> None:
    applying = account()
    applying.simulator.fail("rds-data", "ExecuteStatement", how=how, times=1000, after=3)  # type: ignore[arg-type]

    with pytest.raises(AwsCallFailed) as raised:
        make_database_roles([ORDERS], STAGING, applying.context())

    password = applying.aws().secrets.field("platform/staging/orders/database", "password")
    assert password not in str(raised.value)
    assert isinstance(raised.value, AccessDenied if how == "denied" else AwsUnavailable)
