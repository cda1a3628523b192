"""The ECS task definition of a service in an environment, as `ecs.register_task_definition` accepts it.

One small function per group of fields. The local stack starts its tasks from the same document.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, Literal

from platform_sdk.contract import LIVENESS_PATH, READINESS_PATH, Variable
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.tasks import StandaloneTask
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.names import Role, arn, family_of, role_name, schedule_name
from platform_sdk.deploy.render.variables import app_environment, app_secrets
from platform_sdk.errors import PlatformError

CLOUDWATCH_AGENT: Final = "cloudwatch-agent"
LOG_ROUTER: Final = "log-router"

CLOUDWATCH_AGENT_IMAGE: Final = "public.ecr.aws/cloudwatch-agent/cloudwatch-agent:1.300071.0b1720"
# Version 3 by its full number: the tag `stable` is still version 2, which is no longer maintained.
LOG_ROUTER_IMAGE: Final = "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.16"

LOG_ROUTER_USER: Final = "10002:10002"

# FireLens stops last. Fluent Bit has 30 s (`Grace`) to send what the app writes while it stops.
FLUSH_SECONDS: Final = 30
MAX_STOP_TIMEOUT_SECONDS: Final = 120


def _cloudwatch_agent(spec: ServiceSpec, environment: Environment, *, cpu: int, memory_mib: int) -> dict[str, object]:
    return {
        "name": CLOUDWATCH_AGENT,
        "image": CLOUDWATCH_AGENT_IMAGE,
        # The app works without telemetry: ECS restarts a failed agent, and the task goes on.
        "essential": False,
        "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60},
        "cpu": spec.sidecars.cloudwatch_agent.cpu_in(cpu),
        "memory": spec.sidecars.cloudwatch_agent.memory_mib_in(memory_mib),
        "memoryReservation": spec.sidecars.cloudwatch_agent.memory_mib_in(memory_mib) // 2,
        # The agent writes files below /opt/aws that belong to root: it needs root and a writable root file system, but
        # no capability. Its image has no shell, so there is no health check.
        "user": "0:1338",
        "readonlyRootFilesystem": False,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        "secrets": [
            {"name": "CW_CONFIG_CONTENT", "valueFrom": f"/platform/{environment.name}/{CLOUDWATCH_AGENT}"},
        ],
        "stopTimeout": FLUSH_SECONDS,
        "logConfiguration": to_cloudwatch(spec, environment, group="/sidecars", prefix="sidecar"),
    }


def _log_router(spec: ServiceSpec, environment: Environment, *, cpu: int, memory_mib: int) -> dict[str, object]:
    return {
        "name": LOG_ROUTER,
        "image": LOG_ROUTER_IMAGE,
        # Without the router, the task would run without logs.
        "essential": True,
        "cpu": spec.sidecars.log_router.cpu_in(cpu),
        "memory": spec.sidecars.log_router.memory_mib_in(memory_mib),
        "memoryReservation": spec.sidecars.log_router.memory_mib_in(memory_mib) // 2,
        # FireLens needs a user that no other container in the task has.
        "user": LOG_ROUTER_USER,
        "readonlyRootFilesystem": True,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        "firelensConfiguration": {
            "type": "fluentbit",
            "options": {
                "enable-ecs-log-metadata": "true",
                "config-file-type": "file",
                # From the image: it answers on port 2020, and flushes for up to 30 s when it stops.
                "config-file-value": "/fluent-bit/configs/output-metrics-healthcheck.conf",
            },
        },
        "healthCheck": {
            # Check that it runs, not that CloudWatch accepts logs: that would stop every task during an outage.
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
    """Send logs directly, without the log router.

    Without `non-blocking`, a slow CloudWatch would block the container. The default of ECS has changed before.
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

LOG_LINES_BUFFERED: Final = 16_384
"""Log lines that wait in memory while the router stalls: about 16 MiB at 1 KiB a line. The default is a million lines,
which would need more memory than the task has."""

CLOSING_SECONDS: Final = 5
"""What a stopping task needs after the drain delay, to answer its last requests and to close."""


class NoWorker(PlatformError):
    """The service has no worker."""


class StopTimeoutTooShort(PlatformError):
    """ECS would kill a stopping task before it has answered its last requests."""


class TaskDefinitionTooLarge(PlatformError):
    """The document exceeds the 64 KiB that ECS accepts."""


def render_task_definition(
    spec: ServiceSpec, environment: Environment, *, image: str, role: Role = "api"
) -> dict[str, object]:
    """Return the task definition of the API or the worker.

    Args:
        image: the image of the app, best with its digest. Its tag becomes SERVICE_VERSION.

    Raises:
        NoWorker: the role is worker, and the service has no `[worker]`.
        StopTimeoutTooShort: the drain delay of the environment leaves no time to close.
        TaskDefinitionTooLarge: the document exceeds the limit of ECS.
    """
    cpu, memory_mib = size_of(spec, role)
    container = app(spec, environment, image, role, cpu=cpu, memory_mib=memory_mib)
    family = family_of(spec, environment, role)
    return document_of(spec, environment, container, family=family, role=role, cpu=cpu, memory_mib=memory_mib)


def render_standalone_task(
    spec: ServiceSpec, environment: Environment, task: StandaloneTask, *, image: str
) -> dict[str, object]:
    """Return the task definition of a `[[tasks]]` entry: that of a worker, with a command that ends.

    The schedule in the service's stack refers to its family.

    Raises:
        StopTimeoutTooShort, TaskDefinitionTooLarge: as above.
    """
    container = {
        **app(spec, environment, image, "worker", cpu=task.cpu, memory_mib=task.memory_mib),
        "command": list(task.command),
        "logConfiguration": _app_logs(spec, environment, task.name),
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
    """Return the task definition around the container of the app, with the sidecars."""
    _refuse_short_stop(spec, environment)
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
        "containerDefinitions": [container, *_sidecars(spec, environment, cpu=cpu, memory_mib=memory_mib)],
        "tags": _tags(spec, environment, role),
    }
    _refuse_oversize(document, spec)
    return document


def size_of(spec: ServiceSpec, role: Role) -> tuple[int, int]:
    """Return CPU units and MiB."""
    if role == "api":
        return spec.task.cpu, spec.task.memory_mib
    if spec.worker is None:
        raise NoWorker(f"{spec.name} has no worker", hint="add [worker] to its platform.toml, or leave the role out")
    return spec.worker.cpu, spec.worker.memory_mib


def role_arn(spec: ServiceSpec, environment: Environment, purpose: Literal["execution", "task"]) -> str:
    """Return the ARN of a role of the service's stack."""
    return arn(environment, "iam", f"role/{role_name(environment.name, spec.name, purpose)}", regional=False)


def _sidecars(spec: ServiceSpec, environment: Environment, *, cpu: int, memory_mib: int) -> Iterator[Json]:
    if spec.sidecars.cloudwatch_agent.enabled:
        yield _cloudwatch_agent(spec, environment, cpu=cpu, memory_mib=memory_mib)
    if spec.sidecars.log_router.enabled:
        yield _log_router(spec, environment, cpu=cpu, memory_mib=memory_mib)


def app(
    spec: ServiceSpec, environment: Environment, image: str, role: Role, *, cpu: int, memory_mib: int
) -> dict[str, object]:
    """Return the app's container, with the CPU units and MiB that the sidecars leave of the task."""
    beside = (spec.sidecars.cloudwatch_agent, spec.sidecars.log_router)
    return {
        "name": APP,
        "image": image,
        "essential": True,
        # Sidecars have hard limits, so the rest is guaranteed to the app. Without a limit it may use more.
        "cpu": cpu - sum(sidecar.cpu_in(cpu) for sidecar in beside),
        "memoryReservation": memory_mib - sum(sidecar.memory_mib_in(memory_mib) for sidecar in beside),
        "command": list(spec.commands.api if role == "api" or spec.worker is None else spec.worker.command),
        **_confinement(),
        **(port_and_health(spec) if role == "api" else {}),
        "environment": app_environment(spec, environment, image, role),
        "secrets": app_secrets(spec, environment),
        "dependsOn": list(_dependencies(spec)),
        "stopTimeout": spec.task.stop_timeout_seconds,
        "logConfiguration": _app_logs(spec, environment, role),
    }


def _dependencies(spec: ServiceSpec) -> Iterator[Json]:
    if spec.sidecars.cloudwatch_agent.enabled:
        # The image of the agent has no shell for a health check.
        yield {"containerName": CLOUDWATCH_AGENT, "condition": "START"}
    if spec.sidecars.log_router.enabled:
        yield {"containerName": LOG_ROUTER, "condition": "HEALTHY"}


def _confinement() -> dict[str, object]:
    return {
        "user": APP_USER,
        "readonlyRootFilesystem": True,
        # Fargate has no tmpfs, so /tmp is an empty volume. The image declares it as a volume of its user.
        "mountPoints": [{"sourceVolume": TEMPORARY_FILES, "containerPath": "/tmp", "readOnly": False}],
        "linuxParameters": {
            # Process 1 ignores SIGTERM until it has a handler: without an init, a task stopped during its imports would
            # wait for SIGKILL. The init also reaps the processes of health checks, and passes on the exit code.
            "initProcessEnabled": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def port_and_health(spec: ServiceSpec) -> dict[str, object]:
    """Return what only an API has. A worker has no port to check.

    ECS replaces a worker that exits, and a worker that hangs raises the alarm on the age of its oldest message.
    """
    path = spec.health_check.path
    return {
        **({"dockerLabels": {HEALTH_CHECK_LABEL: path}} if path != READINESS_PATH else {}),
        "portMappings": [{"containerPort": spec.port, "hostPort": spec.port, "protocol": "tcp"}],
        "healthCheck": {
            "command": ["CMD", "python", "-c", health_program(spec)],
            "interval": 15,
            "timeout": 5,
            "retries": 3,
            "startPeriod": spec.health_check.start_period_seconds,
        },
    }


HEALTH_CHECK_LABEL: Final = "platform.health-check-path"
"""Of the app's container, where `health_check.path` is not the usual one: a rollback needs that of its revision."""


def served_path(document: Json) -> str | None:
    """Return SERVICE_PATH of a registered task definition; None where it has none."""
    variables = {each["name"]: each["value"] for each in _app_of(document).get("environment", ())}
    return variables.get(Variable.SERVICE_PATH)


def checked_path(document: Json) -> str | None:
    """Return the path by which the load balancer checks tasks of a registered task definition."""
    path = served_path(document)
    if path is None:
        return None
    return path + str(_app_of(document).get("dockerLabels", {}).get(HEALTH_CHECK_LABEL, READINESS_PATH))


def _app_of(document: Json) -> dict[str, Any]:
    """Return the container of the app; empty where there is none."""
    containers = document["containerDefinitions"]
    assert isinstance(containers, list), "containers are a list"
    return next((each for each in containers if each["name"] == APP), {})


def health_program(spec: ServiceSpec) -> str:
    """Check liveness, not readiness: ECS must not kill a task that waits for its database.

    http.client ignores proxy variables, unlike urllib.
    """
    return (
        "import http.client, sys; "
        f"connection = http.client.HTTPConnection('127.0.0.1', {spec.port}, timeout=4); "
        f"connection.request('GET', '{spec.path}{LIVENESS_PATH}'); "
        "sys.exit(connection.getresponse().status != 200)"
    )


def _app_logs(spec: ServiceSpec, environment: Environment, role: str) -> dict[str, object]:
    if not spec.sidecars.log_router.enabled:
        return to_cloudwatch(spec, environment, group="", prefix=role)
    return {
        "logDriver": "awsfirelens",
        "options": {
            "Name": "cloudwatch_logs",
            "region": environment.region,
            "log_group_name": f"/platform/{environment.name}/{spec.name}",
            "log_stream_prefix": f"{role}/",
            # The app writes JSON lines. Without other keys, Logs Insights finds their fields.
            "log_key": "log",
            "auto_create_group": "false",
            "log-driver-buffer-limit": str(LOG_LINES_BUFFERED),
        },
    }


def _tags(spec: ServiceSpec, environment: Environment, role: str) -> list[dict[str, str]]:
    values = {"environment": environment.name, "service": spec.name, "role": role}
    return [{"key": f"platform:{key}", "value": value} for key, value in values.items()]


def _refuse_short_stop(spec: ServiceSpec, environment: Environment) -> None:
    needed = environment.tasks.drain_delay_seconds + CLOSING_SECONDS
    if spec.task.stop_timeout_seconds < needed:
        raise StopTimeoutTooShort(
            f"task.stop_timeout_seconds of {spec.name} is {spec.task.stop_timeout_seconds}, below {needed}",
            because=f"a stopping task serves {environment.tasks.drain_delay_seconds} s longer in {environment.name}, "
            f"until the load balancer has removed it, and then needs {CLOSING_SECONDS} s to close",
            hint="raise task.stop_timeout_seconds, or leave it out",
        )


def _refuse_oversize(document: Json, spec: ServiceSpec) -> None:
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
