"""Estimate what an environment costs a month, from specs, stacks, assumptions and a dated price table.

    platform.toml ─▶ spec ─▶ stack ──────┐
    [stacks] ─▶ parameters of templates ─┤
    [cost] ─▶ assumptions ───────────────┼─▶ lines ─▶ estimate ─▶ report, comparison, difference
    deploy/prices/<region>.toml ─▶ prices┘

Everything is a value. Money is Decimal, in US dollars per month of 730 hours. Nothing calls AWS.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from platform_sdk.deploy.cost.lines import Estimate
from platform_sdk.deploy.cost.prices import (
    Assumptions,
    PriceTable,
    average_tasks,
    load_assumptions,
    load_prices,
    task_groups,
)
from platform_sdk.deploy.cost.service_costs import (
    DELIVERY,
    FARGATE,
    MONITORING,
    REGISTRY,
    SECRETS,
    numbers_of,
    service_lines,
)
from platform_sdk.deploy.cost.shared_costs import (
    CACHE,
    DATABASE,
    EDGE,
    LOAD_BALANCER,
    NETWORK,
    QUEUES,
    SharedResources,
    shared_lines,
    shared_resources,
)
from platform_sdk.deploy.environment import Environment, load_environment, refuse_unknown
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.service_stack import render_service_stack
from platform_sdk.deploy.shared import load_shared_stacks
from platform_sdk.errors import PlatformError

SECTIONS: Final = (
    FARGATE, LOAD_BALANCER, REGISTRY, DATABASE, CACHE, DELIVERY, QUEUES, MONITORING, NETWORK, EDGE, SECRETS,
)  # fmt: skip
"""First the lines of the architecture's estimate in its order, then what it leaves out."""


class NothingToEstimate(PlatformError):
    """The environment runs on this machine, so AWS bills nothing for it."""


def load_estimate(root: Path, environment_name: str, names: Collection[str] = ()) -> Estimate:
    """Read the files below the repository's root; estimate the named services, or all of them and what they share.

    Raises:
        UnknownEnvironment, UnknownName, UnknownRegion, UnknownPrice: no such environment, service, region or price.
        NothingToEstimate: the environment is not on AWS.
        InvalidConfiguration: with every error of a file.
    """
    environment = load_environment(root, environment_name)
    if environment.aws_endpoint_url is not None:
        raise NothingToEstimate(
            f"{environment.name} costs nothing", because="it runs on this machine", hint="name another one with --env"
        )
    prices = load_prices(root, environment.region)
    services = load_services(root, environment.name)
    refuse_unknown("service", names, [spec.name for spec in services])
    shared = shared_resources(load_shared_stacks(root, environment, services))
    assumptions = load_assumptions(root, environment.name, services)
    return estimate(environment, services, shared, assumptions, prices, names)


def estimate(
    environment: Environment,
    services: Sequence[ServiceSpec],
    shared: SharedResources,
    assumptions: Assumptions,
    prices: PriceTable,
    names: Collection[str] = (),
) -> Estimate:
    """Estimate the named services, or all of them and what they share.

    Raises:
        UnknownPrice: the price table lacks a price.
    """
    chosen = [spec for spec in services if spec.name in names] if names else services
    stacks = {spec.name: numbers_of(render_service_stack(spec, environment)) for spec in chosen}
    lines = [line for spec in chosen for line in service_lines(spec, stacks[spec.name], assumptions, prices)]
    if not names:
        dashboards = sum(stack.dashboards for stack in stacks.values())
        lines.extend(shared_lines(services, dashboards, shared, assumptions, prices))
    return Estimate(
        environment=environment.name,
        region=environment.region,
        compiled=prices.compiled,
        average_tasks=sum(
            (average_tasks(group, assumptions) for spec in chosen for group in task_groups(spec)), Decimal(0)
        ),
        lines=tuple(sorted(lines, key=lambda line: SECTIONS.index(line.section))),
    )
