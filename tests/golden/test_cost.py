"""The estimate of every environment on AWS, compared with the file that was reviewed."""

import pytest

from platform_sdk.deploy.cost import load_estimate
from platform_sdk.deploy.cost.comparison import compare
from platform_sdk.deploy.output.cost import as_text
from tests.support.goldens import agree, no_stale_goldens
from tests.support.repository import FIXTURES

ENVIRONMENTS = ("production", "staging")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_estimate_is_as_reviewed(environment: str) -> None:
    estimate = load_estimate(FIXTURES, environment)
    agree(f"cost/{environment}.txt", as_text(estimate, compare(estimate)))


def test_no_estimate_is_stale() -> None:
    no_stale_goldens("cost", [f"cost/{environment}.txt" for environment in ENVIRONMENTS])
