"""The estimate of every environment on AWS, compared with the file that was reviewed.

After a change that is meant, write the files anew and review the difference:

    UPDATE_GOLDENS=1 .venv/bin/pytest tests/golden && git diff tests/golden
"""

import os
from pathlib import Path

import pytest

from platform_sdk.deploy.cost import compare, load_estimate
from platform_sdk.deploy.output.cost import as_text
from tests.support.repository import FIXTURES

GOLDENS = Path(__file__).parent / "cost"
ENVIRONMENTS = ("production", "staging")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_estimate_is_as_reviewed(environment: str) -> None:
    golden = GOLDENS / f"{environment}.txt"
    estimate = load_estimate(FIXTURES, environment)
    text = as_text(estimate, compare(estimate))
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert golden.exists(), "UPDATE_GOLDENS=1 writes it"
    assert golden.read_text(encoding="utf-8") == text, "UPDATE_GOLDENS=1 writes it anew; review the difference"


def test_no_estimate_is_left_over() -> None:
    assert {path.stem for path in GOLDENS.iterdir()} == set(ENVIRONMENTS)
