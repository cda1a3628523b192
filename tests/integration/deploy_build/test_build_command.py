"""`platform build`: its output, its record, and its use of Docker."""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aws_simulator import AwsSimulator, SteppedClock
from aws_simulator.account_setup import build_account
from aws_simulator.ecr import Ecr
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.build.publish import read_source
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from tests.support.clones import cloned
from tests.support.stand_ins import ProgramCall, stand_ins

HOST = "444455556666.dkr.ecr.us-east-1.amazonaws.com"


class Desk:
    """A clone, an account in memory, and a Docker that pushes into it."""

    def __init__(self, clone: Path) -> None:
        self.clone = clone
        environment = load_environment(clone, "staging")
        clock = SteppedClock(datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
        self.simulator = AwsSimulator(clock=clock, account_id=environment.account_id, region=environment.region)
        build_account(self.simulator, clone, environment, load_services(clone, "staging"))
        aws = Aws(self.simulator.client, account_id=environment.account_id, region=environment.region)
        self.outside = Outside(connect=lambda _: aws, clock=clock)
        self.calls: list[tuple[str, ...]] = []

    def docker(self, call: ProgramCall) -> int:
        self.calls.append(call.arguments)
        sys.stdout.write("printed by docker\n")
        if call.arguments[0] == "push":
            repository, _, tag = call.arguments[1].rpartition("/")[2].partition(":")
            self.simulator.service(Ecr).push(repository, tag, manifest="single", severities={"HIGH": 2})
        return 0

    def build(self, *arguments: str) -> Result:
        return CliRunner().invoke(platform, ["build", *arguments], obj=self.outside)

    def tag(self, service: str) -> str:
        return read_source(self.clone, service, "x86_64").tag


@pytest.fixture
def desk(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(cloned(committed, tmp_path / "clone"))
    monkeypatch.chdir(made.clone)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("PLATFORM_BASE_IMAGE", raising=False)
    with stand_ins({tmp_path / "bin" / "docker": made.docker}, tmp_path / "socket"):
        yield made


def test_without_push_the_image_stays_here_and_its_tag_is_printed(desk: Desk) -> None:
    result = desk.build("users")
    assert (result.exit_code, result.stdout) == (0, f"{desk.tag('users')}\n")
    assert result.stderr == "printed by docker\n"
    (call,) = desk.calls
    assert f"--tag=users:{desk.tag('users')}" in call
    assert desk.simulator.calls == []


def test_json_is_one_document_on_stdout(desk: Desk) -> None:
    tag = desk.tag("users")
    here = desk.build("users", "--json")
    assert json.loads(here.stdout) == {"service": "users", "tag": tag, "image": f"users:{tag}"}
    pushed = json.loads(desk.build("users", "--env", "staging", "--push", "--json").stdout)
    assert pushed["image"] == f"{HOST}/users:{tag}@{pushed['digest']}"
    assert (pushed["reused"], pushed["findings"]) == (False, {"HIGH": 2})
    left = json.loads((desk.clone / ".platform/builds/users.json").read_text(encoding="utf-8"))
    assert left == pushed


def test_an_image_that_is_in_the_registry_is_neither_built_nor_pushed(desk: Desk) -> None:
    first = desk.build("users", "--env", "staging", "--push")
    desk.calls.clear()
    again = desk.build("users", "--env", "staging", "--push")
    missing = desk.build("users", "--env", "staging", "--if-missing", "--json")
    assert desk.calls == []
    assert first.stdout == again.stdout
    assert json.loads(missing.stdout)["image"] is None
    assert "nothing to build" in missing.stderr


@pytest.mark.parametrize(("fail_on", "exit_code"), [("critical", 0), ("high", 1), ("never", 0)])
def test_the_severity_that_refuses_can_be_chosen(desk: Desk, fail_on: str, exit_code: int) -> None:
    result = desk.build("users", "--env", "staging", "--push", "--fail-on", fail_on)
    assert result.exit_code == exit_code, result.stderr
    assert (desk.clone / ".platform/builds/users.json").exists() is (exit_code == 0)


def test_architecture_and_base_image_can_be_chosen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_BASE_IMAGE", "mirror.example.com/python:3.13-slim-bookworm")
    same, other = desk.build("users").stdout, desk.build("users", "--architecture", "arm64").stdout
    pinned = desk.build("users", "--base-image", f"python@sha256:{'1' * 64}").stdout
    assert same.strip() == desk.tag("users")
    assert len({same, other, pinned}) == 3
    assert "--build-arg=PYTHON_IMAGE=mirror.example.com/python:3.13-slim-bookworm" in desk.calls[0]
    assert "--platform=linux/arm64" in desk.calls[1]


def test_an_unknown_service_is_refused_with_the_closest_name(desk: Desk) -> None:
    result = desk.build("user")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "did you mean users?" in result.stderr
    assert desk.calls == []


def test_the_laptop_has_no_registry_to_push_to(desk: Desk) -> None:
    """Whatever answers there says that it is another one; nothing is built in vain."""
    result = desk.build("users", "--push")
    assert result.exit_code == 1
    assert "000000000000.dkr.ecr.us-east-1.amazonaws.com/users" in result.stderr
    assert "cannot be pushed" in result.stderr
    assert desk.calls == []
