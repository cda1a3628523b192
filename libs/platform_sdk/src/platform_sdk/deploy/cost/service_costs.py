"""The costs of one service: its tasks, the replacement tasks of a release, its images, builds, logs and alarms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from platform_sdk.deploy.cost.lines import HOURS_PER_MONTH, Line, line
from platform_sdk.deploy.cost.prices import (
    Assumptions,
    Charge,
    PriceTable,
    TaskGroup,
    average_note,
    average_tasks,
    plain,
    task_groups,
)
from platform_sdk.deploy.manifest.releases import TrafficShift
from platform_sdk.deploy.manifest.resources import SecretStore
from platform_sdk.deploy.manifest.types import ServiceSpec

ALARMS_OF_POLICY: Final = 2
"""Target tracking creates one alarm to scale out and one to scale in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackNumbers:
    """What is billed by number in a stack. An alarm is billed by the metrics that it reads.

    `scaling_metrics` are those that the alarms of target tracking read.
    """

    alarms: int
    alarm_metrics: int
    scaling_metrics: int
    dashboards: int


def numbers_of(template: Mapping[str, Any]) -> StackNumbers:
    """Count what is billed in a template that `render_service_stack` returned."""
    alarms = list(_properties_of(template, "AWS::CloudWatch::Alarm"))
    policies = _properties_of(template, "AWS::ApplicationAutoScaling::ScalingPolicy")
    return StackNumbers(
        alarms=len(alarms),
        alarm_metrics=sum(metrics_read(alarm.get("Metrics")) for alarm in alarms),
        scaling_metrics=ALARMS_OF_POLICY * sum(metrics_read(_tracked_by(policy)) for policy in policies),
        dashboards=len(list(_properties_of(template, "AWS::CloudWatch::Dashboard"))),
    )


def _properties_of(template: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    return (resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == kind)


def _tracked_by(policy: Mapping[str, Any]) -> Any:
    customized = policy["TargetTrackingScalingPolicyConfiguration"].get("CustomizedMetricSpecification", {})
    return customized.get("Metrics")


def metrics_read(metrics: Any) -> int:
    """Count the metrics of metric math, without its expressions; an alarm without metric math reads one."""
    return 1 if metrics is None else sum("MetricStat" in metric for metric in metrics)


FARGATE: Final = "Fargate"
REGISTRY: Final = "ECR"
DELIVERY: Final = "CodePipeline and CodeBuild"
MONITORING: Final = "CloudWatch"
SECRETS: Final = "Secrets and keys"


def service_lines(
    spec: ServiceSpec, stack: StackNumbers, assumptions: Assumptions, prices: PriceTable
) -> Iterator[Line]:
    """Return the lines of one service.

    Raises:
        UnknownPrice: the price table lacks a price.
    """
    for group in task_groups(spec):
        yield _running_tasks(group, assumptions, prices)
    yield overlap(spec, assumptions, prices)
    yield _images(spec, assumptions, prices)
    yield builds(spec, assumptions, prices)
    yield logs(spec.name, spec.name, assumptions.log_gb_per_service, spec.log_retention_days, assumptions, prices)
    yield metrics(spec, assumptions, prices)
    yield alarms(spec, stack, prices)
    yield _secrets(spec, prices)


def _running_tasks(group: TaskGroup, assumptions: Assumptions, prices: PriceTable) -> Line:
    tasks = average_tasks(group, assumptions)
    spot = assumptions.spot_percent.get(group.name, Decimal(0))
    hours = tasks * HOURS_PER_MONTH
    by_spot = f", {plain(spot)} % of the time on Spot" if spot else ""
    return line(
        FARGATE,
        f"{group.service} {group.role}",
        f"{plain(tasks)} on average of {plain(group.vcpu)} vCPU and {plain(group.memory_gb)} GB, "
        f"{group.architecture}{by_spot}",
        *_task_charges(group, hours * (100 - spot) / 100, "fargate", prices),
        *(_task_charges(group, hours * spot / 100, "fargate_spot", prices) if spot else ()),
        service=group.service,
        note=average_note(group, assumptions),
    )


def _task_charges(group: TaskGroup, task_hours: Decimal, kind: str, prices: PriceTable) -> tuple[Charge, Charge]:
    return (
        prices.charge(f"{kind}_{group.architecture}_vcpu_hour", task_hours * group.vcpu),
        prices.charge(f"{kind}_{group.architecture}_gb_hour", task_hours * group.memory_gb),
    )


def overlap(spec: ServiceSpec, assumptions: Assumptions, prices: PriceTable) -> Line:
    """Return what replacement tasks cost beside the original ones, from their start to the end of the bake time."""
    group = next(task_groups(spec))
    tasks = average_tasks(group, assumptions)
    minutes = release_minutes(spec, assumptions)
    releases = assumptions.releases_per_month
    return line(
        FARGATE,
        f"{spec.name} blue/green overlap",
        f"{plain(releases)} releases, in each {plain(tasks)} tasks more for {plain(minutes)} minutes",
        *_task_charges(group, tasks * minutes * releases / 60, "fargate", prices),
        service=spec.name,
    )


def release_minutes(spec: ServiceSpec, assumptions: Assumptions) -> Decimal:
    """Return how long a deployment takes: until the replacement tasks are healthy, the shift, and the bake time."""
    shift = spec.traffic_shift
    return assumptions.start_minutes + shift_minutes(shift) + shift.bake_minutes


def shift_minutes(shift: TrafficShift) -> int:
    """Return how long a traffic shift takes. Linear waits between its steps to 100 percent; a canary waits once."""
    match shift.type:
        case "canary":
            return shift.interval_minutes
        case "linear":
            return (-(-100 // shift.percent) - 1) * shift.interval_minutes
        case "all_at_once":
            return 0


def _images(spec: ServiceSpec, assumptions: Assumptions, prices: PriceTable) -> Line:
    gb = assumptions.image_gb_per_service
    charge = prices.charge("ecr_gb_month", gb)
    return line(REGISTRY, f"{spec.name} images", f"{plain(gb)} GB; no release expires", charge, service=spec.name)


def builds(spec: ServiceSpec, assumptions: Assumptions, prices: PriceTable) -> Line:
    """Return what builds cost. A build follows its release to the end, so shift and bake time are billed too."""
    waiting = release_minutes(spec, assumptions)
    minutes = (assumptions.build_minutes + waiting) * assumptions.releases_per_month
    return line(
        DELIVERY,
        f"{spec.name} builds",
        f"{plain(assumptions.releases_per_month)} of {plain(assumptions.build_minutes)} minutes, and "
        f"{plain(waiting)} following the release",
        prices.charge(f"codebuild_{spec.task.architecture}_medium_minute", minutes),
        service=spec.name,
    )


def logs(
    name: str, service: str | None, gb: Decimal, retention_days: int, assumptions: Assumptions, prices: PriceTable
) -> Line:
    """Return the line for logs. In the long run, CloudWatch stores what came in during the retention."""
    kept = gb * retention_days * 12 / 365 * assumptions.log_stored_percent / 100
    return line(
        MONITORING,
        f"{name} logs",
        f"{plain(gb)} GB, kept {retention_days} days at {plain(assumptions.log_stored_percent)} % of its size",
        prices.charge("logs_ingested_gb", gb),
        prices.charge("logs_stored_gb_month", kept),
        service=service,
    )


def metrics(spec: ServiceSpec, assumptions: Assumptions, prices: PriceTable) -> Line:
    """Return the line for custom metrics of the CloudWatch agent."""
    charge = prices.charge("metric_month", assumptions.metrics_per_service)
    basis = f"{plain(charge.quantity)} by the CloudWatch agent"
    return line(MONITORING, f"{spec.name} metrics", basis, charge, service=spec.name)


def alarms(spec: ServiceSpec, stack: StackNumbers, prices: PriceTable) -> Line:
    """Return the line for alarms. AWS bills by metric that an alarm reads, so metric math counts each."""
    charge = prices.charge("alarm_metric_month", Decimal(stack.alarm_metrics + stack.scaling_metrics))
    basis = f"{stack.alarms} that read {stack.alarm_metrics} metrics; those of scaling read {stack.scaling_metrics}"
    return line(MONITORING, f"{spec.name} alarms", basis, charge, service=spec.name)


def _secrets(spec: ServiceSpec, prices: PriceTable) -> Line:
    own = {secret.name for secret in spec.secrets.values() if secret.store is SecretStore.SECRETS_MANAGER}
    given = {name for name, needs in (("database", spec.database), ("cache", spec.cache)) if needs is not None}
    names = sorted(own | given)
    charge = prices.charge("secret_month", Decimal(len(names)))
    return line(SECRETS, f"{spec.name} secrets", ", ".join(names) or "none", charge, service=spec.name)
