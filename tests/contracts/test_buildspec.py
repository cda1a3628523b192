"""What buildspec.yml promises, and whether the stand-in for CodeBuild that runs it in tests does as CodeBuild does."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_sdk.deploy.build.image_inputs import load_inputs, without_registry
from platform_sdk.deploy.environment import service_names
from tests.support.cloudformation import template_of
from tests.support.codebuild import Build, Project, UnknownKey
from tests.support.repository import ROOT

SPEC: dict[str, Any] = yaml.safe_load((ROOT / "buildspec.yml").read_text(encoding="utf-8"))
PROJECT = template_of(ROOT / "deploy/cloudformation/pipeline.yaml")["Resources"]["Project"]["Properties"]


def test_nothing_runs_after_a_failure() -> None:
    """CodeBuild runs post_build after a build that failed, and `finally` after everything."""
    assert list(SPEC["phases"]) == ["install", "pre_build", "build"]
    for phase in SPEC["phases"].values():
        assert set(phase) <= {"runtime-versions", "commands"}


def test_every_command_is_one_line_that_is_run_by_the_repository_itself() -> None:
    commands = [command for phase in SPEC["phases"].values() for command in phase["commands"]]
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for command in commands:
        assert "\n" not in command
        program, what = command.split()[:2]
        assert (program == "make" and what in targets) or (ROOT / what).is_file(), command
    assert commands[-2:] == [f".venv/bin/python deploy/release.py {stage}" for stage in ("push", "deploy")]


def test_the_base_image_is_the_dockerfiles_own_from_a_mirror() -> None:
    mirrored = SPEC["env"]["variables"]["PLATFORM_BASE_IMAGE"]
    for service in service_names(ROOT):
        base_image = load_inputs(ROOT, service).dockerfile.base_image
        assert without_registry(mirrored) == base_image
        assert f"python:{SPEC['phases']['install']['runtime-versions']['python']}-" in base_image


def test_the_reports_are_where_the_commands_write_them_and_no_part_of_the_repository() -> None:
    assert {report["file-format"] for report in SPEC["reports"].values()} == {"JUNITXML"}
    assert {report["base-directory"] for report in SPEC["reports"].values()} == {"reports"}
    (tests,) = SPEC["reports"]["tests"]["files"]
    assert f"make test PYTEST_ARGS=--junitxml=reports/{tests}" in SPEC["phases"]["build"]["commands"]
    assert "/reports/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_the_project_runs_this_buildspec_and_keeps_layers_and_packages() -> None:
    assert PROJECT["Source"] == {"Type": "CODEPIPELINE", "BuildSpec": "buildspec.yml"}
    assert PROJECT["Cache"] == {"Type": "LOCAL", "Modes": ["LOCAL_DOCKER_LAYER_CACHE", "LOCAL_CUSTOM_CACHE"]}
    assert SPEC["cache"]["paths"] == ["/root/.cache/pip/**/*"]
    assert PROJECT["Environment"]["PrivilegedMode"] is True


def run(folder: Path, buildspec: str, **variables: str) -> Build:
    source, state = folder / "source", folder / "state"
    source.mkdir()
    state.mkdir()
    (source / "buildspec.yml").write_text(f"version: 0.2\nenv: {{shell: bash}}\n{buildspec}", encoding="utf-8")
    return Project(source=source, state=state, variables=variables, path=os.environ["PATH"], commit="c0ffee").run()


@pytest.mark.parametrize(
    ("failing", "run_phases"),
    [
        ("install", ["install"]),
        ("pre_build", ["install", "pre_build"]),
        ("build", ["install", "pre_build", "build", "post_build"]),
        ("post_build", ["install", "pre_build", "build", "post_build"]),
        ("none", ["install", "pre_build", "build", "post_build"]),
    ],
)
def test_a_failed_phase_stops_the_build_but_post_build_follows_a_failed_build(
    tmp_path: Path, failing: str, run_phases: list[str]
) -> None:
    phases = ["install", "pre_build", "build", "post_build"]
    lines = [f"  {name}: {{commands: ['[ {name} != {failing} ]', 'echo after {name}']}}" for name in phases]
    build = run(tmp_path, "phases:\n" + "\n".join(lines))
    assert [phase.name for phase in build.phases] == run_phases
    assert [phase.name for phase in build.phases if not phase.succeeded] == [name for name in phases if name == failing]
    assert f"after {failing}" not in build.output


def test_commands_share_a_shell_within_a_phase_and_variables_and_folder_beyond_it(tmp_path: Path) -> None:
    build = run(
        tmp_path,
        "phases:\n"
        "  install: {commands: ['mkdir deep; cd deep', 'here=1; export THERE=2']}\n"
        "  build: {commands: ['echo $(basename $PWD) [$here] [$THERE] $CODEBUILD_BUILD_SUCCEEDING', 'exit 3']}\n"
        "  post_build: {commands: ['echo $CODEBUILD_BUILD_SUCCEEDING $CODEBUILD_RESOLVED_SOURCE_VERSION']}\n",
    )
    assert build.output == "deep [] [2] 1\n0 c0ffee\n"


def test_the_projects_variables_are_stronger_than_the_buildspecs(tmp_path: Path) -> None:
    phases = "phases: {build: {commands: ['echo $ONE $TWO']}}\n"
    text = phases.replace("phases", "env: {shell: bash, variables: {ONE: a, TWO: b}}\nphases", 1)
    assert run(tmp_path, text, TWO="c").output == "a c\n"


def test_what_is_not_supported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownKey, match="finally"):
        run(tmp_path, "phases: {build: {commands: ['true'], finally: ['true']}}")
