"""`[cost]` of deploy/environments/<name>.toml: what no other file knows, such as how many requests come.

The tables of other readers in the same file are theirs; see environment.py and shared.py.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from platform_sdk.deploy.document import Document, Form, Table, read_document
from platform_sdk.deploy.environment import FOLDER, InvalidEnvironment
from platform_sdk.deploy.faults import did_you_mean, listed
from platform_sdk.deploy.manifest.types import Scaling, ServiceSpec, Worker

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
        within_bounds: average tasks that scaling never allows are a fault. A plan that moves the bounds takes them.

    Raises:
        InvalidEnvironment: with every fault of the table.
    """
    file = FOLDER / f"{environment}.toml"
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
    document.refuse_faults(InvalidEnvironment)
    return assumptions


def number(table: Table, key: str, low: float, high: float) -> Decimal:
    if not table.knows(key) and not table.absent:
        table.fault(key, "is missing", table.example(key))
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
            groups.fault(group, "no service has such tasks", did_you_mean(group, bounds) or there_are)
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
