"""Every rendered task definition, compared with the file that was reviewed.

After a change that is meant, write the files anew and review the difference:

    UPDATE_GOLDENS=1 .venv/bin/pytest tests/golden && git diff tests/golden
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.render.names import Role
from platform_sdk.deploy.render.task_definition import render_task_definition
from tests.support.repository import FIXTURES

GOLDENS = Path(__file__).parent / "task_definitions"
ENVIRONMENTS = ("local", "production", "staging")
DIGEST = "sha256:" + "0123456789abcdef" * 4


def rendered() -> Iterator[tuple[Path, str]]:
    """Each golden's path, and what belongs there."""
    for environment in (load_environment(FIXTURES, name) for name in ENVIRONMENTS):
        for spec in load_services(FIXTURES, environment.name):
            roles: tuple[Role, ...] = ("api",) if spec.worker is None else ("api", "worker")
            for role in roles:
                image = (
                    f"{environment.account_id}.dkr.ecr.{environment.region}.amazonaws.com/{spec.name}:1.4.2@{DIGEST}"
                )
                document = render_task_definition(spec, environment, image=image, role=role)
                path = GOLDENS / environment.name / f"{document['family']}.json"
                yield path, json.dumps(document, indent=2) + "\n"


@pytest.mark.parametrize(
    ("golden", "text"), list(rendered()), ids=lambda value: value.stem if isinstance(value, Path) else ""
)
def test_task_definition_is_as_reviewed(golden: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDENS"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert golden.exists(), "UPDATE_GOLDENS=1 writes it"
    assert golden.read_text(encoding="utf-8") == text, "UPDATE_GOLDENS=1 writes it anew; review the difference"


def test_no_golden_is_left_over() -> None:
    assert set(GOLDENS.glob("*/*.json")) == {path for path, _ in rendered()}
