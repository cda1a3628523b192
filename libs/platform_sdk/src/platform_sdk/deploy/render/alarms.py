"""CloudWatch alarms: those of platform.toml, some of which roll a release back, and those that every service has."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from platform_sdk.contract import dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.releases import Alarm
from platform_sdk.deploy.manifest.scaling import Scaling, Worker
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, dimensions, ref, resource, sub
from platform_sdk.deploy.render.names import (
    COLOURS,
    Colour,
    log_group,
    logical,
    of_service,
    of_target_group,
    service_name,
    target_group,
    worker_service_name,
)

# Metric math, for alarms and for target tracking. Either target group may be live, and both are while traffic shifts.
# So every request metric is read from both, and an expression turns the two into one figure that means the same
# before, during and after a shift.

PERIOD_SECONDS: Final = 60

Measure = Callable[[str, str, str, Mapping[str, object], str], Json]
"""Id, namespace, metric, dimensions and statistic to an entry of `Metrics`."""


def measured(name: str, namespace: str, metric: str, of: Mapping[str, object], statistic: str) -> Json:
    """Return the form of an alarm."""
    described: Json = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions(of)}
    stat: Json = {"Metric": described, "Period": PERIOD_SECONDS, "Stat": statistic}
    return {"Id": name, "MetricStat": stat, "ReturnData": False}


def tracked(name: str, namespace: str, metric: str, of: Mapping[str, object], statistic: str) -> Json:
    """Return the form of target tracking, which chooses the period itself."""
    described: Json = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions(of)}
    return {"Id": name, "MetricStat": {"Metric": described, "Stat": statistic}, "ReturnData": False}


def _computed(expression: str, label: str) -> Json:
    return {"Id": "result", "Expression": expression, "Label": label, "ReturnData": True}


def between(name: str, expression: str) -> Json:
    """Return an expression that only another expression uses."""
    return {"Id": name, "Expression": expression, "ReturnData": False}


def of_both(measure: Measure, metric: str, statistic: str, suffix: str = "") -> Iterator[Json]:
    """Yield a metric of the load balancer for both target groups, with the ids `blue` and `green` and the suffix."""
    for colour in COLOURS:
        yield measure(f"{colour}{suffix}", "AWS/ApplicationELB", metric, of_target_group(colour), statistic)


def requests_per_task() -> list[Json]:
    """Return the sum of both target groups' requests per task.

    While traffic shifts, both groups have as many tasks: the sum is the load of one task once the shift is complete.
    """
    both = of_both(tracked, "RequestCountPerTarget", "Sum")
    return [*both, _computed("FILL(blue, 0) + FILL(green, 0)", "Requests per task and minute")]


def backlog_per_task(spec: ServiceSpec, environment: Environment) -> list[Json]:
    """Return the queries of a metric for worker scaling: messages that wait in all queues, by running task."""
    waiting = [
        tracked(
            f"queue{number}",
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": queue_name(environment.name, queue.name)},
            "Maximum",
        )
        for number, queue in enumerate(spec.queues)
    ]
    tasks = tracked(
        "tasks",
        "ECS/ContainerInsights",
        "RunningTaskCount",
        of_service(worker_service_name(spec, environment)),
        "Average",
    )
    total = " + ".join(f"FILL({metric['Id']}, 0)" for metric in waiting)
    expression = f"({total}) / IF(FILL(tasks, 0) > 0, FILL(tasks, 1), 1)"
    return [*waiting, tasks, _computed(expression, "Messages waiting per task")]


# Below this, one failed request in a quiet minute would be a rate of 100 %.
MIN_REQUESTS_PER_MINUTE: Final = 10

HIGH_PERCENT: Final = 90
"""CPU or memory in use."""
HIGH_MINUTES: Final = 15
"""Long enough for scaling to have helped."""
FEW_TASKS_MINUTES: Final = 5


def alarms(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    """Return the alarms of `[alarms]`, and the operational ones that never roll back a release."""
    resources = {alarm_id(alarm): alarm_of(alarm, spec, environment) for alarm in spec.alarms}
    resources |= operational("", service_name(spec, environment), spec.scaling)
    if spec.worker is not None:
        resources |= operational("worker", worker_service_name(spec, environment), spec.worker)
    return resources


def alarm_id(alarm: Alarm) -> str:
    """Return the logical name of an alarm."""
    return logical(alarm.kind, *([alarm.queue] if alarm.queue else []), "alarm")


def alarm_name(alarm: Alarm, spec: ServiceSpec, environment: Environment) -> str:
    """Return a name such as `production-orders-error-rate`; an alarm of a queue has the queue's name in it."""
    words = [service_name(spec, environment), *([alarm.queue] if alarm.queue else []), alarm.kind.replace("_", "-")]
    return "-".join(words)


def alarm_of(alarm: Alarm, spec: ServiceSpec, environment: Environment) -> Json:
    """Return an alarm of platform.toml. It fires at its threshold or above, for its minutes in a row."""
    name = alarm_name(alarm, spec, environment)
    description, watched = watched_by(alarm, environment)
    return alarm_resource(
        name, f"{description} (alarms.{alarm.kind} of {spec.name})", watched, alarm.threshold, alarm.minutes
    )


def watched_by(alarm: Alarm, environment: Environment) -> tuple[str, Json]:
    """Return what the alarm measures: a description and its metric properties."""
    match alarm.kind:
        case "error_rate":
            return "Answers with 5xx, in percent, of the target group that has more of them", {"Metrics": error_rate()}
        case "latency_p99":
            return "Milliseconds within which 99 of 100 requests are answered", {"Metrics": _latency_p99()}
        case "unhealthy_tasks":
            return "Tasks that fail the load balancer's health check", {"Metrics": _unhealthy_tasks()}
        case "dead_letters":
            name = dead_letter_queue_name(environment.name, str(alarm.queue))
            return f"Messages in {name}", _of_queue(name, "ApproximateNumberOfMessagesVisible")
        case "queue_age":
            name = queue_name(environment.name, str(alarm.queue))
            return f"Seconds that the oldest message of {name} waits", _of_queue(name, "ApproximateAgeOfOldestMessage")


def error_rate() -> list[Json]:
    """Compare the groups one by one: in their sum, a canary of 10 % that fails every request would count as 10 %."""
    return [
        *of_both(measured, "RequestCount", "Sum", "_all"),
        *of_both(measured, "HTTPCode_Target_5XX_Count", "Sum", "_failed"),
        *(between(colour, _rate_of(colour)) for colour in COLOURS),
        _computed(_larger("blue", "green"), "Answers with 5xx, percent"),
    ]


def _rate_of(colour: Colour) -> str:
    rate = f"100 * FILL({colour}_failed, 0) / FILL({colour}_all, 1)"
    return f"IF(FILL({colour}_all, 0) >= {MIN_REQUESTS_PER_MINUTE}, {rate}, 0)"


def _latency_p99() -> list[Json]:
    both = of_both(measured, "TargetResponseTime", "p99")
    return [*both, _computed(f"1000 * {_larger('FILL(blue, 0)', 'FILL(green, 0)')}", "p99, milliseconds")]


def _larger(one: str, other: str) -> str:
    return f"IF({one} > {other}, {one}, {other})"


def _unhealthy_tasks() -> list[Json]:
    both = of_both(measured, "UnHealthyHostCount", "Maximum")
    return [*both, _computed("FILL(blue, 0) + FILL(green, 0)", "Unhealthy tasks")]


def _of_queue(name: str, metric: str) -> Json:
    return _of_metric("AWS/SQS", metric, {"QueueName": name}, "Maximum")


def _of_metric(namespace: str, metric: str, of: Mapping[str, object], statistic: str) -> Json:
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": dimensions(of),
        "Statistic": statistic,
        "Period": PERIOD_SECONDS,
    }


def operational(role: str, service: str, bounds: Scaling | Worker) -> dict[str, Json]:
    """Return the alarms that every service has, for an operator. None of them rolls a release back."""
    min_tasks = min(bounds.min_tasks, *(change.min_tasks for change in bounds.scheduled), bounds.max_tasks)
    resources = {
        logical(role, "high", use, "alarm"): alarm_resource(
            f"{service}-high-{use}",
            f"{use} of {service} is at {HIGH_PERCENT} % or above, in spite of scaling",
            _of_metric("AWS/ECS", f"{use}Utilization", of_service(service), "Average"),
            HIGH_PERCENT,
            HIGH_MINUTES,
        )
        for use in ("CPU", "Memory")
    }
    if min_tasks:
        few = alarm_resource(
            f"{service}-few-tasks",
            f"Fewer tasks of {service} run than the {min_tasks} that should at least",
            _of_metric("ECS/ContainerInsights", "RunningTaskCount", of_service(service), "Minimum"),
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
    """Return a CloudWatch alarm.

    watched: the properties of one metric, or `Metrics`.
    missing: what CloudWatch assumes for a minute without data.
    """
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


# One CloudWatch dashboard per service: requests, tasks, queues and the latest errors.

WIDTH: Final = 12
HEIGHT: Final = 6


def dashboard(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    """Return the CloudWatch dashboard of the service, two widgets a row."""
    widgets = [
        *_of_requests(environment),
        *_of_tasks(spec, environment),
        *_of_queues(spec, environment),
        _errors(spec, environment),
    ]
    placed = [
        {**widget, "x": place % 2 * WIDTH, "y": place // 2 * HEIGHT, "width": WIDTH, "height": HEIGHT}
        for place, widget in enumerate(widgets)
    ]
    properties: Json = {
        "DashboardName": service_name(spec, environment),
        "DashboardBody": sub(json.dumps({"widgets": placed}, indent=2)),
    }
    return {"Dashboard": resource("AWS::CloudWatch::Dashboard", properties)}


def _graph(title: str, metrics: list[list[object]], environment: Environment, statistic: str) -> Json:
    properties = {
        "title": title,
        "region": environment.region,
        "stat": statistic,
        "period": 60,
        "view": "timeSeries",
        "metrics": metrics,
    }
    return {"type": "metric", "properties": properties}


def _of_requests(environment: Environment) -> list[Json]:
    return [
        _graph("Requests", _graphs_of_both("RequestCount"), environment, "Sum"),
        _graph("Answers with 5xx", _graphs_of_both("HTTPCode_Target_5XX_Count"), environment, "Sum"),
        _graph("Time to answer, p99, seconds", _graphs_of_both("TargetResponseTime"), environment, "p99"),
        _graph("Healthy tasks", _graphs_of_both("HealthyHostCount"), environment, "Minimum"),
    ]


def _graphs_of_both(metric: str) -> list[list[object]]:
    balancer = ["AWS/ApplicationELB", metric, "LoadBalancer", "${LoadBalancerFullName}", "TargetGroup"]
    groups = {colour: f"${{{target_group(colour)}.TargetGroupFullName}}" for colour in COLOURS}
    return [[*balancer, group, {"label": colour}] for colour, group in groups.items()]


def _of_tasks(spec: ServiceSpec, environment: Environment) -> list[Json]:
    names = [service_name(spec, environment)]
    if spec.worker is not None:
        names.append(worker_service_name(spec, environment))
    graphs: dict[str, tuple[str, str]] = {
        "CPU, percent": ("AWS/ECS", "CPUUtilization"),
        "Memory, percent": ("AWS/ECS", "MemoryUtilization"),
        "Running tasks": ("ECS/ContainerInsights", "RunningTaskCount"),
    }
    of = [["ClusterName", "${ClusterName}", "ServiceName", name] for name in names]
    return [
        _graph(title, [[*metric, *dimensions] for dimensions in of], environment, "Average")
        for title, metric in graphs.items()
    ]


def _of_queues(spec: ServiceSpec, environment: Environment) -> list[Json]:
    if not spec.queues:
        return []
    names = [queue_name(environment.name, queue.name) for queue in spec.queues]
    dead = [dead_letter_queue_name(environment.name, queue.name) for queue in spec.queues]
    waiting: list[list[object]] = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name] for name in [*names, *dead]
    ]
    ages: list[list[object]] = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name] for name in names]
    return [
        _graph("Messages waiting", waiting, environment, "Maximum"),
        _graph("Age of the oldest message, seconds", ages, environment, "Maximum"),
    ]


def _errors(spec: ServiceSpec, environment: Environment) -> Json:
    query = f"SOURCE '{log_group(spec, environment)}' | filter level = 'error' | sort @timestamp desc | limit 50"
    properties = {"title": "Latest errors", "region": environment.region, "view": "table", "query": query}
    return {"type": "log", "properties": properties}
