"""What one service costs by itself: its tasks, the second set of them during a release, its images, builds and logs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from platform_sdk.deploy.cost.assumptions import (
    Assumptions,
    TaskGroup,
    average_note,
    average_tasks,
    plain,
    task_groups,
)
from platform_sdk.deploy.cost.lines import HOURS_PER_MONTH, Charge, Line
from platform_sdk.deploy.cost.prices import PriceTable
from platform_sdk.deploy.manifest.releases import TrafficShift
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.manifest.variables import SecretStore

# What is billed by number in the rendered stack of a service: alarms, and dashboards.

ALARMS_OF_POLICY: Final = 2
"""Target tracking makes an alarm to scale out and one to scale in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackNumbers:
    """An alarm is billed by the metrics that it reads; `scaling_metrics` are those of the alarms of target tracking."""

    alarms: int
    alarm_metrics: int
    scaling_metrics: int
    dashboards: int


def numbers_of(template: Mapping[str, Any]) -> StackNumbers:
    """From the template that render_service_stack answers."""
    alarms = list(properties_of(template, "AWS::CloudWatch::Alarm"))
    policies = properties_of(template, "AWS::ApplicationAutoScaling::ScalingPolicy")
    return StackNumbers(
        alarms=len(alarms),
        alarm_metrics=sum(metrics_read(alarm.get("Metrics")) for alarm in alarms),
        scaling_metrics=ALARMS_OF_POLICY * sum(metrics_read(tracked_by(policy)) for policy in policies),
        dashboards=len(list(properties_of(template, "AWS::CloudWatch::Dashboard"))),
    )


def properties_of(template: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    return (resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == kind)


def tracked_by(policy: Mapping[str, Any]) -> Any:
    customized = policy["TargetTrackingScalingPolicyConfiguration"].get("CustomizedMetricSpecification", {})
    return customized.get("Metrics")


def metrics_read(metrics: Any) -> int:
    """Of metric math the metrics, not the expressions; without it there is one."""
    return 1 if metrics is None else sum("MetricStat" in metric for metric in metrics)


FARGATE: Final = "Fargate"
REGISTRY: Final = "ECR"
DELIVERY: Final = "CodePipeline and CodeBuild"
MONITORING: Final = "CloudWatch"
SECRETS: Final = "Secrets and keys"


def service_lines(
    spec: ServiceSpec, stack: StackNumbers, assumptions: Assumptions, prices: PriceTable
) -> Iterator[Line]:
    for group in task_groups(spec):
        yield running_tasks(group, assumptions, prices)
    yield overlap(spec, assumptions, prices)
    yield images(spec, assumptions, prices)
    yield builds(spec, assumptions, prices)
    yield logs(spec.name, spec.name, assumptions.log_gb_per_service, spec.log_retention_days, assumptions, prices)
    yield metrics(spec, assumptions, prices)
    yield alarms(spec, stack, prices)
    yield secrets(spec, prices)


def running_tasks(group: TaskGroup, assumptions: Assumptions, prices: PriceTable) -> Line:
    tasks = average_tasks(group, assumptions)
    spot = assumptions.spot_percent.get(group.name, Decimal(0))
    hours = tasks * HOURS_PER_MONTH
    charges = (
        *task_charges(group, hours * (100 - spot) / 100, "fargate", prices),
        *(task_charges(group, hours * spot / 100, "fargate_spot", prices) if spot else ()),
    )
    by_spot = f", {plain(spot)} % of the time on Spot" if spot else ""
    size = f"{plain(group.vcpu)} vCPU and {plain(group.memory_gb)} GB, {group.architecture}"
    return Line(
        section=FARGATE,
        name=f"{group.service} {group.role}",
        service=group.service,
        charges=charges,
        basis=f"{plain(tasks)} on average of {size}{by_spot}",
        note=average_note(group, assumptions),
    )


def task_charges(group: TaskGroup, task_hours: Decimal, kind: str, prices: PriceTable) -> tuple[Charge, Charge]:
    return (
        Charge(price=prices[f"{kind}_{group.architecture}_vcpu_hour"], quantity=task_hours * group.vcpu),
        Charge(price=prices[f"{kind}_{group.architecture}_gb_hour"], quantity=task_hours * group.memory_gb),
    )


def overlap(spec: ServiceSpec, assumptions: Assumptions, prices: PriceTable) -> Line:
    """The replacement tasks beside the original ones, from their start to the end of the bake time."""
    group = next(task_groups(spec))
    tasks = average_tasks(group, assumptions)
    minutes = release_minutes(spec, assumptions)
    releases = assumptions.releases_per_month
    task_hours = tasks * minutes * releases / 60
    return Line(
        section=FARGATE,
        name=f"{spec.name} blue/green overlap",
        service=spec.name,
        charges=task_charges(group, task_hours, "fargate", prices),
        basis=f"{plain(releases)} releases, in each {plain(tasks)} tasks more for {plain(minutes)} minutes",
    )


def release_minutes(spec: ServiceSpec, assumptions: Assumptions) -> Decimal:
    """How long a deployment takes: until the new tasks are healthy, the shift, and the bake time."""
    shift = spec.traffic_shift
    return assumptions.start_minutes + shift_minutes(shift) + shift.bake_minutes


def shift_minutes(shift: TrafficShift) -> int:
    """Linear waits between its steps, which are as many as it takes to reach 100 percent; a canary waits once."""
    match shift.type:
        case "canary":
            return shift.interval_minutes
        case "linear":
            return (-(-100 // shift.percent) - 1) * shift.interval_minutes
        case "all_at_once":
            return 0


def images(spec: ServiceSpec, assumptions: Assumptions, prices: PriceTable) -> Line:
    charge = Charge(price=prices["ecr_gb_month"], quantity=assumptions.image_gb_per_service)
    basis = f"{plain(charge.quantity)} GB; no release expires"
    return Line(section=REGISTRY, name=f"{spec.name} images", service=spec.name, charges=(charge,), basis=basis)


def builds(spec: ServiceSpec, assumptions: Assumptions, prices: PriceTable) -> Line:
    """The build follows its release to the end, so it is billed for the shift and the bake time too."""
    waiting = release_minutes(spec, assumptions)
    minutes = (assumptions.build_minutes + waiting) * assumptions.releases_per_month
    return Line(
        section=DELIVERY,
        name=f"{spec.name} builds",
        service=spec.name,
        charges=(Charge(price=prices[f"codebuild_{spec.task.architecture}_medium_minute"], quantity=minutes),),
        basis=f"{plain(assumptions.releases_per_month)} of {plain(assumptions.build_minutes)} minutes, and "
        f"{plain(waiting)} following the release",
    )


def logs(
    name: str, service: str | None, gb: Decimal, retention_days: int, assumptions: Assumptions, prices: PriceTable
) -> Line:
    """In the long run: as much is kept as came in during the retention."""
    kept = gb * retention_days * 12 / 365 * assumptions.log_stored_percent / 100
    return Line(
        section=MONITORING,
        name=f"{name} logs",
        service=service,
        charges=(
            Charge(price=prices["logs_ingested_gb"], quantity=gb),
            Charge(price=prices["logs_stored_gb_month"], quantity=kept),
        ),
        basis=f"{plain(gb)} GB, kept {retention_days} days at {plain(assumptions.log_stored_percent)} % of its size",
    )


def metrics(spec: ServiceSpec, assumptions: Assumptions, prices: PriceTable) -> Line:
    charge = Charge(price=prices["metric_month"], quantity=assumptions.metrics_per_service)
    basis = f"{plain(charge.quantity)} by the CloudWatch agent"
    return Line(section=MONITORING, name=f"{spec.name} metrics", service=spec.name, charges=(charge,), basis=basis)


def alarms(spec: ServiceSpec, stack: StackNumbers, prices: PriceTable) -> Line:
    metrics = Decimal(stack.alarm_metrics + stack.scaling_metrics)
    return Line(
        section=MONITORING,
        name=f"{spec.name} alarms",
        service=spec.name,
        charges=(Charge(price=prices["alarm_metric_month"], quantity=metrics),),
        basis=f"{stack.alarms} that read {stack.alarm_metrics} metrics; those of scaling read {stack.scaling_metrics}",
    )


def secrets(spec: ServiceSpec, prices: PriceTable) -> Line:
    own = {secret.name for secret in spec.secrets.values() if secret.store is SecretStore.SECRETS_MANAGER}
    given = {name for name, needs in (("database", spec.database), ("cache", spec.cache)) if needs is not None}
    names = sorted(own | given)
    charge = Charge(price=prices["secret_month"], quantity=Decimal(len(names)))
    basis = ", ".join(names) or "none"
    return Line(section=SECRETS, name=f"{spec.name} secrets", service=spec.name, charges=(charge,), basis=basis)
