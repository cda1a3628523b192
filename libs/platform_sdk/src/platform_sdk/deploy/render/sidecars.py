"""The two containers beside an app: the CloudWatch agent takes its telemetry, the log router (FireLens) its logs."""

from typing import Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec

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
