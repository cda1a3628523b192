"""What `platform cost` prints, and the comparison with the architecture's own estimate."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from platform_sdk.cli import platform
from platform_sdk.deploy.cost import load_estimate
from platform_sdk.deploy.cost.comparison import ARCHITECTURE_USD, LEFT_OUT, compare
from platform_sdk.deploy.output.cost import as_text
from tests.support.repository import FIXTURES


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FIXTURES)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(platform, ("cost", *arguments), prog_name="platform")


def test_the_architectures_estimate_is_as_it_was_given() -> None:
    assert list(ARCHITECTURE_USD.values()) == [200, 22, 5, 100, 30, 15]
    assert sum(ARCHITECTURE_USD.values()) == 372


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_every_line_is_either_compared_or_left_out(environment: str) -> None:
    estimate = load_estimate(FIXTURES, environment)
    comparison = compare(estimate)
    assert comparison.compared_usd + comparison.left_out_usd == estimate.usd_per_month
    for line in estimate.lines:
        places = [name for name, section, ends, _ in LEFT_OUT if section == line.section and line.name.endswith(ends)]
        assert len(places) == (line.section not in ARCHITECTURE_USD), line.name


def test_every_difference_has_a_reason() -> None:
    comparison = compare(load_estimate(FIXTURES, "production"))
    assert all(len(line.reason) > 40 for line in comparison.compared)
    assert all(gap.reason for gap in comparison.left_out)


def test_production_never_falls_below_two_units_in_two_zones() -> None:
    aurora = next(line for line in compare(load_estimate(FIXTURES, "production")).compared if line.section == "Aurora")
    assert aurora.reason.startswith("the estimate is 1.14 ACU all month")  # 100 / 730 / 0.12
    assert "2 x 2 ACU for 730 hours" in aurora.reason


def test_lines_fit_a_terminal() -> None:
    estimate = load_estimate(FIXTURES, "production")
    assert max(map(len, as_text(estimate, compare(estimate)).splitlines())) <= 120


def test_command_prints_a_table() -> None:
    result = run("--env", "staging")
    assert result.exit_code == 0
    assert result.stdout == as_text(load_estimate(FIXTURES, "staging"))
    assert "Compared with the architecture's estimate" not in result.stdout


def test_command_prints_one_service() -> None:
    result = run("--env", "staging", "users")
    assert "users api" in result.stdout
    assert "orders" not in result.stdout
    assert "NAT" not in result.stdout


def test_json_holds_every_price_with_its_date_and_source() -> None:
    document = json.loads(run("--env", "staging", "--compare", "--json").stdout)
    charges = [charge for line in document["lines"] for charge in line["charges"]]
    assert all({"date", "source", "confidence", "usd", "quantity"} <= set(charge) for charge in charges)
    assert Decimal(document["usd_per_month"]) == sum(Decimal(line["usd_per_month"]) for line in document["lines"])
    assert document["comparison"]["architecture_usd_per_month"] == "372"


def test_command_says_which_average_it_uses_where_scaling_never_allows_the_assumed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "services/orders/platform.toml").open("a", encoding="utf-8") as file:
        file.write("[environments.production.scaling]\nmin_tasks = 10\nmax_tasks = 50\n")

    text = run("--env", "production")
    document = json.loads(run("--env", "production", "--json").stdout)

    assert text.exit_code == 0, text.stderr
    assert "  10 on average of 0.5 vCPU and 1 GB, x86_64\n" in text.stdout
    assert "  note: average 2 is below the minimum 10, 10 is used\n" in text.stdout
    assert {line["name"]: line["note"] for line in document["lines"] if line["note"]} == {
        "orders api": "average 2 is below the minimum 10, 10 is used"
    }


def test_comparison_of_one_service_is_refused() -> None:
    result = run("--env", "staging", "--compare", "users")
    assert result.exit_code == 2
    assert "--compare does not go with services" in result.stderr


def test_local_has_no_price() -> None:
    result = run("--env", "local")
    assert result.exit_code == 1
    assert "error: local costs nothing" in result.stderr
