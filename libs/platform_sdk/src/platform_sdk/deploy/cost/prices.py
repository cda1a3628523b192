"""Read what an estimate multiplies: prices and assumptions.

deploy/prices/<region>.toml says what AWS charges per unit, with the date and the source of every price. `[cost]` of
deploy/environments/<name>.toml says what only people can know of a month, such as how many requests arrive.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from platform_sdk.deploy.config_errors import InvalidConfiguration, did_you_mean, listed
from platform_sdk.deploy.environment import FOLDER as ENVIRONMENTS
from platform_sdk.deploy.environment import InvalidEnvironment
from platform_sdk.deploy.manifest.scaling import Scaling, Worker
from platform_sdk.deploy.manifest.tasks import StandaloneTask, TaskSize
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.toml_document import Form, Table, read_document
from platform_sdk.errors import PlatformError

PRICES: Final = Path("deploy/prices")

NAME: Final = Form(re.compile(r"[a-z][a-z0-9_]*"), "lower-case letters, digits and underscores")
AMOUNT: Final = Form(re.compile(r"\d{1,9}(\.\d{1,9})?"), 'a decimal number in quotes, such as "0.04048"')
DATE: Final = Form(re.compile(r"\d{4}(-\d{2}(-\d{2})?)?"), 'a date such as "2026-11-22", or its first part')
CONFIDENCES: Final = ("high", "medium", "low")


class UnknownRegion(PlatformError):
    """deploy/prices has no table for the region."""


class UnknownPrice(PlatformError):
    """The price table of the region lacks a price."""


class InvalidPrices(InvalidConfiguration):
    """A price table is invalid; `errors` holds every reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for one unit `per`. The first `free` units of a month cost nothing.

    `date` is that of the source. `confidence` is high, medium or low.
    """

    name: str
    usd: Decimal
    per: str
    free: Decimal
    date: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A price for `quantity` units in a month."""

    price: Price
    quantity: Decimal

    @property
    def billed_quantity(self) -> Decimal:
        """The units beyond the free ones."""
        return max(Decimal(0), self.quantity - self.price.free)

    @property
    def usd_per_month(self) -> Decimal:
        """Not rounded."""
        return self.billed_quantity * self.price.usd


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """The prices of one region by name. `compiled` is the date of the table."""

    region: str
    compiled: str
    prices: Mapping[str, Price]

    def charge(self, name: str, quantity: Decimal) -> Charge:
        """Return the charge for that many units of a price.

        Raises:
            UnknownPrice: the table lacks the price.
        """
        if name not in self.prices:
            raise UnknownPrice(
                f"there is no price `{name}` for {self.region}",
                because=f"{PRICES}/{self.region}.toml does not have it",
                hint=f"add the table [prices.{name}], with the date and the source of the price",
            )
        return Charge(price=self.prices[name], quantity=quantity)


def load_prices(root: Path, region: str) -> PriceTable:
    """Read deploy/prices/<region>.toml below the repository's root.

    Raises:
        UnknownRegion: there is no such file.
        InvalidPrices: with every error of the file.
    """
    known = sorted(path.stem for path in root.glob(f"{PRICES}/*.toml"))
    if region not in known:
        raise UnknownRegion(
            f"there are no prices for the region `{region}`",
            because=f"{PRICES} holds {listed(known)}",
            hint=did_you_mean(region, known) or f"copy one of them to {PRICES}/{region}.toml and look up every price",
        )
    document = read_document(root / PRICES / f"{region}.toml", f"{PRICES}/{region}.toml")
    outermost = document.root()
    if outermost.text("region") != region and outermost.are_sound("region"):
        outermost.error("region", f"is not the name of its file, which is {region}.toml")
    compiled = outermost.text("compiled", DATE)
    tables = outermost.table("prices")
    prices = {name: _read_price(name, tables.table(name)) for name in tables.names(NAME)}
    document.reject_unknown_keys()
    document.raise_errors(InvalidPrices)
    return PriceTable(region=region, compiled=compiled, prices=prices)


def _read_price(name: str, table: Table) -> Price:
    return Price(
        name=name,
        usd=amount(table, "usd"),
        per=table.text("per"),
        free=amount(table, "free") if table.knows("free") else Decimal(0),
        date=table.text("date", DATE),
        source=table.text("source"),
        confidence=table.choice("confidence", CONFIDENCES),
    )


def amount(table: Table, key: str) -> Decimal:
    """Read a number that is written as text: the floats of TOML are binary, and money is decimal."""
    text = table.text(key, AMOUNT)
    return Decimal(text) if table.are_sound(key) and AMOUNT.fits(text) else Decimal(0)


# Assumptions. The other tables of the environment's file belong to environment.py and shared.py.

TABLE: Final = "cost"
GROUP: Final = Form(re.compile(r"[a-z][a-z0-9-]*"), "a service, or `<service>-worker`, or `<service>-<task>`")
MOST: Final = 1e12
MOST_TASKS: Final = 5000
"""Of one service (docs.aws.amazon.com/AmazonECS, "Service quotas")."""

EXAMPLES: Final[Mapping[str, str]] = {
    "requests_per_month": "5_000_000", "kilobytes_per_request": "4", "requests_per_connection": "20",
    "messages_per_month": "2_000_000", "releases_per_month": "10", "build_minutes": "8",
    "start_minutes": "3", "image_gb_per_service": "10", "database_average_acu": "2",
    "database_hours": "730", "database_storage_gb": "50", "database_million_ios": "20",
    "log_gb_per_service": "5", "log_gb_shared": "5", "log_stored_percent": "15",
    "metrics_per_service": "20", "traced_percent": "5", "aws_gb": "20",
    "internet_gb": "20", "cross_zone_gb": "20",
}  # fmt: skip
AMOUNTS: Final = {key: f"{key} = {example}" for key, example in EXAMPLES.items()}
"""The keys of `[cost]`, all required, each with an example."""

LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "requests_per_connection": (1, MOST),
    "database_hours": (0, 730),
    "log_stored_percent": (0, 100),
    "traced_percent": (0, 100),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """The table `[cost]`. docs/howto/cost.md says what each number means and where to read it on AWS.

    `average_tasks` and `spot_percent` are by group of tasks, named as their ECS service without the environment:
    `orders`, `orders-worker`. A group without a number has the minimum that platform.toml asks for, and no Spot.
    """

    requests_per_month: Decimal
    kilobytes_per_request: Decimal
    requests_per_connection: Decimal
    messages_per_month: Decimal
    releases_per_month: Decimal
    build_minutes: Decimal
    start_minutes: Decimal
    image_gb_per_service: Decimal
    database_average_acu: Decimal
    database_hours: Decimal
    database_storage_gb: Decimal
    database_million_ios: Decimal
    log_gb_per_service: Decimal
    log_gb_shared: Decimal
    log_stored_percent: Decimal
    metrics_per_service: Decimal
    traced_percent: Decimal
    aws_gb: Decimal
    internet_gb: Decimal
    cross_zone_gb: Decimal
    average_tasks: Mapping[str, Decimal]
    spot_percent: Mapping[str, Decimal]


def load_assumptions(root: Path, environment: str, services: Sequence[ServiceSpec]) -> Assumptions:
    """Read `[cost]` of deploy/environments/<environment>.toml.

    Raises:
        InvalidEnvironment: with every error of the table.
    """
    file = ENVIRONMENTS / f"{environment}.toml"
    document = read_document(root / file, str(file))
    outermost = document.root()
    table = outermost.table(TABLE)
    table.examples = AMOUNTS
    groups = [group.name for spec in services for group in task_groups(spec)]
    assumptions = Assumptions(
        **{key: number(table, key, *LIMITS.get(key, (0, MOST))) for key in AMOUNTS},
        average_tasks=_by_group(table, "average_tasks", groups, MOST_TASKS),
        spot_percent=_by_group(table, "spot_percent", groups, 100),
    )
    document.tables.remove(outermost)  # the other tables are read by others
    document.reject_unknown_keys()
    document.raise_errors(InvalidEnvironment)
    return assumptions


def number(table: Table, key: str, low: float, high: float) -> Decimal:
    """Read a decimal number that must be given, and report it if it is missing or out of bounds."""
    if not table.knows(key) and not table.absent:
        table.error(key, "is missing", table.example(key))
    return Decimal(str(table.number(key, low, high, default=low)))


def _by_group(table: Table, key: str, groups: Sequence[str], most: float) -> Mapping[str, Decimal]:
    numbers = table.optional_table(key)
    if numbers is None:
        return {}
    found = {}
    for group in numbers.names(GROUP):
        if group in groups:
            found[group] = number(numbers, group, 0, most)
        else:
            there_are = f"there are {listed(groups)}"
            numbers.error(group, "no service has such tasks", did_you_mean(group, groups) or there_are)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGroup:
    """Tasks of one size: the API, the worker, or a standalone task of a service.

    `default_tasks` run on average where `[cost]` has no number. `min_tasks` and `max_tasks` hold at any hour.
    """

    service: str
    role: str
    cpu: int
    memory_mib: int
    architecture: str
    default_tasks: int
    min_tasks: int
    max_tasks: int

    @property
    def name(self) -> str:
        """That of their ECS service, without the environment."""
        return self.service if self.role == "api" else f"{self.service}-{self.role}"

    @property
    def vcpu(self) -> Decimal:
        return Decimal(self.cpu) / 1024

    @property
    def memory_gb(self) -> Decimal:
        """Fargate's GB have 1024 MiB."""
        return Decimal(self.memory_mib) / 1024


def task_groups(spec: ServiceSpec) -> Iterator[TaskGroup]:
    """Return the API, the worker and the standalone tasks of a service, in this order."""
    yield _task_group(spec, "api", spec.task, spec.scaling)
    if spec.worker is not None:
        yield _task_group(spec, "worker", spec.worker, spec.worker)
    for task in spec.tasks:
        yield _task_group(spec, task.name, task, None)


def _task_group(
    spec: ServiceSpec, role: str, size: TaskSize | Worker | StandaloneTask, scaling: Scaling | Worker | None
) -> TaskGroup:
    at_any_hour = () if scaling is None else (scaling, *scaling.scheduled)
    return TaskGroup(
        service=spec.name,
        role=role,
        cpu=size.cpu,
        memory_mib=size.memory_mib,
        architecture=spec.task.architecture,
        default_tasks=0 if scaling is None else scaling.min_tasks,
        min_tasks=min((bounds.min_tasks for bounds in at_any_hour), default=0),
        max_tasks=max((bounds.max_tasks for bounds in at_any_hour), default=MOST_TASKS),
    )


def average_tasks(group: TaskGroup, assumptions: Assumptions) -> Decimal:
    """Return the assumed average, brought within the minimum and maximum of the group's scaling."""
    assumed = assumptions.average_tasks.get(group.name, Decimal(group.default_tasks))
    return min(max(assumed, Decimal(group.min_tasks)), Decimal(group.max_tasks))


def average_note(group: TaskGroup, assumptions: Assumptions) -> str | None:
    """Say which average is used in the place of an assumed one that scaling never allows."""
    used = average_tasks(group, assumptions)
    assumed = assumptions.average_tasks.get(group.name, used)
    if assumed == used:
        return None
    limit = "below the minimum" if assumed < used else "above the maximum"
    return f"average {plain(assumed)} is {limit} {plain(used)}, {plain(used)} is used"


def plain(number: Decimal) -> str:
    """Format a number with commas, at most two decimals, and no zeros at the end."""
    return f"{number.quantize(Decimal('0.01')).normalize():,f}"
