"""The ECS task definition of a service in an environment: exactly what `ecs.register_task_definition` accepts.

One small function per group of fields. What runs on the laptop is started from this document too: there is one
description of a task, not two.
"""

import json
from collections.abc import Iterator
from typing import Final, Literal

from platform_sdk.contract import LIVENESS_PATH
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.tasks import StandaloneTask
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.names import Role, family_of, schedule_name
from platform_sdk.deploy.render.variables import app_environment, app_secrets
from platform_sdk.errors import PlatformError

# The two containers beside an app: the CloudWatch agent takes its telemetry, the log router (FireLens) its logs.

CLOUDWATCH_AGENT: Final = "cloudwatch-agent"
LOG_ROUTER: Final = "log-router"

CLOUDWATCH_AGENT_IMAGE: Final = "public.ecr.aws/cloudwatch-agent/cloudwatch-agent:1.300071.0b1720"
# Version 3 by its full number: the tag `stable` still means version 2, which is no longer maintained.
LOG_ROUTER_IMAGE: Final = "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.16"

LOG_ROUTER_USER: Final = "10002:10002"

# FireLens stops last. Its configuration gives Fluent Bit 30 s (`Grace`) to send what the app wrote while stopping.
FLUSH_SECONDS: Final = 30
MAX_STOP_TIMEOUT_SECONDS: Final = 120


def cloudwatch_agent(spec: ServiceSpec, environment: Environment, *, cpu: int, memory_mib: int) -> dict[str, object]:
    return {
        "name": CLOUDWATCH_AGENT,
        "image": CLOUDWATCH_AGENT_IMAGE,
        # Without telemetry the app still serves; an agent that dies is started again, and never ends the task.
        "essential": False,
        "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60},
        "cpu": spec.sidecars.cloudwatch_agent.cpu_in(cpu),
        "memory": spec.sidecars.cloudwatch_agent.memory_mib_in(memory_mib),
        "memoryReservation": spec.sidecars.cloudwatch_agent.memory_mib_in(memory_mib) // 2,
        # It translates its configuration into files below /opt/aws that belong to root: it needs that user and a root
        # file system that it may write, and no capability of root's. The image holds no shell, so no health check.
        "user": "0:1338",
        "readonlyRootFilesystem": False,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        "secrets": [
            {"name": "CW_CONFIG_CONTENT", "valueFrom": f"/platform/{environment.name}/{CLOUDWATCH_AGENT}"},
        ],
        "stopTimeout": FLUSH_SECONDS,
        "logConfiguration": to_cloudwatch(spec, environment, group="/sidecars", prefix="sidecar"),
    }


def log_router(spec: ServiceSpec, environment: Environment, *, cpu: int, memory_mib: int) -> dict[str, object]:
    return {
        "name": LOG_ROUTER,
        "image": LOG_ROUTER_IMAGE,
        # A task whose router has died would go on without leaving a trace.
        "essential": True,
        "cpu": spec.sidecars.log_router.cpu_in(cpu),
        "memory": spec.sidecars.log_router.memory_mib_in(memory_mib),
        "memoryReservation": spec.sidecars.log_router.memory_mib_in(memory_mib) // 2,
        # FireLens asks that nobody else in the task has this user.
        "user": LOG_ROUTER_USER,
        "readonlyRootFilesystem": True,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        "firelensConfiguration": {
            "type": "fluentbit",
            "options": {
                "enable-ecs-log-metadata": "true",
                "config-file-type": "file",
                # Part of the image: answers on port 2020, and flushes for up to 30 s when it is stopped.
                "config-file-value": "/fluent-bit/configs/output-metrics-healthcheck.conf",
            },
        },
        "healthCheck": {
            # Whether it runs, not whether CloudWatch takes the logs: that check would stop every task in an outage.
            "command": ["CMD-SHELL", "curl -fsS http://127.0.0.1:2020/api/v1/uptime || exit 1"],
            "interval": 5,
            "timeout": 3,
            "retries": 6,
            "startPeriod": 10,
        },
        "startTimeout": 60,
        "stopTimeout": min(spec.task.stop_timeout_seconds + FLUSH_SECONDS, MAX_STOP_TIMEOUT_SECONDS),
        "logConfiguration": to_cloudwatch(spec, environment, group="/sidecars", prefix="sidecar"),
    }


def to_cloudwatch(spec: ServiceSpec, environment: Environment, *, group: str, prefix: str) -> dict[str, object]:
    """Straight, without the log router. Without `non-blocking` a slow CloudWatch would stop the container; ECS has
    changed the default before, so it is said here.
    """
    return {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": f"/platform/{environment.name}/{spec.name}{group}",
            "awslogs-region": environment.region,
            "awslogs-stream-prefix": prefix,
            "mode": "non-blocking",
            "max-buffer-size": "4m",
        },
    }


Json = dict[str, object]

APP: Final = "app"
APP_USER: Final = "10001:10001"
TEMPORARY_FILES: Final = "tmp"
MAX_BYTES: Final = 65_536

# The app's log lines that wait in its memory while the router stalls: about 16 MiB at 1 KiB a line. The option counts
# lines, not bytes, and its default of a million would cost the whole task.
LOG_LINES_BUFFERED: Final = 16_384

# What a stopping task needs after the drain delay, to answer its last requests and to close.
CLOSING_SECONDS: Final = 5


class NoWorker(PlatformError):
    """A worker's task definition of a service that has none."""


class StopTimeoutTooShort(PlatformError):
    """SIGKILL would come before a stopping task has answered its last requests."""


class TaskDefinitionTooLarge(PlatformError):
    """More than the 64 KiB that ECS registers."""


def render_task_definition(
    spec: ServiceSpec, environment: Environment, *, image: str, role: Role = "api"
) -> dict[str, object]:
    """Renders one of a service's two task definitions.

    Args:
        image: the app's image, best with its digest; its tag becomes SERVICE_VERSION.

    Raises:
        NoWorker: the role is worker and the service has no `[worker]`.
        StopTimeoutTooShort: the environment's drain delay leaves no time to close.
        TaskDefinitionTooLarge: the document is above ECS's limit.
    """
    cpu, memory_mib = size_of(spec, role)
    container = app(spec, environment, image, role, cpu=cpu, memory_mib=memory_mib)
    family = family_of(spec, environment, role)
    return document_of(spec, environment, container, family=family, role=role, cpu=cpu, memory_mib=memory_mib)


def render_standalone_task(
    spec: ServiceSpec, environment: Environment, task: StandaloneTask, *, image: str
) -> dict[str, object]:
    """Renders the task definition of a `[[tasks]]` entry: what a worker gets, with a command that comes to an end.

    Its family is what the schedule in the service's stack names.

    Raises:
        StopTimeoutTooShort, TaskDefinitionTooLarge: as above.
    """
    container = {
        **app(spec, environment, image, "worker", cpu=task.cpu, memory_mib=task.memory_mib),
        "command": list(task.command),
        "logConfiguration": app_logs(spec, environment, task.name),
    }
    family = schedule_name(environment.name, spec.name, task.name)
    return document_of(
        spec, environment, container, family=family, role=task.name, cpu=task.cpu, memory_mib=task.memory_mib
    )


def document_of(
    spec: ServiceSpec,
    environment: Environment,
    container: Json,
    *,
    family: str,
    role: str,
    cpu: int,
    memory_mib: int,
) -> Json:
    """Around the app's container: the task, and the sidecars."""
    refuse_short_stop(spec, environment)
    document: Json = {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": str(cpu),
        "memory": str(memory_mib),
        "runtimePlatform": {
            "cpuArchitecture": spec.task.architecture.upper(),
            "operatingSystemFamily": "LINUX",
        },
        "executionRoleArn": role_arn(spec, environment, "execution"),
        "taskRoleArn": role_arn(spec, environment, "task"),
        "volumes": [{"name": TEMPORARY_FILES}],
        "containerDefinitions": [container, *sidecars(spec, environment, cpu=cpu, memory_mib=memory_mib)],
        "tags": tags(spec, environment, role),
    }
    refuse_oversize(document, spec)
    return document


def size_of(spec: ServiceSpec, role: Role) -> tuple[int, int]:
    """CPU units and MiB."""
    if role == "api":
        return spec.task.cpu, spec.task.memory_mib
    if spec.worker is None:
        raise NoWorker(f"{spec.name} has no worker", hint="add [worker] to its platform.toml, or leave the role out")
    return spec.worker.cpu, spec.worker.memory_mib


def role_arn(spec: ServiceSpec, environment: Environment, purpose: Literal["execution", "task"]) -> str:
    name = f"{environment.name}-{spec.name}-{purpose}"
    return f"arn:{environment.partition}:iam::{environment.account_id}:role/{name}"


def sidecars(spec: ServiceSpec, environment: Environment, *, cpu: int, memory_mib: int) -> Iterator[Json]:
    if spec.sidecars.cloudwatch_agent.enabled:
        yield cloudwatch_agent(spec, environment, cpu=cpu, memory_mib=memory_mib)
    if spec.sidecars.log_router.enabled:
        yield log_router(spec, environment, cpu=cpu, memory_mib=memory_mib)


def app(
    spec: ServiceSpec, environment: Environment, image: str, role: Role, *, cpu: int, memory_mib: int
) -> dict[str, object]:
    beside = (spec.sidecars.cloudwatch_agent, spec.sidecars.log_router)
    return {
        "name": APP,
        "image": image,
        "essential": True,
        # Sidecars end at their hard limits, so that much is the app's for certain; without a limit of its own it may
        # take what they leave.
        "cpu": cpu - sum(sidecar.cpu_in(cpu) for sidecar in beside),
        "memoryReservation": memory_mib - sum(sidecar.memory_mib_in(memory_mib) for sidecar in beside),
        "command": command_of(spec, role),
        **confinement(),
        **(port_and_health(spec) if role == "api" else {}),
        "environment": app_environment(spec, environment, image, role),
        "secrets": app_secrets(spec, environment),
        "dependsOn": list(dependencies(spec)),
        "stopTimeout": spec.task.stop_timeout_seconds,
        "logConfiguration": app_logs(spec, environment, role),
    }


def dependencies(spec: ServiceSpec) -> Iterator[Json]:
    if spec.sidecars.cloudwatch_agent.enabled:
        # The agent's image holds no shell and nothing to ask it with, so nobody can wait for its health.
        yield {"containerName": CLOUDWATCH_AGENT, "condition": "START"}
    if spec.sidecars.log_router.enabled:
        yield {"containerName": LOG_ROUTER, "condition": "HEALTHY"}


def command_of(spec: ServiceSpec, role: Role) -> list[str]:
    return list(spec.commands.api if role == "api" or spec.worker is None else spec.worker.command)


def confinement() -> dict[str, object]:
    return {
        "user": APP_USER,
        "readonlyRootFilesystem": True,
        # Fargate has no tmpfs; an empty volume takes its place. The image declares /tmp as a volume of its user's.
        "mountPoints": [{"sourceVolume": TEMPORARY_FILES, "containerPath": "/tmp", "readOnly": False}],
        "linuxParameters": {
            # Without an init, SIGTERM is lost on a process 1 that has not installed its handlers yet: a task stopped
            # while it imports would wait for SIGKILL. The init also reaps what health checks leave behind. It passes
            # on the app's exit code, and the app handles SIGTERM itself, so a clean stop is still an exit with 0.
            "initProcessEnabled": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def port_and_health(spec: ServiceSpec) -> dict[str, object]:
    """Of an API only. A worker listens on nothing, and a command that merely starts beside it would prove nothing:
    ECS replaces a worker that exits, and one that hangs shows in the age of its queue's oldest message.
    """
    return {
        "portMappings": [{"containerPort": spec.port, "hostPort": spec.port, "protocol": "tcp"}],
        "healthCheck": {
            "command": ["CMD", "python", "-c", health_program(spec)],
            "interval": 15,
            "timeout": 5,
            "retries": 3,
            "startPeriod": spec.health_check.start_period_seconds,
        },
    }


def health_program(spec: ServiceSpec) -> str:
    """Asks for liveness, not readiness: a task that waits for its database must not be killed for it.

    http.client and not urllib, which would obey a proxy variable.
    """
    return (
        "import http.client, sys; "
        f"connection = http.client.HTTPConnection('127.0.0.1', {spec.port}, timeout=4); "
        f"connection.request('GET', '{spec.path}{LIVENESS_PATH}'); "
        "sys.exit(connection.getresponse().status != 200)"
    )


def app_logs(spec: ServiceSpec, environment: Environment, role: str) -> dict[str, object]:
    if not spec.sidecars.log_router.enabled:
        return to_cloudwatch(spec, environment, group="", prefix=role)
    return {
        "logDriver": "awsfirelens",
        "options": {
            "Name": "cloudwatch_logs",
            "region": environment.region,
            "log_group_name": f"/platform/{environment.name}/{spec.name}",
            "log_stream_prefix": f"{role}/",
            # The app writes JSON lines; sending the line alone keeps its fields where Logs Insights finds them.
            "log_key": "log",
            "auto_create_group": "false",
            "log-driver-buffer-limit": str(LOG_LINES_BUFFERED),
        },
    }


def tags(spec: ServiceSpec, environment: Environment, role: str) -> list[dict[str, str]]:
    values = {"environment": environment.name, "service": spec.name, "role": role}
    return [{"key": f"platform:{key}", "value": value} for key, value in values.items()]


def refuse_short_stop(spec: ServiceSpec, environment: Environment) -> None:
    needed = environment.tasks.drain_delay_seconds + CLOSING_SECONDS
    if spec.task.stop_timeout_seconds < needed:
        raise StopTimeoutTooShort(
            f"task.stop_timeout_seconds of {spec.name} is {spec.task.stop_timeout_seconds}, below {needed}",
            because=f"a stopping task serves {environment.tasks.drain_delay_seconds} s longer in {environment.name}, "
            f"while the load balancer takes it out, and then needs {CLOSING_SECONDS} s to close",
            hint="raise task.stop_timeout_seconds, or leave it out",
        )


def refuse_oversize(document: Json, spec: ServiceSpec) -> None:
    size = len(json.dumps(document, separators=(",", ":")).encode())
    if size <= MAX_BYTES:
        return
    largest = sorted(spec.environment, key=lambda name: len(spec.environment[name]), reverse=True)[:3]
    raise TaskDefinitionTooLarge(
        f"the task definition of {spec.name} takes {size} bytes, and ECS registers at most {MAX_BYTES}",
        because="the largest variables are "
        + ", ".join(f"{name} ({len(spec.environment[name].encode())} bytes)" for name in largest),
        hint="keep large values in Parameter Store or in the image",
    )
