"""How many tasks to start and to stop: numbers in, numbers out.

The rolling rules are those of AmazonECS/latest/developerguide/deployment-type-ecs.html, the circuit breaker's threshold
that of deployment-circuit-breaker.html.
"""

import math
from datetime import datetime, timedelta
from typing import Any, Final

from aws_simulator.ecs import life
from aws_simulator.ecs.state import Task, TaskSet
from aws_simulator.elbv2.health import Health

FIRST_PAUSE_SECONDS: Final = 10
LONGEST_PAUSE_SECONDS: Final = 300
BREAKER_AT_LEAST: Final = 3
BREAKER_AT_MOST: Final = 200


def to_start(one: TaskSet, live: int, now: datetime) -> int:
    """Tasks that keep failing are started at ever longer intervals."""
    if one.last_failure_at is not None and now - one.last_failure_at < pause(one):
        return 0
    return max(0, one.desired_count - live)


def pause(one: TaskSet) -> timedelta:
    rounds = min(one.failed_tasks // max(1, one.desired_count), 10)
    return timedelta(seconds=min(FIRST_PAUSE_SECONDS * 2**rounds, LONGEST_PAUSE_SECONDS))


def reason_to_replace(task: Task, healths: list[tuple[str, Health]], grace_seconds: int, now: datetime) -> str | None:
    """Why the scheduler stops a task that runs, in ECS's words; `healths` are by target group."""
    if task.started_at is None:
        return None
    in_grace = now - task.started_at < timedelta(seconds=grace_seconds)
    if not in_grace and any(one.health == "UNHEALTHY" and one.essential for one in task.containers):
        return "Task failed container health checks"
    for group, health in healths:
        if health.state == "unhealthy" and not in_grace:
            return f"Task failed ELB health checks in (target-group {group})"
    return None


def is_steady(one: TaskSet, tasks: list[Task], healths: list[Health], now: datetime) -> bool:
    """Whether all that is wanted runs and is healthy, and nothing else does."""
    return (
        len(tasks) == one.desired_count
        and all(life.is_healthy(task, now) for task in tasks)
        and all(health.state in ("healthy", "unused") for health in healths)
    )


def rolling_shares(
    desired: int, configuration: dict[str, Any], *, new_live: int, new_healthy: int, old_live: int
) -> tuple[int, int]:
    """How many tasks of the new revision and of the old ones there may be now."""
    ceiling = math.floor(desired * configuration.get("maximumPercent", 200) / 100)
    floor = math.ceil(desired * configuration.get("minimumHealthyPercent", 100) / 100)
    new = min(desired, max(new_live, ceiling - old_live))
    return new, max(0, min(old_live, floor - new_healthy))


def breaker_threshold(desired: int, configuration: dict[str, Any]) -> int:
    """How many failed tasks trip the circuit breaker."""
    given = configuration.get("deploymentCircuitBreaker", {}).get("thresholdConfiguration")
    if given and given["type"] == "COUNT":
        return int(given["value"])
    percent = given["value"] if given else 50
    count = math.ceil(desired * percent / 100)
    if given and given["type"] == "UNBOUNDED_PERCENT":
        return max(1, count)
    return min(max(count, BREAKER_AT_LEAST), BREAKER_AT_MOST)
