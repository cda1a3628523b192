"""`platform scale`: platform.toml and AWS are changed together, or neither is."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.release.lock import ReleaseLock
from tests.support.applying import Applying, account_with_service, account_with_shared_stacks, copy_of, everything
from tests.support.repository import FIXTURES

PRODUCTION, _ = everything("production")
RESOURCE = "service/platform-production/production-orders"


@dataclass(frozen=True)
class Desk:
    """A checkout of the repository, and an account in which orders has been released."""

    root: Path
    account: Applying

    @property
    def file(self) -> Path:
        return self.root / "services" / "orders" / "platform.toml"

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    def bounds(self, resource: str = RESOURCE) -> tuple[int, int]:
        found = self.account.aws().scaling.targets([resource])[resource]
        return found.min_tasks, found.max_tasks

    def scale(self, *arguments: str, typed: str | None = None) -> Result:
        def connect(environment: Environment) -> Aws:
            return Aws(self.account.simulator.client, account_id=environment.account_id, region=environment.region)

        world = Outside(connect=connect, clock=self.account.simulator.clock)
        command = ["scale", "orders", "--env", "production", *arguments]
        return CliRunner().invoke(platform, command, obj=world, input=typed, prog_name="platform")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A copy of what the commands read."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    account = copy_of(account_with_service("production", "orders"))
    account.simulator.calls.clear()
    return Desk(tmp_path, account)


def test_file_and_aws_get_the_same_bounds_and_no_revision_or_traffic_changes(desk: Desk) -> None:
    before = desk.text

    result = desk.scale("--min", "10", "--max", "50", "--yes")

    assert result.exit_code == 0, result.stderr
    assert desk.text == before + "\n[environments.production.scaling]\nmin_tasks = 10\nmax_tasks = 50\n"
    assert desk.bounds() == (10, 50)
    assert "edited [environments.production.scaling]; commit it" in result.stderr
    assert {call.service for call in desk.account.simulator.calls if call.writes} == {"cloudformation"}
    moved = {name for name, _ in moved_resources(result.stderr)}
    assert moved == {"ScalableTarget", "FewTasksAlarm", "platform-production-orders"}


def moved_resources(stderr: str) -> list[tuple[str, str]]:
    words = [line.split() for line in stderr.splitlines()]
    return [(line[2], line[3]) for line in words if len(line) == 4 and line[3].isupper()]


def test_the_same_again_changes_nothing(desk: Desk) -> None:
    desk.scale("--min", "10", "--max", "50", "--yes")
    edited = desk.text

    result = desk.scale("--min", "10", "--max", "50", "--yes", "--json")

    assert result.exit_code == 0
    assert desk.text == edited
    assert "has these numbers already" in result.stderr
    assert [stack["action"] for stack in json.loads(result.stdout)["stacks"]] == ["unchanged"]


def test_the_worker_is_scaled_by_itself(desk: Desk) -> None:
    assert desk.scale("--max", "9", "--worker", "--yes").exit_code == 0

    assert desk.bounds(f"{RESOURCE}-worker") == (1, 9)
    assert desk.bounds() == (2, 6)


def test_a_release_in_progress_does_not_stop_it(desk: Desk) -> None:
    locks, clock = desk.account.aws().locks, desk.account.simulator.clock
    with ReleaseLock(locks, clock, PRODUCTION, "orders", owner="ci", purpose="release of v2"):
        assert desk.scale("--min", "4", "--yes").exit_code == 0

    assert desk.bounds() == (4, 6)


def test_without_consent_the_file_is_unchanged(desk: Desk) -> None:
    before = desk.text

    result = desk.scale("--min", "4", typed="n\n")

    assert result.exit_code == 1
    assert "services/orders/platform.toml is unchanged\n" in result.stderr
    assert desk.text == before
    assert desk.bounds() == (2, 6)


def test_other_changes_in_the_file_are_not_applied(desk: Desk) -> None:
    desk.file.write_text(desk.text.replace("max_receive_count = 5", "max_receive_count = 7"), encoding="utf-8")
    before = desk.text

    result = desk.scale("--min", "4", "--yes")

    assert result.exit_code == 1
    assert "because: its stack would change in " in result.stderr
    assert "OrdersQueue" in result.stderr
    assert "`platform apply orders --env production` makes them" in result.stderr
    assert desk.text == before
    assert desk.account.written() == []


def test_without_a_stack_there_is_nothing_to_scale(desk: Desk) -> None:
    before = desk.text
    desk = replace(desk, account=copy_of(account_with_shared_stacks("production", "orders")))

    result = desk.scale("--min", "4", "--yes", "--json")

    assert result.exit_code == 1
    assert "error: orders has no stack in production yet" in result.stderr
    assert "because" not in result.stderr
    assert "services/orders/platform.toml is unchanged\n" in result.stderr
    assert json.loads(result.stdout)["error"]["kind"] == "NotScalingAlone"
    assert desk.text == before


def test_a_stack_that_stopped_halfway_is_not_scaled_past_the_lock(desk: Desk) -> None:
    stack = desk.account.cloudformation.find("platform-production-orders")
    stack.status = "UPDATE_ROLLBACK_FAILED"

    result = desk.scale("--min", "4", "--yes")

    assert "its stack is UPDATE_ROLLBACK_FAILED: `platform apply` completes its rollback first" in result.stderr
    assert desk.account.written() == []


def test_a_denied_call_leaves_the_file_unchanged(desk: Desk) -> None:
    before = desk.text
    desk.account.simulator.fail("cloudformation", "DescribeStacks", how="denied")

    assert desk.scale("--min", "4", "--yes").exit_code == 1
    assert desk.text == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "give --min, --max or both"),
        (("--min", "9"), "services/orders/platform.toml:"),
        (("--min", "3", "--env", "local"), "is this machine"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_touched(
    desk: Desk, arguments: tuple[str, ...], expected: str
) -> None:
    before = desk.text

    result = desk.scale(*arguments)

    assert result.exit_code in (1, 2)
    assert expected in result.stderr
    assert desk.text == before
    assert desk.account.simulator.calls == []


def test_edit_only_changes_nothing_on_aws(desk: Desk) -> None:
    result = desk.scale("--min", "4", "--all-environments", "--edit-only", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["stacks"] == []
    assert "min_tasks = 4\nmax_tasks = 6\ntarget_cpu_percent" in desk.text
    assert desk.account.simulator.calls == []
