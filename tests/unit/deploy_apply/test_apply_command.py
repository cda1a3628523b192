"""`platform apply` and `platform unlock` as they are typed: what is printed, asked, and answered to the shell."""

import json
import signal
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aws_simulator.secrets_and_parameters import SecretsManager
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.release.lock import ReleaseLock
from tests.support.applying import (
    Applying,
    account_with_service,
    account_with_shared_stacks,
    copy_of,
    empty_account,
    everything,
)
from tests.support.repository import FIXTURES

STAGING, SPECS = everything("staging")


@dataclass(frozen=True)
class Shell:
    """Commands in the repository, against one account."""

    account: Applying
    clock: Any = None

    def __call__(self, *arguments: str, typed: str | None = None) -> Result:
        def connect(environment: Environment) -> Aws:
            return Aws(self.account.simulator.client, account_id=environment.account_id, region=environment.region)

        world = Outside(connect=connect, clock=self.clock or self.account.simulator.clock)
        return CliRunner().invoke(platform, list(arguments), obj=world, input=typed, prog_name="platform")


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)


def orders_to_be_created() -> Shell:
    return Shell(copy_of(account_with_shared_stacks("staging", "orders")))


def test_all_shared_stacks_are_created_and_a_second_apply_changes_nothing() -> None:
    shell = Shell(empty_account(STAGING.account_id))

    created = shell("apply", "--shared", "--env", "staging", "--yes")
    again = shell("apply", "--shared", "--env", "staging", "--yes", "--json")

    assert created.exit_code == again.exit_code == 0
    assert "platform-staging-network: Vpc CREATE_COMPLETE" in created.stderr
    assert "platform-staging-network: Vpc CREATE_IN_PROGRESS" not in created.stderr
    summary = created.stdout.splitlines()[0]
    assert summary.startswith("shared in staging: ")
    assert summary.endswith(" created")
    stacks = json.loads(again.stdout)["stacks"]
    assert [stack["stack"] for stack in stacks][:3] == [
        "platform-staging-network",
        "platform-staging-security",
        "platform-staging-cluster",
    ]
    assert {stack["action"] for stack in stacks} == {"unchanged"}
    protected = {each.name for each in shell.account.cloudformation.stacks if each.protected}
    assert "platform-staging-data" in protected
    assert "platform-staging-registry-orders" in protected
    assert "platform-staging-pipeline-orders" not in protected


def test_manual_steps_are_listed_until_they_are_done() -> None:
    shell = Shell(empty_account(STAGING.account_id))
    created = shell("apply", "--shared", "--env", "staging", "--yes").stdout
    secret = "platform/staging/users/token_signing_key"

    assert "still to do: deploy/environments/staging.toml: set host = " in created
    assert "still to do: deploy/environments/staging.toml: set url = " in created
    assert "`platform secret set users token_signing_key --env staging`" in created
    assert "confirm the connection" in created
    assert "orders has its role and schema in the database now" in created

    shell.account.simulator.service(SecretsManager).put(secret, "value")
    report = json.loads(shell("apply", "--shared", "--env", "staging", "--yes", "--json").stdout)

    again = report["manual_steps"]
    assert report["database_roles"] == []
    assert len(again) == 2, "the addresses of database and cache are not those of the environment's file"
    assert all(each.startswith("deploy/environments/staging.toml: set ") for each in again)


def test_a_service_is_created_and_reported_as_a_document() -> None:
    shell = orders_to_be_created()

    result = shell("apply", "orders", "--env", "staging", "--yes", "--json")

    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["format_version"], report["environment"], report["service"]) == (1, "staging", "orders")
    assert (report["error"], report["interrupted"]) == (None, False)
    (stack,) = report["stacks"]
    assert (stack["stack"], stack["action"]) == ("platform-staging-orders", "created")
    assert (report["outcome"], report["exit_code"]) == ("applied", 0)
    assert {"action", "logical_id", "physical_id", "type", "replacement", "properties"} == set(stack["changes"][0])


@pytest.mark.parametrize("answer", ["y", "all"])
def test_a_change_is_shown_confirmed_and_made(answer: str) -> None:
    shell = orders_to_be_created()

    result = shell("apply", "orders", "--env", "staging", typed=f"{answer}\n")

    assert result.exit_code == 0
    assert "+ BlueTargetGroup  AWS::ElasticLoadBalancingV2::TargetGroup" in result.stderr
    assert "create platform-staging-orders?" in result.stderr
    assert result.stdout == "orders in staging: 1 created\n"
    assert "platform-staging-orders: waiting for Service and WorkerService\n" in result.stderr


@pytest.mark.parametrize(("typed", "report"), [("n\n", "is unchanged"), ("", "use --yes where nobody can answer")])
def test_without_consent_nothing_is_changed(typed: str, report: str) -> None:
    shell = orders_to_be_created()
    shell.account.simulator.calls.clear()

    result = shell("apply", "orders", "--env", "staging", typed=typed)

    assert result.exit_code == 1
    assert report in result.stderr
    assert "ExecuteChangeSet" not in shell.account.written()
    assert shell.account.status("platform-staging-orders") == "REVIEW_IN_PROGRESS"


def test_the_answer_all_covers_later_questions() -> None:
    shell = Shell(empty_account(STAGING.account_id))

    result = shell("apply", "--shared", "--env", "staging", typed="y\nall\n")

    assert result.exit_code == 0
    assert result.stderr.count("(y, n, all)") == 2


def test_a_failure_is_reported_with_resource_reason_and_remedy() -> None:
    shell = orders_to_be_created()
    reason = "Resource of type 'AWS::SQS::Queue' with identifier 'staging-orders' already exists."
    shell.account.cloudformation.fail_resource("platform-staging-orders", "OrdersQueue", reason)

    result = shell("apply", "orders", "--env", "staging", "--yes", "--json")

    assert result.exit_code == 1
    assert "error: platform-staging-orders is ROLLBACK_COMPLETE: OrdersQueue (AWS::SQS::Queue) failed" in result.stderr
    assert f"because: {reason}" in result.stderr
    report = json.loads(result.stdout)
    assert (report["outcome"], report["exit_code"]) == ("error", 1)
    error = report["error"]
    assert error["kind"] == "StackFailed"
    assert error["resource"] == {"logical_id": "OrdersQueue", "type": "AWS::SQS::Queue", "reason": reason}
    assert error["status"] == "ROLLBACK_COMPLETE"


def test_a_loss_is_refused_and_named() -> None:
    shell = Shell(copy_of(account_with_shared_stacks("staging", "orders")))
    client = shell.account.simulator.client("cloudformation")
    body = {"Resources": {"Repository": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "old"}}}}
    name = "platform-staging-registry-users"
    client.create_stack(StackName=name, TemplateBody=json.dumps(body))
    shell.account.simulator.clock.sleep(60)

    result = shell("apply", "--shared", "--env", "staging", "--yes", "--json")

    assert result.exit_code == 1
    assert "--allow-replace Repository" in result.stderr
    report = json.loads(result.stdout)
    assert [each["logical_id"] for each in report["error"]["losses"]] == ["Repository"]
    assert report["stacks"][0]["stack"] == "platform-staging-network"


class InterruptingClock:
    """Sends this process SIGTERM after some time of the account's clock."""

    def __init__(self, clock: Any, after_seconds: float) -> None:
        self.clock = clock
        clock.after(after_seconds, lambda: signal.raise_signal(signal.SIGTERM))

    def now(self) -> Any:
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)


def test_a_signal_leaves_the_update_to_aws_and_says_how_to_follow_it() -> None:
    account = copy_of(account_with_shared_stacks("staging", "orders"))

    result = Shell(account, InterruptingClock(account.simulator.clock, 30))(
        "apply", "orders", "--env", "staging", "--yes"
    )

    assert result.exit_code == 128 + signal.SIGTERM
    assert "`platform apply orders --env staging` follows them" in result.stderr
    assert account.status("platform-staging-orders") == "CREATE_IN_PROGRESS"
    followed = Shell(account)("apply", "orders", "--env", "staging", "--yes")
    assert followed.exit_code == 0
    assert "waiting for the running operation: CREATE_IN_PROGRESS" in followed.stderr
    assert followed.stdout == "orders in staging: 1 unchanged\n"


@pytest.mark.parametrize(
    ("arguments", "report"),
    [
        (["apply", "--env", "staging"], "name a service, or use --shared"),
        (["apply", "orders", "--shared", "--env", "staging"], "name a service, or use --shared"),
        (["apply", "ordres", "--env", "staging"], "orders"),
        (["apply", "orders", "--env", "local"], "`platform up` runs all services on this machine"),
    ],
)
def test_what_cannot_be_applied_is_refused_before_any_call(arguments: list[str], report: str) -> None:
    shell = Shell(empty_account())

    result = shell(*arguments)

    assert result.exit_code in (1, 2)
    assert report in result.stderr
    assert shell.account.simulator.calls == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["apply", "ordres", "--env", "staging"], "UnknownName"),
        (["apply", "orders", "--env", "local"], "NotOnAws"),
        (["apply", "orders", "--env", "nowhere"], "UnknownEnvironment"),
        (["plan", "orders", "--env", "local"], "NotOnAws"),
        (["plan", "--shared", "--env", "local"], "NotOnAws"),
        (["plan", "ordres", "--env", "staging"], "UnknownName"),
        (["unlock", "orders", "--env", "local"], "NotOnAws"),
        (["unlock", "ordres", "--env", "staging"], "UnknownName"),
        (["scale", "orders", "--min", "3", "--env", "local"], "NotOnAws"),
        (["scale", "ordres", "--min", "3", "--env", "staging", "--edit-only"], "UnknownName"),
        (["history", "orders", "--env", "local"], "NotOnAws"),
    ],
)
def test_with_json_a_refused_command_prints_a_document(arguments: list[str], kind: str) -> None:
    shell = Shell(empty_account())

    result = shell(*arguments, "--json")

    report = json.loads(result.stdout)
    assert (report["format_version"], report["outcome"], report["exit_code"]) == (1, "error", result.exit_code)
    assert report["error"]["kind"] == kind
    assert f"error: {report['error']['what']}\n" in result.stderr
    assert shell.account.simulator.calls == []


def test_without_a_table_of_locks_every_command_says_how_to_make_it() -> None:
    shell = Shell(empty_account(STAGING.account_id))

    for command in ("unlock", "apply"):
        result = shell(command, "orders", "--env", "staging", "--yes", "--json")
        error = json.loads(result.stdout)["error"]
        assert error["kind"] == "NoLockTable"
        assert error["hint"] == "`platform apply --shared --env staging` creates the shared stacks"


def locked_by_another(account: Applying) -> ReleaseLock:
    lock = ReleaseLock(
        account.aws().locks, account.simulator.clock, STAGING, "orders", owner="ci", purpose="release of v2"
    )
    lock.__enter__()
    return lock


def test_a_locked_service_exits_as_releases_do() -> None:
    shell = orders_to_be_created()
    locked_by_another(shell.account)

    result = shell("apply", "orders", "--env", "staging", "--yes", "--wait", "1")

    assert result.exit_code == 16
    assert "orders in staging is locked by ci" in result.stderr
    assert "`platform unlock orders --env staging`" in result.stderr


def test_unlocking_asks_first_and_says_whose_the_lock_was() -> None:
    shell = orders_to_be_created()
    locked_by_another(shell.account)

    declined = shell("unlock", "orders", "--env", "staging", typed="n\n")
    unanswered = shell("unlock", "orders", "--env", "staging", "--json", typed="")
    agreed = shell("unlock", "orders", "--env", "staging", typed="y\n")
    nobody = shell("unlock", "orders", "--env", "staging", "--json")

    assert declined.exit_code == 1
    assert "stays with ci" in declined.stderr
    assert json.loads(unanswered.stdout)["error"]["hint"] == "use --yes where nobody can answer"
    assert "held by ci for its release of v2 since 2026-01-05" in declined.stderr
    assert (agreed.exit_code, agreed.stdout) == (0, "orders in staging is unlocked; it was locked by ci\n")
    assert json.loads(nobody.stdout) == {"service": "orders", "environment": "staging", "taken_from": None}
    assert shell("unlock", "orders", "--env", "staging").stdout == "orders in staging is not locked\n"


def test_a_lock_whose_time_is_over_needs_no_unlocking() -> None:
    shell = orders_to_be_created()
    locked_by_another(shell.account)
    shell.account.simulator.clock.sleep(180)

    assert shell("unlock", "orders", "--env", "staging").stdout == "orders in staging is not locked\n"


def test_a_released_service_is_up_to_date() -> None:
    result = Shell(copy_of(account_with_service("staging", "orders")))("apply", "orders", "--env", "staging")

    assert (result.exit_code, result.stdout) == (0, "orders in staging: 1 unchanged\n")
