"""Alarms: those of platform.toml, some of which take a release back, and those that every service has."""

from collections.abc import Mapping
from typing import Final

from platform_sdk.contract import dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import Alarm, Scaling, ServiceSpec, Worker
from platform_sdk.deploy.names import COLOURS, Colour
from platform_sdk.deploy.render.cloudformation import Json, dimensions, ref, resource
from platform_sdk.deploy.render.metrics import PERIOD_SECONDS, between, computed, measured, of_both
from platform_sdk.deploy.render.stack_names import logical, of_service, service_name, worker_service_name

# Below this, one failed request in a quiet minute would be a rate of 100 %.
MIN_REQUESTS_PER_MINUTE: Final = 10

HIGH_PERCENT: Final = 90
"""Of CPU or memory, in spite of scaling, for long enough that scaling should have helped."""
HIGH_MINUTES: Final = 15
FEW_TASKS_MINUTES: Final = 5


def alarms(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    resources = {alarm_id(alarm): alarm_of(alarm, spec, environment) for alarm in spec.alarms}
    resources |= operational("", service_name(spec, environment), spec.scaling)
    if spec.worker is not None:
        resources |= operational("worker", worker_service_name(spec, environment), spec.worker)
    return resources


def alarm_id(alarm: Alarm) -> str:
    """The logical name."""
    return logical(alarm.kind, *([alarm.queue] if alarm.queue else []), "alarm")


def alarm_name(alarm: Alarm, spec: ServiceSpec, environment: Environment) -> str:
    """`production-orders-error-rate`, and with the queue's name for those of queues."""
    words = [service_name(spec, environment), *([alarm.queue] if alarm.queue else []), alarm.kind.replace("_", "-")]
    return "-".join(words)


def alarm_of(alarm: Alarm, spec: ServiceSpec, environment: Environment) -> Json:
    """One of platform.toml: at its threshold or above it, for its minutes in a row."""
    name = alarm_name(alarm, spec, environment)
    description, watched = watched_by(alarm, environment)
    return alarm_resource(
        name, f"{description} (alarms.{alarm.kind} of {spec.name})", watched, alarm.threshold, alarm.minutes
    )


def watched_by(alarm: Alarm, environment: Environment) -> tuple[str, Json]:
    """What the alarm is about, in words and in CloudWatch's."""
    match alarm.kind:
        case "error_rate":
            return "Answers with 5xx, in percent, of the target group that has more of them", {"Metrics": error_rate()}
        case "latency_p99":
            return "Milliseconds within which 99 of 100 requests are answered", {"Metrics": latency_p99()}
        case "unhealthy_tasks":
            return "Tasks that fail the load balancer's health check", {"Metrics": unhealthy_tasks()}
        case "dead_letters":
            name = dead_letter_queue_name(environment.name, str(alarm.queue))
            return f"Messages in {name}", of_queue(name, "ApproximateNumberOfMessagesVisible")
        case "queue_age":
            name = queue_name(environment.name, str(alarm.queue))
            return f"Seconds that the oldest message of {name} waits", of_queue(name, "ApproximateAgeOfOldestMessage")


def error_rate() -> list[Json]:
    """Of each group by itself: a canary that fails all of its ten percent would be one tenth of the two together."""
    return [
        *of_both(measured, "RequestCount", "Sum", "_all"),
        *of_both(measured, "HTTPCode_Target_5XX_Count", "Sum", "_failed"),
        *(between(colour, rate_of(colour)) for colour in COLOURS),
        computed(larger("blue", "green"), "Answers with 5xx, percent"),
    ]


def rate_of(colour: Colour) -> str:
    rate = f"100 * FILL({colour}_failed, 0) / FILL({colour}_all, 1)"
    return f"IF(FILL({colour}_all, 0) >= {MIN_REQUESTS_PER_MINUTE}, {rate}, 0)"


def latency_p99() -> list[Json]:
    both = of_both(measured, "TargetResponseTime", "p99")
    return [*both, computed(f"1000 * {larger('FILL(blue, 0)', 'FILL(green, 0)')}", "p99, milliseconds")]


def larger(one: str, other: str) -> str:
    return f"IF({one} > {other}, {one}, {other})"


def unhealthy_tasks() -> list[Json]:
    both = of_both(measured, "UnHealthyHostCount", "Maximum")
    return [*both, computed("FILL(blue, 0) + FILL(green, 0)", "Unhealthy tasks")]


def of_queue(name: str, metric: str) -> Json:
    return of_metric("AWS/SQS", metric, {"QueueName": name}, "Maximum")


def of_metric(namespace: str, metric: str, of: Mapping[str, object], statistic: str) -> Json:
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": dimensions(of),
        "Statistic": statistic,
        "Period": PERIOD_SECONDS,
    }


def operational(role: str, service: str, bounds: Scaling | Worker) -> dict[str, Json]:
    """What somebody should look at, whether or not a release is under way."""
    min_tasks = min(bounds.min_tasks, *(change.min_tasks for change in bounds.scheduled), bounds.max_tasks)
    resources = {
        logical(role, "high", use, "alarm"): alarm_resource(
            f"{service}-high-{use}",
            f"{use} of {service} is at {HIGH_PERCENT} % or above, in spite of scaling",
            of_metric("AWS/ECS", f"{use}Utilization", of_service(service), "Average"),
            HIGH_PERCENT,
            HIGH_MINUTES,
        )
        for use in ("CPU", "Memory")
    }
    if min_tasks:
        few = alarm_resource(
            f"{service}-few-tasks",
            f"Fewer tasks of {service} run than the {min_tasks} that should at least",
            of_metric("ECS/ContainerInsights", "RunningTaskCount", of_service(service), "Minimum"),
            min_tasks,
            FEW_TASKS_MINUTES,
            comparison="LessThanThreshold",
            missing="breaching",
        )
        resources[logical(role, "few", "tasks", "alarm")] = few
    return resources


def alarm_resource(
    name: str,
    description: str,
    watched: Json,
    threshold: float,
    minutes: int,
    *,
    comparison: str = "GreaterThanOrEqualToThreshold",
    missing: str = "notBreaching",
) -> Json:
    """`watched` is one metric's properties or `Metrics`. A count that nobody reports is no count, hence `missing`."""
    properties: Json = {
        "AlarmName": name,
        "AlarmDescription": description,
        **watched,
        "Threshold": threshold,
        "ComparisonOperator": comparison,
        "EvaluationPeriods": minutes,
        "DatapointsToAlarm": minutes,
        "TreatMissingData": missing,
        "AlarmActions": [ref("AlarmTopicArn")],
        "OKActions": [ref("AlarmTopicArn")],
    }
    return resource("AWS::CloudWatch::Alarm", properties)
