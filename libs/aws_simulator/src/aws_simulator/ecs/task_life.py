"""One task from its request to its end, second by second: only its own state and the time decide.

States and reasons are those of DescribeTasks (docs.aws.amazon.com/AmazonECS/latest/developerguide:
task-lifecycle-explanation, stopped-task-error-codes).
"""

import math
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aws_simulator.ecs.state import Container, StopCode, Task, TaskSet
from aws_simulator.elbv2.state import Health, Listening

Happened = Literal["started", "stopping", "stopped"]

PROVISIONING_SECONDS: Final = 3
DEACTIVATING_SECONDS: Final = 1
STOPPING_SECONDS: Final = 5
DEPROVISIONING_SECONDS: Final = 3
KEPT: Final = timedelta(hours=1)
"""How long a stopped task can still be described."""

PROVEN: Final = timedelta(seconds=30)
"""How long a task without a health check must run before a deployment counts it as healthy."""

KILLED: Final = 137


def advance(task: Task, now: datetime) -> Happened | None:
    """Bring the task's state up to date, and return what just happened to it."""
    if task.last_status == "STOPPED":
        return None
    if task.stopping_at is not None:
        return wind_down(task, now)
    return start_up(task, now) if task.started_at is None else run(task, now)


def is_at_rest(task: Task) -> bool:
    """Return whether it stays as it is however much time passes."""
    if task.last_status == "STOPPED":
        return True
    settled = all(container.health != "UNKNOWN" for container in task.containers if has_health_check(container))
    dying = any(container.behaviour.dies for container in task.containers if container.essential)
    return task.wanted and task.started_at is not None and settled and not task.ends_by_itself and not dying


def has_health_check(container: Container) -> bool:
    return "healthCheck" in container.definition


def listening_at(task: Task, port: int) -> Listening:
    """Return where the container with this port listens, by its variables PORT and SERVICE_PATH."""
    container = next(
        one.definition
        for one in task.containers
        if any(mapping["containerPort"] == port for mapping in one.definition.get("portMappings", []))
    )
    variables = {each["name"]: each["value"] for each in container.get("environment", [])}
    return Listening(port=int(variables.get("PORT", port)), path=variables.get("SERVICE_PATH", ""))


def is_healthy(task: Task, now: datetime) -> bool:
    """Return whether ECS finds it healthy, without the load balancer. Without a check it must have run for a while."""
    checked = [container for container in task.containers if has_health_check(container)]
    if task.last_status != "RUNNING" or task.started_at is None:
        return False
    if not checked:
        return now - task.started_at >= PROVEN
    return all(container.health == "HEALTHY" for container in checked)


def start_up(task: Task, now: datetime) -> Happened | None:
    """Advance a task that does not run yet."""
    behaviour = task.subject.behaviour
    age = (now - task.created_at).total_seconds()
    if not task.has_address and age >= PROVISIONING_SECONDS:
        stop(task, now, "TaskFailedToStart", no_address(task))
        return "stopping"
    if behaviour.never_starts and age >= behaviour.start_seconds / 2:
        task.subject.reason = reason_for_not_starting(task.subject)
        stop(task, now, "TaskFailedToStart", task.subject.reason)
        return "stopping"
    if age >= behaviour.start_seconds:
        task.last_status, task.started_at = "RUNNING", now
        for container in task.containers:
            container.status = "RUNNING"
        return "started"
    if age >= PROVISIONING_SECONDS:
        task.last_status = "PENDING"
    return None


def no_address(task: Task) -> str:
    """Return ECS's words for a full subnet: AmazonECS/latest/developerguide/stopped-task-error-codes.html."""
    network = task.request.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    subnet = next(iter(network.get("subnets", ())), "subnet-0123456789abcdef0")
    return (
        f"Unexpected EC2 error while attempting to Create Network Interface in subnet '{subnet}': "
        "InsufficientFreeAddressesInSubnet"
    )


def reason_for_not_starting(container: Container) -> str:
    """Return ECS's words for a secret, or an image, that cannot be fetched."""
    if container.behaviour.kind == "no_secret":
        secret = next((one["valueFrom"] for one in container.definition.get("secrets", [])), "unknown")
        return (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            "failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch "
            f"secret {secret} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the "
            "specified secret."
        )
    return (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
        f"{container.image}: {container.image}: not found"
    )


def run(task: Task, now: datetime) -> Happened | None:
    """Advance a task that runs."""
    assert task.started_at is not None
    age = (now - task.started_at).total_seconds()
    for container in task.containers:
        watch(container, age)
    if task.ends_by_itself:
        return run_to_its_end(task, age, now)
    dying = next((one for one in task.containers if one.essential and one.behaviour.dies), None)
    if dying is not None and age >= dying.behaviour.dies_after_seconds:
        out_of_memory = dying.behaviour.kind == "out_of_memory"
        dying.reason = "OutOfMemoryError: Container killed due to memory usage" if out_of_memory else None
        exit_of(task, dying, KILLED if out_of_memory else dying.behaviour.exit_code, now)
        return "stopping"
    return None


def run_to_its_end(task: Task, age_seconds: float, now: datetime) -> Happened | None:
    """Advance a task whose command ends, such as a migration."""
    behaviour = task.subject.behaviour
    if age_seconds < behaviour.migration_seconds:
        return None
    exit_of(task, task.subject, behaviour.migration_exit_code, now)
    return "stopping"


def watch(container: Container, age_seconds: float) -> None:
    """Evaluate the task's own health check."""
    if not has_health_check(container):
        return
    check, behaviour = container.definition["healthCheck"], container.behaviour
    if behaviour.kind == "never_healthy" and behaviour.health_check == "container":
        deadline_seconds = check.get("startPeriod", 0) + check.get("interval", 30) * check.get("retries", 3)
        container.health = "UNHEALTHY" if age_seconds >= deadline_seconds else "UNKNOWN"
    elif age_seconds >= behaviour.healthy_after_seconds:
        container.health = "HEALTHY"


def exit_of(task: Task, container: Container, exit_code: int, now: datetime) -> None:
    """End an essential container; all others are stopped with it."""
    for other in task.containers:
        other.status, other.exit_code = "STOPPED", 0
    container.exit_code = exit_code
    task.exited = True
    stop(task, now, "EssentialContainerExited", "Essential container in task exited")


def stop(task: Task, now: datetime, code: StopCode, reason: str) -> None:
    """Ask a task to end; asking again changes nothing."""
    if task.stopping_at is None:
        task.stopping_at, task.stop_code, task.stopped_reason = now, code, reason


def wind_down(task: Task, now: datetime) -> Happened | None:
    """Advance a task that was asked to stop, or has ended."""
    assert task.stopping_at is not None
    age = (now - task.stopping_at).total_seconds()
    running = task.started_at is not None and not task.exited
    stopping_from = DEACTIVATING_SECONDS if running else 0
    deprovisioning_from = DEACTIVATING_SECONDS + STOPPING_SECONDS if running else 0
    if age >= deprovisioning_from + DEPROVISIONING_SECONDS:
        task.last_status, task.stopped_at = "STOPPED", now
        for container in task.containers:
            container.status = "STOPPED"
        return "stopped"
    if age >= deprovisioning_from:
        task.last_status = "DEPROVISIONING"
        for container in task.containers if running else ():
            container.status, container.exit_code = "STOPPED", 0
    else:
        task.last_status = "STOPPING" if age >= stopping_from else "DEACTIVATING"
    return None


def stream_of(task: Task, container: Container) -> tuple[str, str] | None:
    """Return the log group and stream that a container writes to, by its log driver.

    FireLens tags a container's lines `<container>-firelens-<task id>`, and its output puts the prefix before that."""
    logs = container.definition.get("logConfiguration", {})
    options = logs.get("options", {})
    match logs.get("logDriver"):
        case "awslogs":
            prefix = options.get("awslogs-stream-prefix", "ecs")
            return options["awslogs-group"], f"{prefix}/{container.name}/{task.id}"
        case "awsfirelens" if "log_group_name" in options:
            prefix = options.get("log_stream_prefix", "")
            return options["log_group_name"], f"{prefix}{container.name}-firelens-{task.id}"
        case _:
            return None


# How many tasks to start and to stop: numbers in, numbers out.
#
# The rolling rules are those of AmazonECS/latest/developerguide/deployment-type-ecs.html, the circuit breaker's
# threshold that of deployment-circuit-breaker.html.

FIRST_PAUSE_SECONDS: Final = 10
LONGEST_PAUSE_SECONDS: Final = 300
BREAKER_AT_LEAST: Final = 3
BREAKER_AT_MOST: Final = 200


def to_start(one: TaskSet, live: int, now: datetime) -> int:
    """Return how many tasks to start. Tasks that keep failing are started at ever longer intervals."""
    if one.last_failure_at is not None and now - one.last_failure_at < pause(one):
        return 0
    return max(0, one.desired_count - live)


def pause(one: TaskSet) -> timedelta:
    """Return how long ECS waits after a failed task before it starts another one."""
    rounds = min(one.failed_tasks // max(1, one.desired_count), 10)
    return timedelta(seconds=min(FIRST_PAUSE_SECONDS * 2**rounds, LONGEST_PAUSE_SECONDS))


def reason_to_replace(task: Task, healths: list[tuple[str, Health]], grace_seconds: int, now: datetime) -> str | None:
    """Return why the scheduler stops a running task, in ECS's words; `healths` are by target group."""
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
    """Return whether exactly the desired tasks run and are healthy."""
    return (
        len(tasks) == one.desired_count
        and all(is_healthy(task, now) for task in tasks)
        and all(health.state in ("healthy", "unused") for health in healths)
    )


def rolling_shares(
    desired: int, configuration: dict[str, Any], *, new_live: int, new_healthy: int, old_live: int
) -> tuple[int, int]:
    """Return how many tasks of the new revision and of the old ones may run now."""
    ceiling = math.floor(desired * configuration.get("maximumPercent", 200) / 100)
    floor = math.ceil(desired * configuration.get("minimumHealthyPercent", 100) / 100)
    new = min(desired, max(new_live, ceiling - old_live))
    return new, max(0, min(old_live, floor - new_healthy))


def breaker_threshold(desired: int, configuration: dict[str, Any]) -> int:
    """Return how many failed tasks trip the circuit breaker."""
    given = configuration.get("deploymentCircuitBreaker", {}).get("thresholdConfiguration")
    if given and given["type"] == "COUNT":
        return int(given["value"])
    percent = given["value"] if given else 50
    count = math.ceil(desired * percent / 100)
    if given and given["type"] == "UNBOUNDED_PERCENT":
        return max(1, count)
    return min(max(count, BREAKER_AT_LEAST), BREAKER_AT_MOST)
