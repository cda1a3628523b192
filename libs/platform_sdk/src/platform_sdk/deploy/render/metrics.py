"""CloudWatch's metric math, for alarms and for target tracking.

Either of the two target groups may be live, and both are while traffic shifts. So what is measured of requests is
measured of both, and an expression makes one figure of the two, which means the same before, during and after a shift.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from platform_sdk.contract import queue_name
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.names import COLOURS
from platform_sdk.deploy.render.cloudformation import Json, dimensions
from platform_sdk.deploy.render.stack_names import of_service, of_target_group, worker_service_name

PERIOD_SECONDS: Final = 60

Measure = Callable[[str, str, str, Mapping[str, object], str], Json]
"""Id, namespace, metric, dimensions and statistic to an entry of `Metrics`."""


def measured(name: str, namespace: str, metric: str, of: Mapping[str, object], statistic: str) -> Json:
    """As an alarm has it."""
    described: Json = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions(of)}
    stat: Json = {"Metric": described, "Period": PERIOD_SECONDS, "Stat": statistic}
    return {"Id": name, "MetricStat": stat, "ReturnData": False}


def tracked(name: str, namespace: str, metric: str, of: Mapping[str, object], statistic: str) -> Json:
    """As target tracking has it, which chooses the period itself."""
    described: Json = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions(of)}
    return {"Id": name, "MetricStat": {"Metric": described, "Stat": statistic}, "ReturnData": False}


def computed(expression: str, label: str) -> Json:
    return {"Id": "result", "Expression": expression, "Label": label, "ReturnData": True}


def between(name: str, expression: str) -> Json:
    """A figure that another expression uses."""
    return {"Id": name, "Expression": expression, "ReturnData": False}


def of_both(measure: Measure, metric: str, statistic: str, suffix: str = "") -> Iterator[Json]:
    """A metric of the load balancer, of both target groups: `blue` and `green`, with the suffix."""
    for colour in COLOURS:
        yield measure(f"{colour}{suffix}", "AWS/ApplicationELB", metric, of_target_group(colour), statistic)


def requests_per_task() -> list[Json]:
    """While traffic shifts, each group has a part of it on as many tasks as the other: the sum of the two is what one
    task has to bear when the shift is over, as it was before.
    """
    both = of_both(tracked, "RequestCountPerTarget", "Sum")
    return [*both, computed("FILL(blue, 0) + FILL(green, 0)", "Requests per task and minute")]


def backlog_per_task(spec: ServiceSpec, environment: Environment) -> list[Json]:
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
    return [*waiting, tasks, computed(expression, "Messages waiting per task")]
