"""deploy/prices/<region>.toml: what AWS asks for a unit of each thing, with the date and the source of every price."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from platform_sdk.deploy.config_errors import InvalidConfiguration, did_you_mean, listed
from platform_sdk.deploy.environment import FOLDER as ENVIRONMENTS
from platform_sdk.deploy.environment import InvalidEnvironment
from platform_sdk.deploy.manifest.types import Scaling, ServiceSpec, Worker
from platform_sdk.deploy.toml_document import Document, Form, Table, read_document
from platform_sdk.errors import PlatformError

PRICES: Final = Path("deploy/prices")

NAME: Final = Form(re.compile(r"[a-z][a-z0-9_]*"), "lower-case letters, digits and underscores")
AMOUNT: Final = Form(re.compile(r"\d{1,9}(\.\d{1,9})?"), 'a decimal number in quotes, such as "0.04048"')
DATE: Final = Form(re.compile(r"\d{4}(-\d{2}(-\d{2})?)?"), 'a date such as "2026-11-22", or its first part')
CONFIDENCES: Final = ("high", "medium", "low")


class UnknownRegion(PlatformError):
    """No price table in deploy/prices has the region."""


class UnknownPrice(PlatformError):
    """The region's price table does not have what is needed."""


class InvalidPrices(InvalidConfiguration):
    """A price table that cannot be used; `errors` holds every reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for one unit `per`, beyond `free` units that an account has free every month.

    `date` is that of the source, `confidence` how far it can be trusted: high, medium or low.
    """

    name: str
    usd: Decimal
    per: str
    free: Decimal
    date: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    region: str
    compiled: str
    prices: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        """Raises UnknownPrice."""
        if name not in self.prices:
            raise UnknownPrice(
                f"there is no price `{name}` for {self.region}",
                because=f"{PRICES}/{self.region}.toml does not have it",
                hint=f"add the table [prices.{name}], with the date and the source of the price",
            )
        return self.prices[name]


def load_prices(root: Path, region: str) -> PriceTable:
    """Reads deploy/prices/<region>.toml below the repository's root.

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
    return read_prices(read_document(root / PRICES / f"{region}.toml", f"{PRICES}/{region}.toml"), region)


def read_prices(document: Document, region: str) -> PriceTable:
    """As `load_prices`, from a document."""
    outermost = document.root()
    if outermost.text("region") != region and outermost.are_sound("region"):
        outermost.error("region", f"is not the name of its file, which is {region}.toml")
    compiled = outermost.text("compiled", DATE)
    tables = outermost.table("prices")
    prices = {name: read_price(name, tables.table(name)) for name in tables.names(NAME)}
    document.reject_unknown_keys()
    document.raise_errors(InvalidPrices)
    return PriceTable(region=region, compiled=compiled, prices=prices)


def read_price(name: str, table: Table) -> Price:
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
    """Written as text, because TOML's numbers are binary and money is not."""
    text = table.text(key, AMOUNT)
    return Decimal(text) if table.are_sound(key) and AMOUNT.fits(text) else Decimal(0)


# `[cost]` of deploy/environments/<name>.toml: what no other file knows, such as how many requests come.
#
# The tables of other readers in the same file are theirs; see environment.py and shared.py.

TABLE: Final = "cost"
GROUP: Final = Form(re.compile(r"[a-z][a-z0-9-]*"), "a service, or `<service>-worker`, or `<service>-<task>`")
MOST: Final = 1e12
MOST_STANDALONE: Final = 1000
MOST_TASKS: Final = 5000
"""Of one service (docs.aws.amazon.com/AmazonECS, "Service quotas")."""

AMOUNTS: Final[Mapping[str, str]] = {
    "requests_per_month": "requests_per_month = 5_000_000",
    "kilobytes_per_request": "kilobytes_per_request = 4",
    "requests_per_connection": "requests_per_connection = 20",
    "messages_per_month": "messages_per_month = 2_000_000",
    "releases_per_month": "releases_per_month = 10",
    "build_minutes": "build_minutes = 8",
    "start_minutes": "start_minutes = 3",
    "image_gb_per_service": "image_gb_per_service = 10",
    "database_average_acu": "database_average_acu = 2",
    "database_hours": "database_hours = 730",
    "database_storage_gb": "database_storage_gb = 50",
    "database_million_ios": "database_million_ios = 20",
    "log_gb_per_service": "log_gb_per_service = 5",
    "log_gb_shared": "log_gb_shared = 5",
    "log_stored_percent": "log_stored_percent = 15",
    "metrics_per_service": "metrics_per_service = 20",
    "traced_percent": "traced_percent = 5",
    "aws_gb": "aws_gb = 20",
    "internet_gb": "internet_gb = 20",
    "cross_zone_gb": "cross_zone_gb = 20",
}
"""The keys of `[cost]`, all required, each with an example."""

LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "requests_per_connection": (1, MOST),
    "database_hours": (0, 730),
    "log_stored_percent": (0, 100),
    "traced_percent": (0, 100),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Of a month. docs/howto/cost.md tells what each means and how to find it in a running environment.

    `average_tasks` and `spot_percent` are by group of tasks, named as their ECS service without the environment:
    `orders`, `orders-worker`. A group without a number has the smallest count that platform.toml allows, and no Spot.
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


def load_assumptions(
    root: Path, environment: str, services: Sequence[ServiceSpec], *, within_bounds: bool = True
) -> Assumptions:
    """Reads `[cost]` of deploy/environments/<environment>.toml.

    Args:
        within_bounds: average tasks that scaling never allows are an error. A plan that moves the bounds takes them.

    Raises:
        InvalidEnvironment: with every error of the table.
    """
    file = ENVIRONMENTS / f"{environment}.toml"
    return read_assumptions(read_document(root / file, str(file)), services, within_bounds=within_bounds)


def read_assumptions(document: Document, services: Sequence[ServiceSpec], *, within_bounds: bool = True) -> Assumptions:
    """As `load_assumptions`, from a document."""
    root = document.root()
    table = root.table(TABLE)
    table.examples = AMOUNTS
    bounds = bounds_of(services)
    if not within_bounds:
        bounds = dict.fromkeys(bounds, (0, MOST_TASKS))
    assumptions = Assumptions(
        **{key: number(table, key, *LIMITS.get(key, (0, MOST))) for key in AMOUNTS},
        average_tasks=by_group(table, "average_tasks", bounds),
        spot_percent=by_group(table, "spot_percent", dict.fromkeys(bounds, (0, 100))),
    )
    document.tables.remove(root)  # the other tables are read by others
    document.reject_unknown_keys()
    document.raise_errors(InvalidEnvironment)
    return assumptions


def number(table: Table, key: str, low: float, high: float) -> Decimal:
    if not table.knows(key) and not table.absent:
        table.error(key, "is missing", table.example(key))
    return Decimal(str(table.number(key, low, high, default=low)))


def by_group(table: Table, key: str, bounds: Mapping[str, tuple[int, int]]) -> Mapping[str, Decimal]:
    groups = table.optional_table(key)
    if groups is None:
        return {}
    found = {}
    for group in groups.names(GROUP):
        if group in bounds:
            found[group] = number(groups, group, *bounds[group])
        else:
            there_are = f"there are {listed(bounds)}"
            groups.error(group, "no service has such tasks", did_you_mean(group, bounds) or there_are)
    return found


def bounds_of(services: Sequence[ServiceSpec]) -> Mapping[str, tuple[int, int]]:
    """The fewest and the most tasks of every group: of each service its API, its worker and its standalone tasks."""
    bounds: dict[str, tuple[int, int]] = {}
    for spec in services:
        bounds[spec.name] = fewest_and_most(spec.scaling)
        if spec.worker is not None:
            bounds[f"{spec.name}-worker"] = fewest_and_most(spec.worker)
        bounds |= {f"{spec.name}-{task.name}": (0, MOST_STANDALONE) for task in spec.tasks}
    return bounds


def fewest_and_most(scaling: Scaling | Worker) -> tuple[int, int]:
    """Whatever the hour: scheduled changes have bounds of their own."""
    at_any_time = (scaling, *scaling.scheduled)
    return min(bounds.min_tasks for bounds in at_any_time), max(bounds.max_tasks for bounds in at_any_time)
