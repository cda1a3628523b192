"""`platform secret`: lists, new values and rotations, which are killed after each of their writes and run again."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from aws_simulator import Behaviour
from aws_simulator.ecr import Ecr
from aws_simulator.ecs.service import Ecs
from aws_simulator.secrets_and_parameters import SecretsManager
from aws_simulator.small_services import CacheUsers, RdsData
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.cli.secret import complete_secrets
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.observe import ROTATING, observe_secrets
from platform_sdk.deploy.render.variables import scram_verifier
from tests.support.releases import Process, World, world
from tests.support.repository import FIXTURES

DATABASE = "platform/staging/orders/database"
CACHE = "platform/staging/cache"
KEY = "platform/staging/users/token_signing_key"
VALUE = "a value that nobody may see"


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)
    monkeypatch.setenv("CODEBUILD_BUILD_ID", "orders:1")


def run(case: World, *words: str, given: str | None = None, client_of: Callable[[str], Any] | None = None) -> Result:
    """Run a command in staging. What it prints never contains a value that it was given."""
    environment = case.environment
    aws = Aws(client_of or case.simulator.client, account_id=environment.account_id, region=environment.region)
    outside = Outside(connect=lambda _environment: aws, clock=case.simulator.clock)
    result = CliRunner().invoke(platform, [*words, "--env", "staging"], obj=outside, input=given)
    assert VALUE not in result.output
    return result


def staging(service: str) -> World:
    """Return a world in which the database knows the password of the service's role."""
    case = world(service, "staging", before=("v1",))
    case.simulator.clock.sleep(300)
    database = case.simulator.service(RdsData)
    if f"platform/staging/{service}/database" in case.simulator.service(SecretsManager).secrets:
        database.made["ROLE"].append(service)
        password = fields(case, f"platform/staging/{service}/database")["password"]
        database.verifiers[service] = scram_verifier(password, b"salt of a test")
    case.simulator.clock.sleep(60)
    return case


def fields(case: World, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(case.simulator.service(SecretsManager).secrets[name].value or "{}")
    return found


def older(case: World) -> dict[str, int]:
    """Count the running tasks that have an earlier value, by secret."""
    return {each.name: each.older for each in observe_secrets(case.spec, case.environment, case.aws)}


def labels(case: World, name: str) -> frozenset[str]:
    version = case.aws.secrets.current(name)
    assert version is not None
    return version.labels


def test_the_list_names_what_is_older_than_its_secret_and_the_command() -> None:
    case = staging("users")
    assert "up to date" in run(case, "secret", "list", "users").stdout
    assert run(case, "secret", "set", "users", "token_signing_key", given=VALUE).exit_code == 0
    listed = run(case, "secret", "list", "users").stdout
    assert "older: platform restart users --env staging" in listed
    assert "TOKEN_SIGNING_KEY" in listed
    every = run(case, "secret", "list").stdout
    shared = {line.split()[0]: line for line in every.splitlines()}
    assert "by the copies above" in shared["platform/staging/cache"]
    assert "2026-" in shared["platform/staging/cache"]
    assert "RDS changes it every week" in every
    document = json.loads(run(case, "secret", "list", "users", "--json").stdout)
    found = {each["name"]: each for each in document["secrets"]}
    assert found[KEY]["older_tasks"] == found[KEY]["tasks"] > 0
    assert found["platform/staging/users/database"]["older_tasks"] == 0
    case.restart()
    case.simulator.clock.sleep(120)
    assert set(older(case).values()) == {0}


def test_the_shell_completes_the_secrets_of_the_service() -> None:
    context = click.Context(click.Command("set"))
    context.params["service"] = "users"
    parameter = click.Argument(["name"])
    assert complete_secrets(context, parameter, "") == ["token_signing_key", "database"]
    assert complete_secrets(context, parameter, "d") == ["database"]


def test_a_plan_notes_tasks_that_are_older_than_a_secret() -> None:
    case = staging("users")
    run(case, "secret", "set", "users", "token_signing_key", given=VALUE)
    text = run(case, "plan", "users").stdout
    assert f"! secret {KEY} was changed at " in text
    assert "hint: platform restart users --env staging" in text


def test_set_writes_the_value_and_names_the_restart() -> None:
    case = staging("users")
    result = run(case, "secret", "set", "users", "TOKEN_SIGNING_KEY", given=f"{VALUE}\n")
    assert (result.exit_code, result.stdout) == (0, f"{KEY}\n")
    assert "next: platform restart users --env staging" in result.stderr
    assert case.simulator.service(SecretsManager).secrets[KEY].value == VALUE


def test_set_creates_a_secret_that_does_not_exist() -> None:
    case = staging("users")
    del case.simulator.service(SecretsManager).secrets[KEY]
    assert run(case, "secret", "set", "users", "token_signing_key", given=VALUE).exit_code == 0
    assert case.simulator.service(SecretsManager).secrets[KEY].value == VALUE


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (("users", "token_signing_key"), "", "the new one is empty"),
        (("users", "token_signing_key"), "x" * 65_537, "at most 65536 bytes"),
        (("users", "database"), VALUE, "platform secret rotate users database --env staging"),
        (("users", "cache"), VALUE, "platform secret rotate --shared cache --env staging"),
        (("users", "nothing"), VALUE, "its secrets are cache, database and token_signing_key"),
    ],
)
def test_set_refuses_what_tasks_could_not_use(words: tuple[str, str], given: str, said: str) -> None:
    case = staging("users")
    before = dict(case.simulator.service(SecretsManager).secrets)
    result = run(case, "secret", "set", *words, given=given)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr
    assert case.simulator.service(SecretsManager).secrets == before


def test_a_role_without_the_permission_reads_who_continues_and_how() -> None:
    case = staging("users")
    case.simulator.fail("secretsmanager", "PutSecretValue", how="denied", times=9)
    result = run(case, "secret", "set", "users", "token_signing_key", given=VALUE)
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: nothing changed for running tasks: this role may not write the secret")
    assert "secretsmanager:PutSecretValue runs `platform secret set users token_signing_key" in lines[-1]
    assert f"`aws secretsmanager put-secret-value --secret-id {KEY} --secret-string file:///dev/stdin`" in lines[-1]


def accepted(case: World, login: dict[str, str]) -> bool:
    return case.simulator.service(RdsData).accepts(login["username"], login["password"])


def test_the_password_of_the_database_is_rotated_and_back_again() -> None:
    case = staging("orders")
    first = fields(case, DATABASE)
    result = run(case, "secret", "rotate", "orders", "database")
    assert result.exit_code == 0, result.stderr
    second = fields(case, DATABASE)
    assert (first["username"], second["username"]) == ("orders", "orders_2")
    assert (accepted(case, first), accepted(case, second)) == (False, True)
    assert accepted(case, second | {"username": "orders"}), "an earlier revision logs in as the URL's role"
    assert 'ALTER ROLE "orders_2" SET role = "orders"' in case.simulator.service(RdsData).statements
    assert ROTATING not in labels(case, DATABASE)
    assert set(older(case).values()) == {0}
    assert run(case, "secret", "rotate", "orders", "database").exit_code == 0
    third = fields(case, DATABASE)
    assert third["username"] == "orders"
    assert (accepted(case, second), accepted(case, third)) == (False, True)
    assert first["password"] not in result.output
    assert second["password"] not in result.output


def test_a_revision_with_one_role_is_not_rotated() -> None:
    case = staging("orders")
    for definition in case.simulator.service(Ecs).definitions.values():
        for container in definition.containers:
            container["secrets"] = [each for each in container.get("secrets", []) if each["name"] != "DATABASE_USER"]
    before = fields(case, DATABASE)
    result = run(case, "secret", "rotate", "orders", "database")
    assert (result.exit_code, fields(case, DATABASE)) == (1, before)
    assert "error: nothing was changed: orders works with its password" in result.stderr
    assert "`platform deploy orders --env staging` once, then `platform secret rotate orders database" in result.stderr


def test_a_restart_that_fails_leaves_both_passwords_accepted_and_the_same_command_continues() -> None:
    case = staging("orders")
    first = fields(case, DATABASE)
    image = case.simulator.service(Ecr).repositories["orders"].find({"imageTag": "v1"})
    assert image is not None
    case.simulator.images[image.digest] = Behaviour(kind="crashes", log_lines=("no route to the database",))
    result = run(case, "secret", "rotate", "orders", "database")
    assert result.exit_code == 12
    assert "the old value and the new one are both accepted" in result.stderr
    assert "`platform secret rotate orders database --env staging` continues" in result.stderr
    second = fields(case, DATABASE)
    assert (accepted(case, first), accepted(case, second)) == (True, True)
    assert (
        "rotation not finished: platform secret rotate orders database" in run(case, "secret", "list", "orders").stdout
    )
    case.simulator.images[image.digest] = Behaviour()
    assert run(case, "secret", "rotate", "orders", "database").exit_code == 0
    assert fields(case, DATABASE) == second
    assert (accepted(case, first), accepted(case, second)) == (False, True)


def test_the_password_of_the_cache_is_rotated_for_all_services() -> None:
    case = staging("orders")
    users = case.simulator.service(CacheUsers).users
    first = fields(case, CACHE)["password"]
    assert users["platform-staging-default"].passwords == [first]
    services = [name for name in ("inventory", "users") if f"platform/staging/{name}/cache" not in
                case.simulator.service(SecretsManager).secrets]  # fmt: skip
    for name in services:
        case.simulator.service(SecretsManager).put(f"platform/staging/{name}/cache", json.dumps({"password": first}))
    result = run(case, "secret", "rotate", "--shared", "cache")
    assert result.exit_code == 0, result.stderr
    second = fields(case, CACHE)["password"]
    assert first != second
    assert users["platform-staging-default"].passwords == [second]
    assert fields(case, "platform/staging/orders/cache")["password"] == second
    assert ROTATING not in labels(case, CACHE) | labels(case, "platform/staging/orders/cache")
    assert set(older(case).values()) == {0}


def test_a_secret_of_the_team_is_rotated_with_its_new_value() -> None:
    case = staging("users")
    result = run(case, "secret", "rotate", "users", "token_signing_key", given=VALUE)
    assert result.exit_code == 0, result.stderr
    assert "revoke the old one where it was issued" in result.stderr
    assert case.simulator.service(SecretsManager).secrets[KEY].value == VALUE
    assert (older(case)[KEY], ROTATING in labels(case, KEY)) == (0, False)


@pytest.mark.parametrize("what", [("orders", "database"), ("--shared", "cache")], ids=["database", "cache"])
def test_a_rotation_may_be_killed_after_each_write_and_run_again(what: tuple[str, str]) -> None:
    """No task is ever refused: what it started with is accepted until no such task runs."""
    name = DATABASE if what[1] == "database" else CACHE
    for writes in range(1, 60):
        case = staging("orders")
        for other in ("inventory", "users"):
            copy = {"password": fields(case, CACHE)["password"]}
            case.simulator.service(SecretsManager).put(f"platform/staging/{other}/cache", json.dumps(copy))
        case.simulator.clock.sleep(60)
        first, earlier = fields(case, name), sum(call.writes for call in case.simulator.calls)
        with Process(case.simulator, writes=earlier + writes) as process:
            run(case, "secret", "rotate", *what, client_of=process.client_of)
        if process.survived:
            break
        killed_after = f"{writes} {[call for call in case.simulator.calls if call.writes][-1].operation}"
        left = fields(case, name)
        assert is_accepted(case, left), killed_after
        assert is_accepted(case, first) or not any(older(case).values()), killed_after
        case.simulator.clock.sleep(timedelta(minutes=4).total_seconds())
        again = run(case, "secret", "rotate", *what)
        assert again.exit_code == 0, (killed_after, again.stderr)
        assert (is_accepted(case, first), is_accepted(case, fields(case, name))) == (False, True), killed_after
        assert (set(older(case).values()), ROTATING in labels(case, name)) == ({0}, False), killed_after
    assert writes > 3


def is_accepted(case: World, values: dict[str, str]) -> bool:
    if "username" in values:
        return accepted(case, values)
    return values["password"] in case.simulator.service(CacheUsers).users["platform-staging-default"].passwords
