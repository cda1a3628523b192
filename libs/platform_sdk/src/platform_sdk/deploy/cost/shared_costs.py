"""The costs that all services share: load balancer, database, cache, queues, network and edge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from platform_sdk.contract import RECEIVE_WAIT_SECONDS
from platform_sdk.deploy.cost.lines import HOURS_PER_MONTH, Line, line
from platform_sdk.deploy.cost.prices import Assumptions, PriceTable, average_tasks, plain, task_groups
from platform_sdk.deploy.cost.service_costs import DELIVERY, MONITORING, SECRETS, logs, release_minutes
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.shared import SharedStack

LOAD_BALANCER: Final = "ALB"
DATABASE: Final = "Aurora"
CACHE: Final = "ElastiCache"
QUEUES: Final = "SQS"
NETWORK: Final = "Network"
EDGE: Final = "Edge"

SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * 3600

ZONES: Final = 3
INTERFACE_ENDPOINTS: Final = 8
CACHE_NODES: Final = 2
WAF_RULES: Final = 5
HOSTED_ZONES: Final = 2
SHARED_ALARMS: Final = 3
SHARED_SECRETS: Final = 2
"""The password of the cache, and that of the database's master user, which RDS keeps."""
KEYS: Final = 1

# What one LCU holds; the most expensive dimension is billed (Elastic Load Balancing pricing).
CONNECTIONS_PER_SECOND_PER_LCU: Final = 25
GB_PER_HOUR_PER_LCU: Final = 1
RULES_PER_SECOND_PER_LCU: Final = 1000
FREE_RULES: Final = 10

# The number of Container Insights metrics for ECS, by what they describe (CloudWatch user guide).
INSIGHTS_PER_CLUSTER: Final = 2
INSIGHTS_PER_SERVICE: Final = 16
INSIGHTS_PER_TASK: Final = 15
INSIGHTS_PER_CONTAINER: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedResources:
    """What is billed in the shared stacks, read from their parameters."""

    nat_gateways: int
    interface_endpoints: int
    container_insights: str
    min_acu: Decimal
    max_acu: Decimal
    database_instances: int
    cache_node_type: str
    log_retention_days: int


def shared_resources(stacks: Sequence[SharedStack]) -> SharedResources:
    """Read the parameters of the shared stacks. The constants above are what the templates fix."""
    parameters: dict[str, Mapping[str, str]] = {stack.template.stem: stack.parameters for stack in stacks}
    data = parameters["data"]
    return SharedResources(
        nat_gateways={"none": 0, "one": 1, "per_zone": ZONES}[parameters["network"]["Nat"]],
        interface_endpoints=INTERFACE_ENDPOINTS if parameters["security"]["InterfaceEndpoints"] == "true" else 0,
        container_insights=parameters["cluster"]["ContainerInsights"],
        min_acu=Decimal(data["MinCapacityAcu"]),
        max_acu=Decimal(data["MaxCapacityAcu"]),
        database_instances=int(data["DatabaseInstances"]),
        cache_node_type=data["CacheNodeType"],
        log_retention_days=int(data["LogRetentionDays"]),
    )


def shared_lines(
    services: Sequence[ServiceSpec],
    dashboards: int,
    shared: SharedResources,
    assumptions: Assumptions,
    prices: PriceTable,
) -> Iterator[Line]:
    """Return the lines that all services share.

    Args:
        dashboards: the number in the stacks of all services, because the first ones of an account are free.

    Raises:
        UnknownPrice: the price table lacks a price.
    """
    yield from _load_balancer(services, assumptions, prices)
    yield from database(shared, assumptions, prices)
    yield _cache(shared, prices)
    yield queues(services, assumptions, prices)
    yield pipelines(services, assumptions, prices)
    yield from _monitoring(shared, assumptions, prices)
    yield single(MONITORING, "dashboards", prices, "dashboard_month", Decimal(dashboards), "in the services' stacks")
    yield container_insights(services, shared, assumptions, prices)
    yield from network(shared, assumptions, prices)
    yield from _edge(assumptions, prices)
    yield from _secrets(prices)


def _load_balancer(services: Sequence[ServiceSpec], assumptions: Assumptions, prices: PriceTable) -> Iterator[Line]:
    yield line(LOAD_BALANCER, "load balancer", "one, all month", prices.charge("alb_hour", HOURS_PER_MONTH))
    lcu = average_lcu(len(services), assumptions)
    basis = f"{lcu:.3f} LCU on average, for {plain(assumptions.requests_per_month)} requests"
    charge = prices.charge("alb_lcu_hour", lcu * HOURS_PER_MONTH)
    yield line(LOAD_BALANCER, "capacity units", basis, charge)


def average_lcu(rules: int, assumptions: Assumptions) -> Decimal:
    """Return the capacity units of the most expensive dimension: new connections, bytes or rules.

    Active connections never are: one LCU holds those of two minutes, and CloudFront keeps none idle for longer.
    """
    requests_per_second = assumptions.requests_per_month / SECONDS_PER_MONTH
    gb_per_hour = _gb_of_requests(assumptions) / HOURS_PER_MONTH
    return max(
        requests_per_second / assumptions.requests_per_connection / CONNECTIONS_PER_SECOND_PER_LCU,
        gb_per_hour / GB_PER_HOUR_PER_LCU,
        requests_per_second * max(0, rules - FREE_RULES) / RULES_PER_SECOND_PER_LCU,
    )


def _gb_of_requests(assumptions: Assumptions) -> Decimal:
    return assumptions.requests_per_month * assumptions.kilobytes_per_request / 1_000_000


def database(shared: SharedResources, assumptions: Assumptions, prices: PriceTable) -> Iterator[Line]:
    """Yield the lines of the database. One that never pauses costs its minimum capacity; one that pauses, its hours
    awake.
    """
    hours = HOURS_PER_MONTH if shared.min_acu else assumptions.database_hours
    acu = min(max(assumptions.database_average_acu, shared.min_acu), shared.max_acu)
    instances = shared.database_instances
    yield line(
        DATABASE,
        "capacity",
        f"{instances} x {plain(acu)} ACU for {plain(hours)} hours; "
        f"never below {plain(shared.min_acu)}, never above {plain(shared.max_acu)}",
        prices.charge("aurora_acu_hour", acu * instances * hours),
    )
    storage = assumptions.database_storage_gb
    yield single(DATABASE, "storage", prices, "aurora_storage_gb_month", storage, "GB, stored once for all instances")
    yield single(
        DATABASE, "I/O", prices, "aurora_io_million", assumptions.database_million_ios, "million reads and writes"
    )


def _cache(shared: SharedResources, prices: PriceTable) -> Line:
    node_type = shared.cache_node_type
    charge = prices.charge(f"valkey_{node_type.replace('.', '_')}_hour", HOURS_PER_MONTH * CACHE_NODES)
    return line(CACHE, "nodes", f"{CACHE_NODES} x {node_type}, Valkey: primary and replica", charge)


def queues(services: Sequence[ServiceSpec], assumptions: Assumptions, prices: PriceTable) -> Line:
    """Return the line for SQS: send, receive and delete each message, and the receives of idle workers."""
    idle = sum((_idle_receives(spec, assumptions) for spec in services), Decimal(0))
    requests = (3 * assumptions.messages_per_month + idle) / 1_000_000
    basis = f"{plain(requests)} million: three for a message, and the receives of idle workers"
    return line(QUEUES, "requests", basis, prices.charge("sqs_request_million", requests))


def _idle_receives(spec: ServiceSpec, assumptions: Assumptions) -> Decimal:
    workers = (average_tasks(group, assumptions) for group in task_groups(spec) if group.role == "worker")
    return sum(workers, Decimal(0)) * len(spec.queues) * SECONDS_PER_MONTH / RECEIVE_WAIT_SECONDS


def pipelines(services: Sequence[ServiceSpec], assumptions: Assumptions, prices: PriceTable) -> Line:
    """Return what pipelines cost. The source action takes a minute; the build action is billed while the build runs."""
    each = (1 + assumptions.build_minutes + release_minutes(spec, assumptions) for spec in services)
    minutes = sum(each, Decimal(0)) * assumptions.releases_per_month
    return single(DELIVERY, "pipelines", prices, "codepipeline_action_minute", minutes, "action-minutes of type V2")


def _monitoring(shared: SharedResources, assumptions: Assumptions, prices: PriceTable) -> Iterator[Line]:
    yield logs("shared", None, assumptions.log_gb_shared, shared.log_retention_days, assumptions, prices)
    alarms = Decimal(SHARED_ALARMS)
    yield single(
        MONITORING, "shared alarms", prices, "alarm_metric_month", alarms, "alarms on database, cache and load balancer"
    )
    traces = assumptions.requests_per_month * assumptions.traced_percent / 100 / 1_000_000
    yield single(MONITORING, "traces", prices, "trace_million", traces, "million recorded")


def container_insights(
    services: Sequence[ServiceSpec], shared: SharedResources, assumptions: Assumptions, prices: PriceTable
) -> Line:
    """Return the line for the metrics of Container Insights, for the average number of tasks."""
    groups = [(spec, group) for spec in services for group in task_groups(spec) if group.default_tasks]
    each_service = Decimal(INSIGHTS_PER_CLUSTER + INSIGHTS_PER_SERVICE * len(groups))
    price, quantity = "metric_month", Decimal(0)
    match shared.container_insights:
        case "enhanced":
            price = "insights_enhanced_metric_month"
            tasks = (
                average_tasks(group, assumptions) * (INSIGHTS_PER_TASK + INSIGHTS_PER_CONTAINER * containers(spec))
                for spec, group in groups
            )
            quantity = sum(tasks, each_service)
        case "enabled":
            quantity = each_service
    basis = f"{shared.container_insights}: {plain(quantity)} metrics"
    return line(MONITORING, "Container Insights", basis, prices.charge(price, quantity))


def containers(spec: ServiceSpec) -> int:
    """Count the containers of a task: the app, and the enabled sidecars."""
    return 1 + spec.sidecars.cloudwatch_agent.enabled + spec.sidecars.log_router.enabled


def network(shared: SharedResources, assumptions: Assumptions, prices: PriceTable) -> Iterator[Line]:
    """Yield the lines for traffic to AWS: by interface endpoints if there are any, else by NAT gateways."""
    endpoints, gateways = shared.interface_endpoints, shared.nat_gateways
    by_nat = (assumptions.internet_gb + (0 if endpoints else assumptions.aws_gb)) if gateways else Decimal(0)
    by_endpoint = assumptions.aws_gb if endpoints else Decimal(0)
    hours = gateways * HOURS_PER_MONTH
    yield line(
        NETWORK,
        "NAT gateways",
        f"{gateways}, and {plain(by_nat)} GB through them",
        prices.charge("nat_gateway_hour", hours),
        prices.charge("nat_gateway_gb", by_nat),
    )
    addresses = f"{gateways}, of the NAT gateways; load balancer and tasks have none"
    yield line(NETWORK, "public IPv4 addresses", addresses, prices.charge("public_ipv4_hour", hours))
    yield line(
        NETWORK,
        "interface endpoints",
        f"{endpoints} in {ZONES} zones, and {plain(by_endpoint)} GB through them; that of S3 is free",
        prices.charge("interface_endpoint_zone_hour", endpoints * ZONES * HOURS_PER_MONTH),
        prices.charge("interface_endpoint_gb", by_endpoint),
    )
    yield single(NETWORK, "between zones", prices, "cross_zone_gb", assumptions.cross_zone_gb, "GB, out and in")


def _edge(assumptions: Assumptions, prices: PriceTable) -> Iterator[Line]:
    requests = assumptions.requests_per_month / 1_000_000
    gb = _gb_of_requests(assumptions)
    yield line(
        EDGE,
        "WAF",
        f"one web ACL with {WAF_RULES} rules, {plain(requests)} million requests",
        prices.charge("waf_acl_month", Decimal(1)),
        prices.charge("waf_rule_month", Decimal(WAF_RULES)),
        prices.charge("waf_request_million", requests),
    )
    yield line(
        EDGE,
        "CloudFront",
        f"{plain(requests)} million requests and {plain(gb)} GB, less what is free",
        prices.charge("cloudfront_gb", gb),
        prices.charge("cloudfront_request_million", requests),
    )
    zones = Decimal(HOSTED_ZONES)
    yield single(EDGE, "Route 53", prices, "route53_zone_month", zones, "hosted zones, one of them inside the network")


def _secrets(prices: PriceTable) -> Iterator[Line]:
    passwords = "secrets: the password of the database's owner, and that of the cache"
    yield single(SECRETS, "shared secrets", prices, "secret_month", Decimal(SHARED_SECRETS), passwords)
    yield single(SECRETS, "KMS keys", prices, "kms_key_month", Decimal(KEYS), "key, for database, cache and backups")


def single(section: str, name: str, prices: PriceTable, price: str, quantity: Decimal, of_what: str) -> Line:
    """Return a line of one charge, whose basis says how many units are free."""
    charge = prices.charge(price, quantity)
    free = f"; {plain(charge.price.free)} free" if charge.price.free else ""
    return line(section, name, f"{plain(quantity)} {of_what}{free}", charge)
