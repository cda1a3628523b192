"""What an estimate reads: the price table, `[cost]`, and the numbers that it takes from the shared templates."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from platform_sdk.deploy.cost import NothingToEstimate, load_estimate
from platform_sdk.deploy.cost import shared_costs as shared
from platform_sdk.deploy.cost.prices import AMOUNTS, InvalidPrices, UnknownRegion, load_assumptions, load_prices
from platform_sdk.deploy.environment import InvalidEnvironment, UnknownName
from platform_sdk.deploy.manifest import load_services
from tests.support.repository import FIXTURES, ROOT

TEMPLATES = ROOT / "deploy" / "cloudformation"
ON_AWS = ("production", "staging")


def text_of(template: str) -> str:
    return (TEMPLATES / f"{template}.yaml").read_text(encoding="utf-8")


def resources(template: str, kind: str) -> int:
    return len(re.findall(rf"^    Type: {re.escape(kind)}$", text_of(template), re.MULTILINE))


def cost_file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "deploy" / "environments" / "staging.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return tmp_path


def complete_cost_table(**changed: str) -> str:
    lines = {key: example for key, example in AMOUNTS.items()} | changed
    return "[cost]\n" + "\n".join(line for line in lines.values() if line) + "\n"


def price_file(tmp_path: Path, price: str) -> Path:
    file = tmp_path / "deploy" / "prices" / "eu-west-1.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'region = "eu-west-1"\ncompiled = "2026-11-22"\n\n[prices.alb_hour]\n{price}\n', encoding="utf-8")
    return tmp_path


def test_numbers_that_the_shared_templates_fix() -> None:
    assert text_of("security").count("VpcEndpointType: Interface") == shared.INTERFACE_ENDPOINTS
    assert resources("network", "AWS::EC2::NatGateway") == resources("network", "AWS::EC2::EIP") == shared.ZONES
    assert f"NumCacheClusters: {shared.CACHE_NODES}" in text_of("data")
    assert "Engine: valkey" in text_of("data")
    assert "StorageType" not in text_of("data"), "I/O is billed with Standard storage"
    assert len(re.findall(r"^          Priority: \d+$", text_of("edge"), re.MULTILINE)) == shared.WAF_RULES
    assert 1 + resources("edge", "AWS::Route53::HostedZone") == shared.HOSTED_ZONES
    assert "Scheme: internal" in text_of("edge"), "a public load balancer has addresses to pay for"


def test_numbers_of_resources_in_all_shared_templates() -> None:
    shared_by_all = ("network", "security", "cluster", "data", "edge", "hooks")
    assert sum(resources(name, "AWS::CloudWatch::Alarm") for name in shared_by_all) == shared.SHARED_ALARMS
    assert sum(resources(name, "AWS::KMS::Key") for name in shared_by_all) == shared.KEYS
    secrets = sum(resources(name, "AWS::SecretsManager::Secret") for name in shared_by_all)
    assert secrets + text_of("data").count("ManageMasterUserPassword: true") == shared.SHARED_SECRETS
    assert resources("secrets", "AWS::SecretsManager::Secret") == 2, "database and cache, of each service"


def test_pipelines_are_of_the_kind_that_is_priced() -> None:
    assert "PipelineType: V2" in text_of("pipeline")
    assert "ComputeType: BUILD_GENERAL1_MEDIUM" in text_of("pipeline")


def test_every_price_has_a_date_and_a_source() -> None:
    table = load_prices(FIXTURES, "us-east-1")
    assert len(table.prices) > 40
    for price in table.prices.values():
        assert price.usd > 0, price.name
        assert "2026" <= price.date <= table.compiled, price.name
        assert len(price.source) > 10, price.name


def test_every_price_is_used() -> None:
    sources = "".join(path.read_text("utf-8") for path in Path(shared.__file__).parent.glob("*.py"))
    built = {"fargate_", "valkey_", "codebuild_"}
    for name in load_prices(FIXTURES, "us-east-1").prices:
        assert f'"{name}"' in sources or name.startswith(tuple(built)), name


def test_an_unknown_region_is_refused_by_name() -> None:
    with pytest.raises(UnknownRegion) as raised:
        load_prices(FIXTURES, "us-east-2")
    assert "there are no prices for the region `us-east-2`" in str(raised.value)
    assert "did you mean us-east-1?" in str(raised.value)


def test_an_environment_in_a_region_without_prices_is_refused(tmp_path: Path) -> None:
    for file in (*FIXTURES.glob("deploy/environments/*.toml"), *FIXTURES.glob("deploy/prices/*.toml")):
        copy = tmp_path / file.relative_to(FIXTURES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text("utf-8").replace('region = "us-east-1"', 'region = "eu-west-1"'), "utf-8")
    with pytest.raises(UnknownRegion) as raised:
        load_estimate(tmp_path, "staging")
    assert "there are no prices for the region `eu-west-1`" in str(raised.value)
    assert "deploy/prices holds us-east-1" in str(raised.value)


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("usd = 0.0225", "must be a text in quotes, not a number"),
        ('usd = "a lot"', "must be a decimal number in quotes"),
        ('usd = "-1"', "must be a decimal number in quotes"),
        ('usd = "1"', "date: is missing"),
        ('usd = "1"\nfree = "none"', "must be a decimal number in quotes"),
        ('usd = "1"\ncurrency = "EUR"', "unknown key"),
    ],
)
def test_a_faulty_price_is_reported_with_its_line(tmp_path: Path, price: str, reason: str) -> None:
    with pytest.raises(InvalidPrices) as raised:
        load_prices(price_file(tmp_path, price), "eu-west-1")
    assert reason in str(raised.value)
    assert "deploy/prices/eu-west-1.toml:" in str(raised.value)


def test_assumptions_are_exact(tmp_path: Path) -> None:
    text = complete_cost_table(aws_gb="aws_gb = 0.1") + "[cost.average_tasks]\norders-worker = 1.5\n"
    assumptions = load_assumptions(cost_file(tmp_path, text), "staging", load_services(FIXTURES))
    assert assumptions.aws_gb == Decimal("0.1")
    assert assumptions.average_tasks == {"orders-worker": Decimal("1.5")}
    assert assumptions.spot_percent == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the table [cost] is missing"),
        (complete_cost_table(aws_gb=""), "cost.aws_gb: is missing; for example aws_gb = 20"),
        (complete_cost_table(aws_gb="aws_gb = -1"), "cost.aws_gb: -1 is outside 0"),
        (complete_cost_table(aws_gb='aws_gb = "1"'), "cost.aws_gb: must be a"),
        (complete_cost_table(aws_gb="aws_gb = nan"), "cost.aws_gb: nan is outside 0"),
        (complete_cost_table(database_hours="database_hours = 731"), "cost.database_hours: 731 is outside 0"),
        (complete_cost_table(more="aws_gigabytes = 1"), "cost.aws_gigabytes: unknown key"),
        (
            complete_cost_table() + "[cost.average_tasks]\norder = 1\n",
            "no service has such tasks; did you mean orders?",
        ),
        (complete_cost_table() + "[cost.average_tasks]\nusers = -1\n", "cost.average_tasks.users: -1 is outside 0"),
        (complete_cost_table() + "[cost.spot_percent]\norders = 101\n", "cost.spot_percent.orders: 101 is outside 0"),
    ],
)
def test_faulty_assumptions_are_reported(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InvalidEnvironment) as raised:
        load_assumptions(cost_file(tmp_path, text), "staging", load_services(FIXTURES))
    assert reason in str(raised.value)


@pytest.mark.parametrize("environment", ON_AWS)
def test_environments_on_aws_assume_eight_tasks(environment: str) -> None:
    assert load_estimate(FIXTURES, environment).average_tasks == 8


def test_the_laptop_costs_nothing() -> None:
    with pytest.raises(NothingToEstimate, match="local costs nothing"):
        load_estimate(FIXTURES, "local")


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(UnknownName, match="there is no service `ordres`"):
        load_estimate(FIXTURES, "staging", ["ordres"])


def test_how_to_explains_every_assumption() -> None:
    text = (ROOT / "docs" / "howto" / "cost.md").read_text(encoding="utf-8")
    assert [key for key in (*AMOUNTS, "average_tasks", "spot_percent") if f"`{key}`" not in text] == []


@pytest.mark.parametrize("environment", ON_AWS)
def test_assumptions_stand_in_the_environments_own_file(environment: str) -> None:
    file = FIXTURES / "deploy" / "environments" / f"{environment}.toml"
    assert set(AMOUNTS) <= set(tomllib.loads(file.read_text(encoding="utf-8"))["cost"])
