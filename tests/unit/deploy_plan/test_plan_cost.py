"""The cost of a change: the deployed service and the plan are counted in the same way."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from platform_sdk.deploy.cost import load_estimate
from platform_sdk.deploy.cost.prices import load_assumptions, load_prices
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services, load_spec
from platform_sdk.deploy.manifest.reference import reference
from platform_sdk.deploy.manifest.releases import TrafficShift
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan import plan_service
from platform_sdk.deploy.plan.cost import CostBasis
from platform_sdk.deploy.plan.decisions import CostPlan
from platform_sdk.deploy.state import ServiceState
from tests.support.deployed_services import NOTHING, created, image_of, released
from tests.support.repository import FIXTURES

PRODUCTION = load_environment(FIXTURES, "production")
SERVICES = {spec.name: spec for spec in load_services(FIXTURES, "production")}
ORDERS, USERS = SERVICES["orders"], SERVICES["users"]
BASIS = CostBasis(
    assumptions=load_assumptions(FIXTURES, "production", tuple(SERVICES.values())),
    prices=load_prices(FIXTURES, "us-east-1"),
)


def cost_of(wanted: ServiceSpec, state: ServiceState) -> CostPlan:
    cost = plan_service(wanted, PRODUCTION, state, cost=BASIS).cost
    assert cost is not None
    return cost


def names(cost: CostPlan) -> list[str]:
    return [line.name for line in cost.difference.lines]


def scaled(**bounds: Any) -> ServiceSpec:
    return replace(ORDERS, scaling=replace(ORDERS.scaling, **bounds))


@pytest.mark.parametrize("spec", SERVICES.values(), ids=lambda spec: spec.name)
def test_a_deployed_service_costs_the_same_as_in_platform_cost(spec: ServiceSpec) -> None:
    cost = cost_of(spec, released(spec, PRODUCTION))
    expected = load_estimate(FIXTURES, "production", [spec.name])
    assert cost.difference.before_usd_per_month == cost.difference.after_usd_per_month == expected.usd_per_month
    assert names(cost) == []


def test_every_key_costs_the_same_before_and_after(tmp_path: Path) -> None:
    (tmp_path / "platform.toml").write_text(reference(), encoding="utf-8")
    spec = load_spec(tmp_path / "platform.toml", "production")
    cost = cost_of(spec, released(spec, PRODUCTION))
    assert not names(cost)
    assert cost.at_most.usd_per_month == 0


def test_the_second_set_of_tasks_is_part_of_it() -> None:
    cost = cost_of(ORDERS, released(ORDERS, PRODUCTION))
    (line,) = (
        line for line in load_estimate(FIXTURES, "production", ["orders"]).lines if line.name.endswith("overlap")
    )
    assert cost.overlap_usd_per_month == line.usd_per_month > 0


def test_a_missing_service_costs_nothing_yet() -> None:
    cost = cost_of(ORDERS, NOTHING)
    assert cost.difference.before_usd_per_month == 0
    assert cost.difference.usd_per_month == cost.difference.after_usd_per_month > 0
    assert all(line.before is None for line in cost.difference.lines)


def test_a_larger_smallest_count_raises_the_average_that_is_assumed() -> None:
    assert BASIS.assumptions.average_tasks["orders"] == 2
    cost = cost_of(scaled(min_tasks=4), released(ORDERS, PRODUCTION))
    api = next(line for line in cost.difference.lines if line.name == "orders api")
    assert api.before is not None
    assert api.after is not None
    assert api.after.usd_per_month == pytest.approx(2 * api.before.usd_per_month, abs=Decimal("0.01"))


def test_a_larger_largest_count_costs_nothing_on_average_and_more_at_most() -> None:
    cost = cost_of(scaled(max_tasks=12), released(ORDERS, PRODUCTION))
    assert cost.difference.usd_per_month == 0
    assert cost.at_most.usd_per_month > 100


def test_an_average_above_max_tasks_is_lowered_to_it() -> None:
    cost = cost_of(scaled(min_tasks=1, max_tasks=1), released(ORDERS, PRODUCTION))
    assert cost.difference.usd_per_month < 0
    assert "orders api" in names(cost)


def test_the_placeholder_is_billed_at_its_own_size() -> None:
    cost = cost_of(ORDERS, created(ORDERS, PRODUCTION))
    api = next(line for line in cost.difference.lines if line.name == "orders api")
    assert api.before is not None
    assert "0.25 vCPU and 0.5 GB" in api.before.basis


def test_the_size_of_the_revision_that_runs_counts_and_not_that_of_the_file() -> None:
    larger = replace(ORDERS, task=replace(ORDERS.task, cpu=1024, memory_mib=2048))
    cost = cost_of(larger, released(ORDERS, PRODUCTION))
    assert cost.difference.usd_per_month > 0
    assert names(cost) == ["orders api", "orders blue/green overlap"]


def test_another_architecture_counts() -> None:
    cost = cost_of(replace(ORDERS, task=replace(ORDERS.task, architecture="arm64")), released(ORDERS, PRODUCTION))
    assert cost.difference.usd_per_month < 0
    assert {"orders api", "orders worker"} <= set(names(cost))


def test_adding_or_removing_a_worker_adds_or_removes_a_line() -> None:
    assert ORDERS.worker is not None
    without = replace(ORDERS, worker=None, queues=(), alarms=tuple(a for a in ORDERS.alarms if a.queue is None))
    gone = cost_of(without, released(ORDERS, PRODUCTION))
    come = cost_of(ORDERS, released(without, PRODUCTION))
    assert next(line for line in gone.difference.lines if line.name == "orders worker").after is None
    assert next(line for line in come.difference.lines if line.name == "orders worker").before is None
    assert gone.difference.usd_per_month == -come.difference.usd_per_month


@pytest.mark.parametrize(
    ("deployed", "wanted"),
    [
        (("canary", 10, 5), ("linear", 10, 1)),
        (("canary", 20, 7), ("all_at_once", 100, 0)),
        (("linear", 25, 2), ("canary", 20, 7)),
    ],
)
def test_a_longer_shift_is_a_longer_overlap_and_a_longer_build(deployed: Any, wanted: Any) -> None:
    def shifted(type_: Any, percent: int, minutes: int) -> ServiceSpec:
        shift = TrafficShift(type=type_, percent=percent, interval_minutes=minutes, bake_minutes=15)
        return replace(USERS, traffic_shift=shift)

    cost = cost_of(shifted(*wanted), released(shifted(*deployed), PRODUCTION))
    assert names(cost) == ["users blue/green overlap", "users builds"]
    assert names(cost_of(shifted(*deployed), released(shifted(*deployed), PRODUCTION))) == []


def test_a_longer_retention_and_a_new_secret_count() -> None:
    payment = replace(USERS.secrets["TOKEN_SIGNING_KEY"], name="payment")
    wanted = replace(USERS, log_retention_days=365, secrets={**USERS.secrets, "PAYMENT_KEY": payment})
    cost = cost_of(wanted, released(USERS, PRODUCTION))
    assert names(cost) == ["users logs", "users secrets"]


def test_a_new_image_alone_costs_nothing() -> None:
    plan = plan_service(
        ORDERS, PRODUCTION, released(ORDERS, PRODUCTION), image=image_of(ORDERS, PRODUCTION, "1.5.0"), cost=BASIS
    )
    assert plan.cost is not None
    assert plan.cost.difference.lines == ()
