"""Run the commands of the buildspec as CodeBuild does: in a clone, in bash, phase by phase, against AWS.

The platform's commands, bash and git are real. `make` and Docker are stood in for, and AWS is the simulated account in
memory, so the Python that CodeBuild starts is this one.
"""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aws_simulator import AwsSimulator, Behaviour, SteppedClock
from aws_simulator.account_setup import build_account
from aws_simulator.ecr import Ecr
from aws_simulator.iam import Iam
from aws_simulator.policies import is_allowed
from aws_simulator.small_services import Sts
from aws_simulator.world import GOOD
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.build.publish import read_source
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.errors import ended_by_errors
from tests.support.clones import cloned, git
from tests.support.codebuild import Build, Project
from tests.support.stand_ins import ProgramCall, Server, StandIn, as_if_called, stand_ins

HOST = "444455556666.dkr.ecr.us-east-1.amazonaws.com"
RELEASE = ".venv/bin/python deploy/release.py"


@dataclass
class Machine:
    """A build machine with a clone; `failing` holds programs and first arguments that end with 2."""

    source: Path
    state: Path
    bin: Path
    simulator: AwsSimulator
    server: Server = field(init=False)
    calls: list[ProgramCall] = field(default_factory=list)
    failing: set[tuple[str, str]] = field(default_factory=set)
    severities: Mapping[str, int] = field(default_factory=dict)
    behaviour: Behaviour = GOOD

    @property
    def programs(self) -> dict[Path, StandIn]:
        return {
            self.bin / "make": self.make,
            self.bin / "docker": self.docker,
            self.source / ".venv/bin/python": self.python,
        }

    def build(self, **variables: str) -> Build:
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir()
        project = Project(
            source=self.source,
            state=self.state,
            variables={"SERVICE": "orders", "ENVIRONMENT": "staging"} | variables,
            path=f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            commit=git(self.source, "rev-parse", "HEAD").strip(),
        )
        return self.server.beside(project.run)

    def connect(self, environment: Environment) -> Aws:
        return Aws(self.simulator.client, account_id=environment.account_id, region=environment.region)

    def make(self, call: ProgramCall) -> int:
        self.calls.append(call)
        sys.stdout.write(f"make {' '.join(call.arguments)}\n")
        return 2 if ("make", call.arguments[0]) in self.failing else 0

    def docker(self, call: ProgramCall) -> int:
        self.calls.append(call)
        sys.stdout.write(f"docker {call.arguments[0]}\n")
        if ("docker", call.arguments[0]) in self.failing:
            return 2
        if call.arguments[0] == "push":
            repository, _, tag = call.arguments[1].rpartition("/")[2].partition(":")
            ecr = self.simulator.service(Ecr)
            ecr.push(repository, tag, self.behaviour, manifest="single", severities=self.severities)
        return 0

    def python(self, call: ProgramCall) -> int:
        self.calls.append(call)
        script, *arguments = call.arguments
        with as_if_called(call):
            release = loaded(Path(call.folder) / script)
            outside = Outside(connect=self.connect, clock=self.simulator.clock)
            try:
                with ended_by_errors():
                    return int(release.main(arguments, call.variables, outside))
            except SystemExit as ended:
                return int(ended.code or 0)

    def said_to(self, program: str) -> list[str]:
        return [" ".join(call.arguments) for call in self.calls if call.program == program]

    @property
    def tag(self) -> str:
        return read_source(self.source, "orders", "x86_64").tag

    def images(self) -> list[str]:
        return [
            tag for image in self.simulator.service(Ecr).repositories["orders"].images.values() for tag in image.tags
        ]


def loaded(script: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("release_of_the_clone", script)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def machine(committed: Path, tmp_path: Path) -> Iterator[Machine]:
    source = cloned(committed, tmp_path / "source")
    environment = load_environment(source, "staging")
    clock = SteppedClock(datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
    simulator = AwsSimulator(clock=clock, account_id=environment.account_id, region=environment.region)
    session = f"arn:aws:sts::{environment.account_id}:assumed-role/staging-orders-release/AWSCodeBuild"
    simulator.service(Sts).caller = session
    build_account(simulator, source, environment, load_services(source, "staging"))
    made = Machine(source=source, state=tmp_path / "state", bin=tmp_path / "bin", simulator=simulator)
    # A release listens to signals, which only the main thread may.
    with stand_ins(made.programs, tmp_path / "socket", main=["python"]) as made.server:
        yield made


def test_a_merge_is_installed_built_tested_pushed_and_deployed_in_this_order(machine: Machine) -> None:
    build = machine.build()
    assert build.succeeded, build.output
    assert [phase.name for phase in build.phases] == ["install", "pre_build", "build"]
    assert build.commands("install") == ("make setup",)
    assert build.commands("pre_build") == (f"{RELEASE} build",)
    assert build.commands("build") == (
        "make check",
        "make test PYTEST_ARGS=--junitxml=reports/tests.xml",
        f"{RELEASE} push",
        f"{RELEASE} deploy",
    )


def test_the_image_that_was_tested_is_pushed_under_the_name_of_its_content(machine: Machine) -> None:
    machine.build()
    first, *others = machine.said_to("docker")
    assert first.startswith("buildx build ")
    assert f"--tag=orders:{machine.tag} " in first
    assert [line.split()[0] for line in others] == ["login", "buildx", "push"]
    assert others[-1] == f"push {HOST}/orders:{machine.tag}"
    assert machine.images() == [machine.tag]
    record = json.loads((machine.source / ".platform/builds/orders.json").read_text(encoding="utf-8"))
    assert record["image"].startswith(f"{HOST}/orders:{machine.tag}@sha256:")
    assert record["commit"] == git(machine.source, "rev-parse", "HEAD").strip()


def test_both_builds_are_of_the_same_files_and_of_the_mirrored_base_image(machine: Machine) -> None:
    machine.build()
    builds = [call for call in machine.calls if call.program == "docker" and call.arguments[0] == "buildx"]
    assert len({call.given for call in builds}) == 1
    for call in builds:
        assert "--build-arg=PYTHON_IMAGE=public.ecr.aws/docker/library/python:3.13-slim-bookworm" in call.arguments
        assert "--platform=linux/amd64" in call.arguments


def test_the_registrys_password_is_in_no_argument_and_in_no_log(machine: Machine) -> None:
    build = machine.build()
    (login,) = [call for call in machine.calls if call.arguments[0] == "login"]
    password = login.given.decode()
    assert password
    assert password not in build.output
    assert not [call for call in machine.calls if password in " ".join(call.arguments)]


def test_the_same_commit_again_needs_no_docker_at_all(machine: Machine) -> None:
    machine.build()
    machine.calls.clear()
    build = machine.build()
    assert machine.said_to("docker") == []
    assert build.succeeded, build.output
    assert machine.images() == [machine.tag]


@pytest.mark.parametrize(
    ("failing", "last", "later"),
    [
        (("make", "setup"), "make setup", "pre_build"),
        (("docker", "buildx"), f"{RELEASE} build", "build"),
        (("make", "check"), "make check", "post_build"),
        (("make", "test"), "make test PYTEST_ARGS=--junitxml=reports/tests.xml", "post_build"),
        (("docker", "login"), f"{RELEASE} push", "post_build"),
        (("docker", "push"), f"{RELEASE} push", "post_build"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_nothing_follows_a_step_that_fails(machine: Machine, failing: tuple[str, str], last: str, later: str) -> None:
    machine.failing.add(failing)
    build = machine.build()
    assert not build.succeeded
    assert build.phases[-1].commands[-1] == last, build.output
    assert build.commands(later) == ()
    assert machine.images() == []
    assert f"{RELEASE} deploy" not in build.commands("build")


def test_an_image_that_its_scan_refuses_is_not_deployed(machine: Machine) -> None:
    machine.severities = {"CRITICAL": 1}
    build = machine.build()
    assert build.commands("build")[-1] == f"{RELEASE} push"
    assert "must not be released: the scan has 1 finding of severity critical" in build.output


def test_without_a_service_all_those_are_built_that_the_commits_since_touch(machine: Machine) -> None:
    page = machine.source / "services/users/src/users/api.py"
    page.write_text(page.read_text(encoding="utf-8") + "\n# A change.\n", encoding="utf-8")
    git(machine.source, "commit", "--quiet", "--all", "--message", "Change users")
    machine.build(SERVICE="", SINCE="HEAD~1")
    assert [line.split()[1] for line in machine.said_to("docker") if line.startswith("push")] == [
        f"{HOST}/users:{read_source(machine.source, 'users', 'x86_64').tag}"
    ]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ENVIRONMENT": "produktion"}, "there is no environment `produktion`"),
        ({"SERVICE": "order"}, "there is no service `order`"),
        ({"SERVICE": "", "SINCE": "v9"}, "git knows no revision `v9`"),
    ],
)
def test_a_wrong_variable_ends_the_build_before_anything_is_built(
    machine: Machine, variables: dict[str, str], message: str
) -> None:
    build = machine.build(**variables)
    assert [phase.succeeded for phase in build.phases] == [True, False]
    assert message in build.output
    assert machine.said_to("docker") == []


def record(machine: Machine) -> dict[str, Any]:
    text = (machine.source / "reports/release-orders.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def commit_a_change(machine: Machine) -> None:
    api = machine.source / "services/orders/src/orders/api.py"
    api.write_text(api.read_text(encoding="utf-8") + "\n# A change.\n", encoding="utf-8")
    git(machine.source, "commit", "--quiet", "--all", "--message", "Change orders")


def running(machine: Machine) -> str:
    service = machine.simulator.client("ecs").describe_services(
        cluster="platform-staging", services=["staging-orders"], include=["TAGS"]
    )["services"][0]
    (primary,) = [one["taskDefinition"] for one in service["taskSets"] if one["status"] == "PRIMARY"]
    found = machine.simulator.client("ecs").describe_task_definition(taskDefinition=primary)
    return str(found["taskDefinition"]["containerDefinitions"][0]["image"])


def test_a_merge_serves_all_users_and_leaves_record_summary_and_report(machine: Machine) -> None:
    assert machine.build().succeeded
    assert running(machine) == record(machine)["image"]
    assert record(machine)["outcome"] == "released"
    assert record(machine)["commit"] == git(machine.source, "rev-parse", "HEAD").strip()
    reports = machine.source / "reports"
    assert machine.tag in (reports / "release-orders.md").read_text(encoding="utf-8")
    junit = (reports / "release-orders.xml").read_text(encoding="utf-8")
    assert junit.count("<testcase ") >= len(record(machine)["checks"])
    assert "<failure" not in junit


def test_a_merge_that_changes_nothing_of_the_service_is_a_success_with_nothing_to_do(machine: Machine) -> None:
    machine.build()
    before = running(machine)
    (machine.source / "README.md").write_text("Another page.\n", encoding="utf-8")
    git(machine.source, "commit", "--quiet", "--all", "--message", "Change a page")
    assert machine.build().succeeded
    assert record(machine)["outcome"] == "nothing_to_do"
    assert running(machine) == before


def test_a_version_that_crashes_fails_the_build_with_the_releases_own_exit_code(machine: Machine) -> None:
    machine.build()
    before = running(machine)
    machine.behaviour = Behaviour(kind="crashes")
    commit_a_change(machine)
    build = machine.build()
    assert build.phases[-1].exit_code == record(machine)["exit_code"] == 12, build.output
    assert running(machine) == before
    assert "<failure" in (machine.source / "reports/release-orders.xml").read_text(encoding="utf-8")


CONTEXT = {
    "application-autoscaling:service-namespace": "ecs",
    "cloudformation:RoleArn": "arn:aws:iam::444455556666:role/staging-orders-stack",
    "dynamodb:LeadingKeys": ["release/orders"],
    "ecs:cluster": "arn:aws:ecs:us-east-1:444455556666:cluster/platform-staging",
    "iam:PassedToService": "ecs-tasks.amazonaws.com",
}

NOT_GIVEN = {"secretsmanager:GetSecretValue"}
"""Asked for, and left out where it is refused: which keys a secret has."""


def test_everything_that_a_build_calls_its_role_may_do(machine: Machine) -> None:
    """A good release, one that fails, and a stack that changes: of all calls, those that the role does not allow."""
    machine.build()
    machine.behaviour = Behaviour(kind="crashes")
    commit_a_change(machine)
    file = machine.source / "services/orders/platform.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("max_tasks = 2", "max_tasks = 3"), encoding="utf-8")
    git(machine.source, "commit", "--quiet", "--all", "--message", "Scale orders")
    assert "1 updated" in machine.build().output
    documents = machine.simulator.service(Iam).documents("staging-orders-release")
    called = {(call.action, resource) for call in machine.simulator.calls for resource in call.resources}
    assert len(called) > 40
    refused = {
        f"{action} {resource}"
        for action, resource in called
        if action not in NOT_GIVEN and not is_allowed(documents, action, resource, CONTEXT).allowed
    }
    assert refused == set()
    passing = {check["name"]: check["status"] for check in record(machine)["checks"]}["roles"]
    assert passing == "OK"
