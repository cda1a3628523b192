"""What is billed by number in the rendered stack of a service: alarms, and dashboards."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
