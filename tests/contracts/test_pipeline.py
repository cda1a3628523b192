"""The pipeline starts for all that its service is made from, and hands the build what a release needs to know."""

import re
import subprocess
from functools import cache
from typing import Any

import pytest

from platform_sdk.deploy.build.changed import Graph, load_graph
from platform_sdk.deploy.environment import service_names
from tests.support.cloudformation import ENVIRONMENTS, template_of
from tests.support.repository import ROOT

SERVICES = service_names(ROOT)
RESOURCES = template_of(ROOT / "deploy/cloudformation/pipeline.yaml")["Resources"]
STAGES = RESOURCES["Pipeline"]["Properties"]["Stages"]


@cache
def repository_files() -> tuple[str, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return tuple(path for path in listed.split("\0") if path)


@cache
def graph(environment: str) -> Graph:
    return load_graph(ROOT, SERVICES, environment)


def filters(service: str, environment: str) -> dict[str, list[str]]:
    (push,) = RESOURCES["Pipeline"]["Properties"]["Triggers"][0]["GitConfiguration"]["Push"]
    names = {"${Service}": service, "${Environment}": environment}

    def written(pattern: Any) -> str:
        text = pattern["Fn::Sub"] if isinstance(pattern, dict) else pattern
        return re.sub(r"\$\{\w+\}", lambda found: names[found[0]], text)

    return {kind: [written(pattern) for pattern in patterns] for kind, patterns in push["FilePaths"].items()}


def expression(pattern: str) -> str:
    """docs.aws.amazon.com/codepipeline, "Working with glob patterns in syntax"."""
    said = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
    return "".join(said.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*|\?|[{},])", pattern))


def starts(path: str, service: str, environment: str) -> bool:
    """One file that an include lets through and no exclude holds back."""
    patterns = filters(service, environment)

    def matches(kind: str) -> bool:
        return any(re.fullmatch(expression(pattern), path) for pattern in patterns[kind])

    return matches("Includes") and not matches("Excludes")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SERVICES)
def test_every_file_that_touches_a_service_starts_its_pipeline(service: str, environment: str) -> None:
    touching = [path for path in repository_files() if any(graph(environment).reasons(service, path))]
    assert len(touching) > 50
    assert [path for path in touching if not starts(path, service, environment)] == []


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docs/flows.md",
        "services/orders/README.md",
        "services/users/src/users/api.py",
        "requirements/users.txt",
        "requirements/development.txt",
        "deploy/environments/production.toml",
        "tests/unit/orders/test_order_states.py",
        "Makefile",
    ],
)
def test_what_does_not_touch_a_service_does_not_start_its_pipeline(path: str) -> None:
    assert not starts(path, "orders", "staging")


def test_codepipeline_takes_no_more_than_eight_patterns() -> None:
    assert all(1 <= len(patterns) <= 8 for patterns in filters("orders", "staging").values())


def test_the_build_gets_a_clone_and_may_make_it() -> None:
    source = STAGES[0]["Actions"][0]["Configuration"]
    assert source["OutputArtifactFormat"] == "CODEBUILD_CLONE_REF"
    assert source["DetectChanges"] == "false"
    statements = RESOURCES["BuildPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = {action for statement in statements for action in statement["Action"] if ":UseConnection" in action}
    assert allowed == {"codeconnections:UseConnection", "codestar-connections:UseConnection"}


def test_the_build_gets_service_and_environment_and_no_secret() -> None:
    environment = RESOURCES["Project"]["Properties"]["Environment"]
    variables = {variable["Name"]: variable["Value"] for variable in environment["EnvironmentVariables"]}
    assert variables == {"SERVICE": {"Ref": "Service"}, "ENVIRONMENT": {"Ref": "Environment"}}


def test_the_build_outlasts_a_release() -> None:
    """Eight hours: the longest shift and bake time, an hour until the tasks are steady, and the build itself."""
    assert RESOURCES["Project"]["Properties"]["TimeoutInMinutes"] == 480


def test_one_build_of_a_service_runs_at_a_time_and_only_the_newest_waits() -> None:
    """A stage runs one execution, and a newer one takes the place of one that waits. A limit of the project would fail
    the second build: "new builds are throttled and are not run".
    https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
    """
    assert RESOURCES["Pipeline"]["Properties"]["ExecutionMode"] == "SUPERSEDED"
    assert "ConcurrentBuildLimit" not in RESOURCES["Project"]["Properties"]
