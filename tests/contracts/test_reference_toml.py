"""reference.toml is the documentation of platform.toml: it and the code may not drift apart."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from platform_sdk.deploy.document import dotted, read_document
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.render import task_definition
from platform_sdk.deploy.spec import load_spec
from platform_sdk.deploy.spec.read import read_service

REFERENCE = Path(str(files("platform_sdk.deploy").joinpath("reference.toml")))
ROOT = Path(__file__).resolve().parents[2]

NAMES_OF_THE_TEAM = {"environment": "*", "secrets": "*", "publishes": "*", "queues": "*"}


def written_keys(values: dict[str, object], path: tuple[str, ...] = ()) -> set[str]:
    """Every key of the file, with `*` where the team chooses the name."""
    keys: set[str] = set()
    for name, value in values.items():
        key = (*path, "*" if path and path[0] in NAMES_OF_THE_TEAM and len(path) == 1 else name)
        keys.add(dotted(key))
        if isinstance(value, dict):
            keys |= written_keys(value, key)
    return keys


def test_reference_holds_exactly_the_keys_that_the_code_reads() -> None:
    document = read_document(REFERENCE, "reference.toml")
    read_service(document, REFERENCE.parent)
    known = {re.sub(r"^queues\.orders", "queues.*", key) for key in document.known_keys()}
    assert written_keys(dict(document.values)) == known


def test_reference_has_no_fault() -> None:
    assert load_spec(REFERENCE).name == "orders"


@pytest.mark.parametrize("environment", ["local", "production", "staging"])
@pytest.mark.parametrize("role", ["api", "worker"])
def test_reference_renders(environment: str, role: str) -> None:
    document = task_definition(
        load_spec(REFERENCE),
        load_environment(ROOT, environment),
        image="orders:1",
        role="worker" if role == "worker" else "api",
    )
    assert document["cpu"] == ("256" if role == "worker" else "512")


def test_every_key_is_explained_above_it() -> None:
    """A comment stands between a key and the key before it, unless both belong to one explanation."""
    text = REFERENCE.read_text(encoding="utf-8")
    document = read_document(REFERENCE, "reference.toml")
    lines = text.splitlines()
    for path, line in document.lines.items():
        if len(path) == 1:
            continue
        above = "\n".join(lines[: line - 1])
        paragraph = above.rsplit("\n\n", 1)[-1] + lines[line - 1]
        assert "#" in paragraph, dotted(path)
