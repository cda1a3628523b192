"""Compare an estimate with that of the architecture: line by line, why they differ, and what that one leaves out.

The architecture's estimate assumes eight tasks on average and is in US dollars per month.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from platform_sdk.deploy.cost.lines import HOURS_PER_MONTH, Estimate, Line, cents
from platform_sdk.deploy.cost.prices import Charge, plain
from platform_sdk.deploy.cost.service_costs import DELIVERY, FARGATE, MONITORING, REGISTRY, SECRETS
from platform_sdk.deploy.cost.shared_costs import CACHE, DATABASE, EDGE, LOAD_BALANCER, NETWORK, QUEUES

AVERAGE_TASKS: Final = 8
ARCHITECTURE_USD: Final[Mapping[str, int]] = {
    FARGATE: 200,
    LOAD_BALANCER: 22,
    REGISTRY: 5,
    DATABASE: 100,
    CACHE: 30,
    DELIVERY: 15,
}
"""By section; together 372. Its last line is called CodePipeline there."""
OVERLAP: Final = "overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One line of the architecture's estimate, and today's amount."""

    section: str
    architecture_usd: Decimal
    today_usd: Decimal
    reason: str

    @property
    def difference_usd(self) -> Decimal:
        return self.today_usd - self.architecture_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A cost that the architecture's estimate has no line for."""

    name: str
    today_usd: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An estimate beside the architecture's, in US dollars a month. `average_tasks` is the estimate's own."""

    average_tasks: Decimal
    compared: tuple[Compared, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def architecture_usd(self) -> Decimal:
        return sum((line.architecture_usd for line in self.compared), Decimal(0))

    @property
    def compared_usd(self) -> Decimal:
        return sum((line.today_usd for line in self.compared), Decimal(0))

    @property
    def left_out_usd(self) -> Decimal:
        return sum((line.today_usd for line in self.left_out), Decimal(0))


LEFT_OUT: Final[tuple[tuple[str, str, tuple[str, ...], str], ...]] = (
    ("NAT gateways", NETWORK, ("NAT gateways", "addresses"),
     "tasks have no public address: their way out is billed by the hour, and the address of each gateway with it"),
    ("interface endpoints", NETWORK, ("endpoints",),
     "a private way to AWS, billed by the hour for each of its services and each zone"),
    ("between zones", NETWORK, ("between zones",), "what crosses zones is billed in both directions"),
    ("logs", MONITORING, ("logs",), "every GB is billed when it comes in, and for as long as it is kept"),
    ("metrics, alarms, traces", MONITORING, ("metrics", "alarms", "dashboards", "traces"),
     "each metric, each metric that an alarm reads, and the dashboards and traces beyond those that are free"),
    ("Container Insights", MONITORING, ("Insights",), "each metric of cluster, services, tasks and containers"),
    ("WAF", EDGE, ("WAF",), "the web ACL, each rule in it and each request"),
    ("CloudFront", EDGE, ("CloudFront",), "what comes after the first terabyte and the first ten million requests"),
    ("Route 53", EDGE, ("Route 53",), "each hosted zone"),
    ("SQS", QUEUES, ("requests",), "the services talk over queues; the first million requests are free"),
    ("secrets and keys", SECRETS, ("secrets", "keys"), "each secret, and the key of database and cache"),
)  # fmt: skip
"""Name, section, endings of the lines' names, and why there is something to pay."""


def compare(estimate: Estimate) -> Comparison:
    """Compare the estimate of a whole environment with the architecture's."""
    return Comparison(
        average_tasks=estimate.average_tasks,
        compared=tuple(
            Compared(
                section=section,
                architecture_usd=Decimal(usd),
                today_usd=estimate.usd_per_month_of(section),
                reason=REASONS[section](estimate),
            )
            for section, usd in ARCHITECTURE_USD.items()
        ),
        left_out=tuple(
            LeftOut(name=name, today_usd=_total(_lines_named(estimate.section(section), endings)), reason=reason)
            for name, section, endings, reason in LEFT_OUT
        ),
    )


def _lines_named(lines: Iterable[Line], endings: tuple[str, ...]) -> list[Line]:
    return [line for line in lines if line.name.endswith(endings)]


def _total(lines: Iterable[Line]) -> Decimal:
    return sum((line.usd_per_month for line in lines), Decimal(0))


def quantity(estimate: Estimate, section: str, per: str) -> Decimal:
    """Return the sum of all charges of a section in this unit."""
    return sum((charge.quantity for charge in _charges(estimate, section, per)), Decimal(0))


def unit_usd(estimate: Estimate, section: str, per: str) -> Decimal:
    """Return the price of one unit; of several kinds, the price of the first."""
    return next(charge.price.usd for charge in _charges(estimate, section, per))


def _charges(estimate: Estimate, section: str, per: str) -> Iterator[Charge]:
    lines = estimate.section(section)
    return (charge for line in lines for charge in line.charges if charge.price.per == per)


def month_of_one(section: str, per_hour: Decimal) -> Decimal:
    """Return how many units the architecture's estimate pays for all month, at the price of an hour."""
    return ARCHITECTURE_USD[section] / HOURS_PER_MONTH / per_hour


def _fargate(estimate: Estimate) -> str:
    lines = estimate.section(FARGATE)
    running = _total(line for line in lines if not line.name.endswith(OVERLAP))
    tasks = estimate.average_tasks
    vcpu_and_two_gb = unit_usd(estimate, FARGATE, "vCPU-hour") + 2 * unit_usd(estimate, FARGATE, "GB-hour")
    bought = month_of_one(FARGATE, vcpu_and_two_gb) / AVERAGE_TASKS
    return (
        f"the estimate's {ARCHITECTURE_USD[FARGATE] // AVERAGE_TASKS} dollars a task buy {plain(bought)} vCPU with "
        f"twice the GB; these {plain(tasks)} tasks are {cents(running / (tasks or 1))} each. The second set of tasks "
        f"during releases is {_total(_lines_named(lines, (OVERLAP,)))}"
    )


def _load_balancer(estimate: Estimate) -> str:
    (hours,) = _lines_named(estimate.section(LOAD_BALANCER), ("load balancer",))
    rest = ARCHITECTURE_USD[LOAD_BALANCER] - hours.usd_per_month
    estimated = rest / HOURS_PER_MONTH / unit_usd(estimate, LOAD_BALANCER, "LCU-hour")
    filled = quantity(estimate, LOAD_BALANCER, "LCU-hour") / HOURS_PER_MONTH
    return (
        f"the load balancer by itself is {hours.usd_per_month}; the rest of the estimate is {plain(estimated)} LCU all "
        f"month, and this traffic fills {filled:.3f}"
    )


def _registry(estimate: Estimate) -> str:
    estimated = ARCHITECTURE_USD[REGISTRY] / unit_usd(estimate, REGISTRY, "GB-month")
    gb = quantity(estimate, REGISTRY, "GB-month")
    return f"the estimate is {plain(estimated)} GB, here it is {plain(gb)}; it grows, because no release expires"


def _database(estimate: Estimate) -> str:
    (capacity,) = _lines_named(estimate.section(DATABASE), ("capacity",))
    estimated = month_of_one(DATABASE, unit_usd(estimate, DATABASE, "ACU-hour"))
    rest = estimate.usd_per_month_of(DATABASE) - capacity.usd_per_month
    return (
        f"the estimate is {plain(estimated)} ACU all month, one instance without storage; here it is {capacity.basis} "
        f"({capacity.usd_per_month}), and storage and I/O are {rest}"
    )


def _cache(estimate: Estimate) -> str:
    (nodes,) = estimate.section(CACHE)
    estimated = Decimal(ARCHITECTURE_USD[CACHE]) / 2
    (today,) = (charge.price.usd * HOURS_PER_MONTH for charge in nodes.charges)
    return f"the estimate is two nodes at {estimated} a month; a node is {cents(today)} here: {nodes.basis}"


def _delivery(estimate: Estimate) -> str:
    builds = _lines_named(estimate.section(DELIVERY), ("builds",))
    (pipelines,) = _lines_named(estimate.section(DELIVERY), ("pipelines",))
    return (
        f"the estimate is {ARCHITECTURE_USD[DELIVERY]} pipelines of type V1, a dollar each, and no CodeBuild. V2 bills "
        f"minutes of actions ({pipelines.usd_per_month}); CodeBuild, which follows each release to the end, is "
        f"{_total(builds)}"
    )


REASONS: Final[Mapping[str, Callable[[Estimate], str]]] = {
    FARGATE: _fargate,
    LOAD_BALANCER: _load_balancer,
    REGISTRY: _registry,
    DATABASE: _database,
    CACHE: _cache,
    DELIVERY: _delivery,
}
"""By section: why today's amount differs."""
