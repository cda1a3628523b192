"""Lines of an estimate, against sums that were done by hand."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import pytest

from platform_sdk.deploy.cost import estimate
from platform_sdk.deploy.cost.lines import Estimate, Line, cents, cost_difference
from platform_sdk.deploy.cost.prices import AMOUNTS, Assumptions, Charge, Price, PriceTable, UnknownPrice, load_prices
from platform_sdk.deploy.cost.service_costs import StackNumbers, numbers_of
from platform_sdk.deploy.cost.shared_costs import SharedResources
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.releases import TrafficShift
from platform_sdk.deploy.manifest.scaling import ScheduledScaling
from platform_sdk.deploy.manifest.types import ServiceSpec
from tests.support.repository import FIXTURES

PRICES = load_prices(FIXTURES, "us-east-1")
STAGING = load_environment(FIXTURES, "staging")
INVENTORY, ORDERS, USERS = load_services(FIXTURES)
NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(AMOUNTS, Decimal(0)),
    "requests_per_connection": Decimal(1),
    "average_tasks": {},
    "spot_percent": {},
}
SMALLEST = SharedResources(
    nat_gateways=0,
    interface_endpoints=0,
    container_insights="disabled",
    min_acu=Decimal(0),
    max_acu=Decimal(4),
    database_instances=1,
    cache_node_type="cache.t4g.micro",
    log_retention_days=30,
)


def assuming(**amounts: object) -> Assumptions:
    known = {key: Decimal(str(value)) if key in AMOUNTS else value for key, value in amounts.items()}
    return Assumptions(**{**NOTHING, **known})


def estimated(
    *services: ServiceSpec, shared: SharedResources = SMALLEST, prices: PriceTable = PRICES, **amounts: object
) -> Estimate:
    return estimate(STAGING, services, shared, assuming(**amounts), prices)


def line(name: str, found: Estimate) -> Line:
    (only,) = (line for line in found.lines if line.name == name)
    return only


def usd(name: str, found: Estimate) -> str:
    return str(line(name, found).usd_per_month)


def sized(spec: ServiceSpec, cpu: int, memory_mib: int, architecture: Literal["arm64", "x86_64"]) -> ServiceSpec:
    return replace(spec, task=replace(spec.task, cpu=cpu, memory_mib=memory_mib, architecture=architecture))


def alone(spec: ServiceSpec) -> ServiceSpec:
    """With one task."""
    return replace(spec, scaling=replace(spec.scaling, min_tasks=1))


@pytest.mark.parametrize(("architecture", "expected"), [("arm64", "7.21"), ("x86_64", "9.01")])
def test_the_smallest_task_all_month(architecture: Literal["arm64", "x86_64"], expected: str) -> None:
    # 730 x (0.25 x 0.03238 + 0.5 x 0.00356) = 7.21; 730 x (0.25 x 0.04048 + 0.5 x 0.004445) = 9.01
    users = alone(sized(USERS, 256, 512, architecture))
    assert usd("users api", estimated(users, average_tasks={"users": Decimal(1)})) == expected


def test_half_of_the_time_on_spot() -> None:
    # 730 x 0.5 x (0.25 x 0.04048 + 0.5 x 0.004445) + 730 x 0.5 x (0.25 x 0.0129 + 0.5 x 0.00142) = 4.505 + 1.436
    users = alone(sized(USERS, 256, 512, "x86_64"))
    found = estimated(users, average_tasks={"users": Decimal(1)}, spot_percent={"users": Decimal(50)})
    assert usd("users api", found) == "5.94"
    assert "50 % of the time on Spot" in line("users api", found).basis


def test_a_group_without_an_average_has_its_smallest_count() -> None:
    found = estimated(replace(ORDERS, scaling=replace(ORDERS.scaling, min_tasks=3)))
    assert line("orders api", found).basis.startswith("3 on average")
    assert line("orders worker", found).basis.startswith("1 on average")


@pytest.mark.parametrize(
    ("assumed", "used", "note"),
    [
        ("1.5", "2", "average 1.5 is below the minimum 2, 2 is used"),
        ("2", "2", None),
        ("4", "4", None),
        ("50", "6", "average 50 is above the maximum 6, 6 is used"),
    ],
)
def test_an_average_that_scaling_never_allows_is_brought_within_it(assumed: str, used: str, note: str | None) -> None:
    found = estimated(ORDERS, average_tasks={"orders": Decimal(assumed)}, releases_per_month=1)
    assert line("orders api", found).basis.startswith(f"{used} on average")
    assert line("orders api", found).note == note
    assert f"in each {used} tasks more" in line("orders blue/green overlap", found).basis
    assert found.average_tasks == Decimal(used) + 1  # of the worker


def test_an_average_that_a_schedule_allows_is_used() -> None:
    night = ScheduledScaling(name="night", schedule="cron(0 22 * * ? *)", timezone="UTC", min_tasks=0, max_tasks=1)
    users = replace(USERS, scaling=replace(USERS.scaling, scheduled=(night,)))
    found = line("users api", estimated(users, average_tasks={"users": Decimal("0.5")}))
    assert found.basis.startswith("0.5 on average")
    assert found.note is None


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        # Two tasks of 0.5 vCPU and 1 GB cost 2 x (0.5 x 0.04048 + 0.004445) = 0.04937 an hour.
        (TrafficShift(type="canary", percent=10, interval_minutes=5, bake_minutes=52), "0.49"),  # 10 x 60 minutes
        (TrafficShift(type="linear", percent=20, interval_minutes=3, bake_minutes=45), "0.49"),  # 4 waits: 10 x 60
        (TrafficShift(type="linear", percent=30, interval_minutes=3, bake_minutes=48), "0.49"),  # 3 waits: 10 x 60
        (TrafficShift(type="all_at_once", percent=100, interval_minutes=0, bake_minutes=117), "0.99"),  # 10 x 120
    ],
)
def test_a_release_runs_a_second_set_of_tasks(shift: TrafficShift, expected: str) -> None:
    orders = replace(ORDERS, traffic_shift=shift)
    found = estimated(orders, average_tasks={"orders": Decimal(2)}, releases_per_month=10, start_minutes=3)
    assert usd("orders blue/green overlap", found) == expected


def test_a_build_is_billed_until_its_release_has_ended() -> None:
    shift = TrafficShift(type="canary", percent=10, interval_minutes=5, bake_minutes=15)
    found = estimated(replace(USERS, traffic_shift=shift), releases_per_month=10, start_minutes=2, build_minutes=8)
    assert usd("users builds", found) == "3.00"  # 10 x (8 + 2 + 5 + 15) x 0.01
    assert usd("pipelines", found) == "0.42"  # (10 x 31 - 100 free) x 0.002


def test_the_load_balancer_is_billed_for_its_largest_dimension() -> None:
    # 2628 million requests are 1000 a second; 50 to a connection make 20 connections a second, 0.8 LCU.
    by_connections = estimated(USERS, requests_per_month=2_628_000_000, requests_per_connection=50)
    assert usd("load balancer", by_connections) == "16.43"  # 730 x 0.0225 = 16.425
    assert usd("capacity units", by_connections) == "4.67"  # 0.8 x 730 x 0.008 = 4.672
    # 0.73 million requests of 2000 KB are 1460 GB, 2 an hour.
    by_bytes = estimated(USERS, requests_per_month=730_000, requests_per_connection=50, kilobytes_per_request=2000)
    assert usd("capacity units", by_bytes) == "11.68"  # 2 x 730 x 0.008


def test_more_than_ten_rules_cost_capacity() -> None:
    services = [replace(USERS, name=f"users{number}") for number in range(12)]
    found = estimated(*services, requests_per_month=2_628_000_000, requests_per_connection=1000)
    assert usd("capacity units", found) == "11.68"  # 1000 a second x 2 rules / 1000 = 2 LCU


@pytest.mark.parametrize(
    ("min_acu", "instances", "average", "hours", "expected"),
    [
        ("0.5", 1, 0, 0, "43.80"),  # never pauses: 0.5 x 730 x 0.12
        ("0", 1, 1, 0, "0.00"),  # asleep all month: storage only
        ("0", 1, 1, 100, "12.00"),
        ("2", 2, 1, 730, "350.40"),  # two instances, neither below 2
        ("0", 1, 9, 100, "48.00"),  # never above 4
    ],
)
def test_database_capacity(min_acu: str, instances: int, average: int, hours: int, expected: str) -> None:
    shared = replace(SMALLEST, min_acu=Decimal(min_acu), database_instances=instances)
    found = estimated(USERS, shared=shared, database_average_acu=average, database_hours=hours)
    assert usd("capacity", found) == expected


def test_database_storage_and_reads() -> None:
    found = estimated(USERS, database_storage_gb=50, database_million_ios=30)
    assert (usd("storage", found), usd("I/O", found)) == ("5.00", "6.00")


def test_two_of_the_smallest_cache_nodes() -> None:
    assert usd("nodes", estimated(USERS)) == "18.69"  # 2 x 730 x 0.0128


def test_a_cache_node_without_a_price_is_refused() -> None:
    with pytest.raises(UnknownPrice) as raised:
        estimated(USERS, shared=replace(SMALLEST, cache_node_type="cache.m7g.large"))
    assert "valkey_cache_m7g_large_hour" in str(raised.value)
    assert "us-east-1" in str(raised.value)


def test_queues_are_asked_by_idle_workers_too() -> None:
    # 730 x 3600 / 20 = 131,400 receives of the one worker, and 3 x 2 million; the first million is free.
    found = estimated(ORDERS, messages_per_month=2_000_000, average_tasks={"orders-worker": Decimal(1)})
    assert usd("requests", found) == "2.05"  # 5.1314 x 0.40


def test_one_nat_gateway_has_its_traffic_and_its_address() -> None:
    found = estimated(USERS, shared=replace(SMALLEST, nat_gateways=1), internet_gb=10, aws_gb=90)
    assert usd("NAT gateways", found) == "37.35"  # 32.85 + 100 x 0.045
    assert usd("public IPv4 addresses", found) == "3.65"
    assert usd("interface endpoints", found) == "0.00"


def test_endpoints_take_over_what_goes_to_aws() -> None:
    shared = replace(SMALLEST, nat_gateways=1, interface_endpoints=8)
    found = estimated(USERS, shared=shared, internet_gb=10, aws_gb=90)
    assert usd("NAT gateways", found) == "33.30"  # 32.85 + 10 x 0.045
    assert usd("interface endpoints", found) == "176.10"  # 8 x 3 x 7.30 + 90 x 0.01


def test_the_edge() -> None:
    found = estimated(USERS, requests_per_month=20_000_000, kilobytes_per_request=100)
    assert usd("WAF", found) == "22.00"  # 5 + 5 x 1 + 20 x 0.60
    assert usd("CloudFront", found) == "95.00"  # (2000 - 1000) x 0.085 + (20 - 10) x 1
    assert usd("Route 53", found) == "1.00"


def test_logs_are_billed_when_they_come_and_while_they_are_kept() -> None:
    users = replace(USERS, log_retention_days=365)
    found = estimated(users, log_gb_per_service=10, log_stored_percent=15)
    assert usd("users logs", found) == "5.54"  # 10 x 0.50 + 10 x 12 x 0.15 x 0.03


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("disabled", "0.00"),
        ("enabled", "5.40"),  # (2 + 16) x 0.30
        ("enhanced", "7.98"),  # (2 + 16 + 2 x (15 + 3 x 11)) x 0.07
    ],
)
def test_container_insights(setting: str, expected: str) -> None:
    found = estimated(USERS, shared=replace(SMALLEST, container_insights=setting))
    assert usd("Container Insights", found) == expected


def test_dashboards_beyond_three_are_billed() -> None:
    services = [replace(USERS, name=f"users{number}") for number in range(5)]
    assert usd("dashboards", estimated(*services)) == "6.00"


def test_alarms_are_billed_by_the_metrics_that_they_read() -> None:
    metric: dict[str, object] = {"MetricStat": {}}
    math: list[dict[str, object]] = [metric, metric, {"Expression": "blue + green"}]
    tracking = "TargetTrackingScalingPolicyConfiguration"
    properties: dict[str, tuple[str, object]] = {
        "Plain": ("AWS::CloudWatch::Alarm", {"MetricName": "CPUUtilization"}),
        "Math": ("AWS::CloudWatch::Alarm", {"Metrics": math}),
        "Cpu": ("AWS::ApplicationAutoScaling::ScalingPolicy", {tracking: {"PredefinedMetricSpecification": {}}}),
        "Sum": (
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            {tracking: {"CustomizedMetricSpecification": {"Metrics": math}}},
        ),
        "Dashboard": ("AWS::CloudWatch::Dashboard", {}),
    }
    template = {"Resources": {name: {"Type": kind, "Properties": body} for name, (kind, body) in properties.items()}}
    # Two alarms read 1 + 2 metrics; each of the two policies makes two more, which read 2 x (1 + 2).
    assert numbers_of(template) == StackNumbers(alarms=2, alarm_metrics=3, scaling_metrics=6, dashboards=1)


def test_alarms_of_a_service_are_those_of_its_stack() -> None:
    found = line("users alarms", estimated(USERS))
    assert found.usd_per_month == sum(charge.quantity for charge in found.charges) / 10
    less = replace(USERS, scaling=replace(USERS.scaling, target_cpu_percent=None))
    # Without the tracked CPU there are two alarms of one metric less.
    assert line("users alarms", estimated(less)).usd_per_month == found.usd_per_month - Decimal("0.20")


def test_one_service_comes_without_what_all_share() -> None:
    found = estimate(STAGING, (INVENTORY, ORDERS, USERS), SMALLEST, assuming(), PRICES, ["users"])
    assert {line.service for line in found.lines} == {"users"}
    assert found.average_tasks == 2


def test_lines_add_up_to_the_total() -> None:
    found = estimated(INVENTORY, ORDERS, USERS, requests_per_month=12_345_678, log_gb_per_service="3.21")
    assert found.usd_per_month == sum(line.usd_per_month for line in found.lines)
    assert found.usd_per_month == sum(found.usd_per_month_of(section) for section in found.sections)


def test_half_a_cent_is_rounded_up() -> None:
    assert (cents(Decimal("0.005")), cents(Decimal("0.0049"))) == (Decimal("0.01"), Decimal("0.00"))


def test_what_is_free_is_never_paid_back() -> None:
    price = Price(
        name="x", usd=Decimal(2), per="x", free=Decimal(10), date="2026-11", source="made up", confidence="high"
    )
    assert [Charge(price=price, quantity=Decimal(used)).usd_per_month for used in (4, 10, 12)] == [0, 0, 4]


def test_difference_of_an_estimate_to_itself_is_empty() -> None:
    found = estimated(USERS)
    assert cost_difference(found, found).lines == ()
    assert cost_difference(found, found).usd_per_month == 0


def test_difference_names_what_is_new_gone_and_changed() -> None:
    before = estimated(ORDERS)
    after = estimated(sized(replace(ORDERS, worker=None), 1024, 2048, "x86_64"))
    difference = cost_difference(before, after)
    by_name = {line.name: line for line in difference.lines}
    assert by_name["orders worker"].after is None
    assert by_name["orders worker"].usd_per_month == Decimal("-18.02")
    assert by_name["orders api"].usd_per_month == Decimal("36.04")  # twice as large
    assert cost_difference(after, before).usd_per_month == -difference.usd_per_month
    assert difference.usd_per_month == sum(line.usd_per_month for line in difference.lines)
    assert {line.name for line in cost_difference(after, before).lines if line.before is None} == {"orders worker"}
