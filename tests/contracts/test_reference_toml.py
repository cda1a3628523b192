"""What `platform reference` prints documents platform.toml: a file that can itself be used, with every key in it."""

import re
import tomllib
from pathlib import Path

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_spec
from platform_sdk.deploy.manifest.keys import Group
from platform_sdk.deploy.manifest.reader import read_service
from platform_sdk.deploy.manifest.reference import BY_PATH, reference
from platform_sdk.deploy.manifest.types import ROOT
from platform_sdk.deploy.render.task_definition import render_task_definition
from platform_sdk.deploy.toml_document import dotted, read_document
from tests.support.repository import FIXTURES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "platform.toml"
    path.write_text(reference(), encoding="utf-8")
    return path


def pattern_of(path: tuple[str | int, ...]) -> str:
    """The path as the table of keys writes it: `*` for names of the team's, and no numbers of lists."""
    steps: list[str] = []
    group: Group | None = ROOT
    named = False
    for step in (step for step in path if isinstance(step, str)):
        members = {} if group is None or named else group.keys
        member = members.get(step)
        steps.append(step if member is not None else "*")
        if not named:
            group = member if isinstance(member, Group) else None
        named = not named and group is not None and group.form == "named"
    return ".".join(steps)


def test_reference_uses_every_key_and_no_other(file: Path) -> None:
    document = read_document(file, "platform.toml")
    written = {pattern_of(path) for path in document.lines if path[0] != "environments"}
    assert written - {"queues.*"} == set(BY_PATH) - {"environments"}


def test_every_key_is_read(file: Path) -> None:
    document = read_document(file, "platform.toml").overlaid(("environments", "production"))
    read_service(document, file.parent)
    keys = {dotted((*table.path, key)) for table in document.tables for key in {"*"} & table.known or table.known}
    asked = {re.sub(r"\[\d+\]", "", key).replace("queues.orders", "queues.*") for key in keys}
    assert asked - {"queues.*"} == set(BY_PATH) - {"environments"}


def test_reference_has_no_error(file: Path) -> None:
    assert load_spec(file).scaling.max_tasks == 6
    assert load_spec(file, "production").scaling.max_tasks == 50


def test_examples_and_defaults_are_what_the_reader_takes() -> None:
    assert tomllib.loads(reference())["queues"]["orders"]["max_receive_count"] == 5


@pytest.mark.parametrize("environment", ["local", "production", "staging"])
@pytest.mark.parametrize("role", ["api", "worker"])
def test_reference_renders(file: Path, environment: str, role: str) -> None:
    document = render_task_definition(
        load_spec(file, environment),
        load_environment(FIXTURES, environment),
        image="orders:1",
        role="worker" if role == "worker" else "api",
    )
    assert document["cpu"] == ("256" if role == "worker" else "512")


def test_every_key_is_explained_above_it(file: Path) -> None:
    document = read_document(file, "platform.toml")
    lines = file.read_text(encoding="utf-8").splitlines()
    for path, line in document.lines.items():
        if isinstance(path[-1], str) and path[0] != "environments":
            assert "#" in "\n".join(lines[: line - 1]).rsplit("\n\n", 1)[-1], dotted(path)
