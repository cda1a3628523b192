"""One CloudWatch dashboard per service: requests, tasks, queues and the latest errors."""

import json
from typing import Final

from platform_sdk.contract import dead_letter_queue_name, queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.cloudformation import Json, resource, sub
from platform_sdk.deploy.render.names import COLOURS, log_group, service_name, target_group, worker_service_name

WIDTH: Final = 12
HEIGHT: Final = 6


def dashboard(spec: ServiceSpec, environment: Environment) -> dict[str, Json]:
    widgets = [
        *of_requests(environment),
        *of_tasks(spec, environment),
        *of_queues(spec, environment),
        errors(spec, environment),
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


def graph(title: str, metrics: list[list[object]], environment: Environment, statistic: str) -> Json:
    properties = {
        "title": title,
        "region": environment.region,
        "stat": statistic,
        "period": 60,
        "view": "timeSeries",
        "metrics": metrics,
    }
    return {"type": "metric", "properties": properties}


def of_requests(environment: Environment) -> list[Json]:
    return [
        graph("Requests", graphs_of_both("RequestCount"), environment, "Sum"),
        graph("Answers with 5xx", graphs_of_both("HTTPCode_Target_5XX_Count"), environment, "Sum"),
        graph("Time to answer, p99, seconds", graphs_of_both("TargetResponseTime"), environment, "p99"),
        graph("Healthy tasks", graphs_of_both("HealthyHostCount"), environment, "Minimum"),
    ]


def graphs_of_both(metric: str) -> list[list[object]]:
    balancer = ["AWS/ApplicationELB", metric, "LoadBalancer", "${LoadBalancerFullName}", "TargetGroup"]
    groups = {colour: f"${{{target_group(colour)}.TargetGroupFullName}}" for colour in COLOURS}
    return [[*balancer, group, {"label": colour}] for colour, group in groups.items()]


def of_tasks(spec: ServiceSpec, environment: Environment) -> list[Json]:
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
        graph(title, [[*metric, *dimensions] for dimensions in of], environment, "Average")
        for title, metric in graphs.items()
    ]


def of_queues(spec: ServiceSpec, environment: Environment) -> list[Json]:
    if not spec.queues:
        return []
    names = [queue_name(environment.name, queue.name) for queue in spec.queues]
    dead = [dead_letter_queue_name(environment.name, queue.name) for queue in spec.queues]
    waiting: list[list[object]] = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name] for name in [*names, *dead]
    ]
    ages: list[list[object]] = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name] for name in names]
    return [
        graph("Messages waiting", waiting, environment, "Maximum"),
        graph("Age of the oldest message, seconds", ages, environment, "Maximum"),
    ]


def errors(spec: ServiceSpec, environment: Environment) -> Json:
    query = f"SOURCE '{log_group(spec, environment)}' | filter level = 'error' | sort @timestamp desc | limit 50"
    properties = {"title": "Latest errors", "region": environment.region, "view": "table", "query": query}
    return {"type": "log", "properties": properties}
