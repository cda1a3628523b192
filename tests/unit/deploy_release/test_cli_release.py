"""`platform deploy`, `wait` and `rollback` as they are typed: options, output, files and exit codes."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aws_simulator import Behaviour
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from tests.support.releases import World, world
from tests.support.repository import FIXTURES


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)
    monkeypatch.setenv("CODEBUILD_BUILD_ID", "orders:1")


def run(case: World, *arguments: str | Path) -> Result:
    outside = Outside(connect=lambda _environment: case.aws, clock=case.simulator.clock)
    words: Sequence[str] = [str(word) for word in arguments]
    return CliRunner().invoke(platform, [*words, "--env", "production"], obj=outside)


def test_deploy_releases_an_image_and_writes_reports_for_pipelines(tmp_path: Path) -> None:
    case = world()
    case.push("v2")
    files = [tmp_path / "reports" / name for name in ("record.json", "summary.md", "junit.xml")]
    result = run(case, "deploy", "orders", "--image", "v2", "--record", files[0], "--summary", files[1],
                 "--junit", files[2])  # fmt: skip
    assert result.exit_code == 0, result.stderr
    record = json.loads(files[0].read_text(encoding="utf-8"))
    assert (record["outcome"], record["by"]) == ("released", "CodeBuild orders:1")
    assert result.stdout == f"{record['deployment_id']}\n"
    assert "all users are on the replacement tasks" in result.stderr
    assert files[1].read_text(encoding="utf-8").startswith("## orders v2 in production: released")
    assert files[2].read_text(encoding="utf-8").startswith("<?xml")
    assert case.version_serving() == "v2"


def test_with_json_there_is_one_document_on_stdout() -> None:
    case = world("users")
    case.push("v2", Behaviour(kind="crashes"))
    result = run(case, "deploy", "users", "--image", "v2", "--json")
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (12, "failed_rolled_back")


def test_an_image_that_the_registry_does_not_have_is_refused_with_the_command_that_makes_it() -> None:
    result = run(world(), "deploy", "orders", "--image", "v9")
    assert result.exit_code == 1
    assert "platform build orders" in result.stderr


def test_wait_resumes_a_release_that_deploy_left() -> None:
    case = world()
    case.push("v2")
    id = run(case, "deploy", "orders", "--image", "v2", "--detach").stdout.strip()
    result = run(case, "wait", id, "--until", "traffic")
    assert (result.exit_code, case.version_serving()) == (0, "v2")
    assert run(case, "rollback", "orders").exit_code == 0
    assert case.version_serving() == "v1"


def test_a_rollback_returns_when_users_are_back() -> None:
    case = world()
    case.deploy("v2")
    result = run(case, "rollback", "orders", "--json")
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (0, "traffic_shifted")
    detached = run(case, "rollback", "orders", "--to", "v0", "--detach", "--json")
    assert json.loads(detached.stdout)["outcome"] == "detached"


def test_a_restart_prints_its_record_and_deploy_with_force_repeats_a_version() -> None:
    case = world()
    record = json.loads(run(case, "restart", "orders", "--json").stdout)
    assert (record["outcome"], record["kind"], record["version"]) == ("released", "restart", "v1")
    refused = run(case, "deploy", "orders", "--image", "v1")
    assert (refused.exit_code, "platform restart orders --env production" in refused.stderr) == (10, True)
    assert run(case, "deploy", "orders", "--image", "v1", "--force", "--detach").exit_code == 0


@pytest.mark.parametrize(
    "words", [("deploy", "orders"), ("wait", "d-ABCDEFGHI"), ("rollback", "orders"), ("restart", "orders")]
)
def test_nothing_is_released_to_this_machine(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(platform, [*words, "--env", "local"])
    assert result.exit_code != 0
    assert "no stacks and no releases" in result.stderr


def test_wait_for_what_does_not_exist_says_so() -> None:
    result = run(world(), "wait", "d-NOTHING00")
    assert result.exit_code == 1
    assert "there is no deployment d-NOTHING00" in result.stderr
    assert "`platform history SERVICE --env production`" in result.stderr


def test_a_rollback_without_a_target_is_an_error() -> None:
    result = run(world(before=("v1",)), "rollback", "orders")
    assert result.exit_code == 1
    assert "there is no revision of orders to roll back to" in result.stderr


@pytest.mark.parametrize(
    "words", [("deploy", "orders", "--image", "v9"), ("wait", "d-NOTHING00"), ("rollback", "orders")]
)
def test_with_json_an_error_is_a_document_too(words: tuple[str, ...], tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("record.json", "summary.md", "junit.xml")]
    reports = ("--json", "--record", files[0], "--summary", files[1], "--junit", files[2])
    result = run(world(before=("v1",)), *words, *reports)
    document = json.loads(result.stdout)
    assert (result.exit_code, document["outcome"], document["exit_code"]) == (1, "error", 1)
    assert f"error: {document['error']['what']}" in result.stderr
    assert json.loads(files[0].read_text(encoding="utf-8")) == document
    assert document["error"]["what"] in files[1].read_text(encoding="utf-8")
    assert 'errors="1"' in files[2].read_text(encoding="utf-8")


def test_a_lock_that_cannot_be_read_is_an_outcome() -> None:
    case = world()
    case.push("v2")
    case.simulator.fail("dynamodb", "UpdateItem", how="denied", times=100)
    result = run(case, "deploy", "orders", "--image", "v2", "--json")
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (1, "failed_unchanged")
    assert "nothing was changed" in json.loads(result.stdout)["what"]


@pytest.mark.parametrize("after", [("v3",), ()], ids=["deployed before", "registered last"])
def test_a_version_that_was_registered_before_is_known_by_its_commit(after: tuple[str, ...]) -> None:
    """Not only by the files here: a pipeline that is started again must not put an old commit over a new one."""
    case = world("users")
    for tag, commit in (("v2", "2" * 40), *((tag, "3" * 40) for tag in after)):
        case.deploy(tag, commit=commit)
    result = run(case, "deploy", "users", "--image", "v2", "--detach", "--json")
    record = json.loads(result.stdout)
    assert (record["commit"], record["committed_at"] is None) == ("2" * 40, False)
    checked = {each["name"]: each["reason"] for each in record["checks"]}
    assert checked["not older"] != "the commit of the image is not known"
