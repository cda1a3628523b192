"""Evidence about a failed release, read from AWS while it still has it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from platform_sdk.deploy.state import Alarm, Deployment, LifecycleEvent, ServiceEvent, TargetHealth, Task

NORMAL_ENDS = ("Scaling activity initiated by", "Task stopped by user")
"""Beginnings of `stoppedReason` of tasks that did not fail."""

NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\b\d+\b|\([^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTask:
    """A task of the new revision that stopped; `logs` are the last lines of its app."""

    task: Task
    logs: tuple[str, ...] = ()

    @property
    def has_failed(self) -> bool:
        """Whether the task ended by a failure of its own, not by scaling or a stop from outside."""
        if any(container.exit_code not in (None, 0) for container in self.task.containers):
            return not self.task.stopped_reason.startswith(NORMAL_ENDS)
        return not self.task.stopped_reason.startswith(NORMAL_ENDS) and self.task.stop_code != "UserInitiated"

    @property
    def signature(self) -> str:
        """Return the same text for tasks that failed in the same way: reasons without ids, and exit codes."""
        exits = ",".join(f"{each.name}={each.exit_code}" for each in self.task.containers if each.exit_code)
        return f"{self.task.stop_code}|{NUMBERS.sub('', self.task.stopped_reason).strip()}|{exits}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the release expected, as far as an explanation names it."""

    service: str
    environment: str
    memory_mib: int
    health_path: str
    port: int
    architecture: str
    execution_role: str
    log_group: str
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Lifecycle event to function name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The one-off task that changes the database, and the last lines that it wrote."""

    task: Task
    logs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What AWS shows of a failure. `repeated` counts new tasks that failed alike; `last_lines` are
    a new task's if none has failed by itself.
    """

    expected: Expected
    dead: tuple[DeadTask, ...] = ()
    repeated: int = 0
    last_lines: tuple[str, ...] = ()
    unhealthy: tuple[TargetHealth, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    events: tuple[ServiceEvent, ...] = ()
    lifecycle: tuple[LifecycleEvent, ...] = ()
    deployment: Deployment | None = None
    migration: Migration | None = None
    refusal: str = ""
    """Why ECS started no task for the migration, in its words; empty if it did."""
    worker: bool = False
    """The worker's rolling update failed, not the API's deployment."""

    @property
    def failed(self) -> tuple[DeadTask, ...]:
        return tuple(each for each in self.dead if each.has_failed)


# Why a task never started: AWS's reasons, and what they mean.

FIX_IT: Final = "fix what AWS names, then release again"
APPLY: Final = "update the service's stack with `platform apply {service} --env {environment}`"
ROUTES: Final = "check NAT gateways and endpoints of the private subnets: `platform plan --shared --env {environment}`"
NO_ROUTE: Final = r"(timeout|timed out|deadline|dial tcp|connect|signal: killed)"
NOT_ALLOWED: Final = r"(AccessDenied|access denied|denied:|not authorized|no basic auth|403)"
SIDECAR: Final = "sidecar: "
"""Stands before the reason of a container that is not the app."""
MISSING: Final = r"(not ?found|manifest unknown|does not exist|can't find|invalid parameters|invalid ssm)"

# Patterns of the reason why a task never ran, with cause and remedy, which may contain {role}, {group} and {arch}.
# The first that matches counts: what names one thing only comes before what several failures have in common.
START_FAILURES: Final[Sequence[tuple[str, str, str]]] = (
    (
        r"InsufficientFreeAddresses",
        "the private subnets have no free address for the task",
        "wait until other tasks end, or add subnets; a release needs addresses for twice the tasks for a while",
    ),
    (
        r"capacity is unavailable|RESOURCE:",
        "Fargate had no capacity for the task",
        "release again in a few minutes; if it fails again, see AWS's health page of the region",
    ),
    (
        r"reached the limit on the number of|configuration is above your limit",
        "the account's quota of Fargate is used up",
        "request a higher one in Service Quotas (AWS Fargate, On-Demand vCPU); a release needs it for twice the tasks",
    ),
    (
        r"being throttled",
        "ECS limits how fast the account starts tasks",
        "release again when fewer services start tasks at the same time",
    ),
    (
        rf"(logger args|log stream|log group).*{NOT_ALLOWED}",
        "ECS may not write to the log group {group}: {role} lacks a permission",
        APPLY,
    ),
    (
        rf"(logger args|log stream|log group).*{MISSING}",
        "the log group {group} does not exist",
        "create it again with `platform apply {service} --env {environment}`",
    ),
    (r"logger args", "the task could not reach CloudWatch Logs", ROUTES),
    (
        r"json key",
        "a secret does not have the JSON key that platform.toml names",
        "add the key to the secret, or correct [secrets] in platform.toml",
    ),
    (
        rf"ResourceInitializationError.*kms.*{NOT_ALLOWED}|ResourceInitializationError.*{NOT_ALLOWED}.*kms",
        "ECS may not decrypt a secret: {role} lacks a permission for its key",
        APPLY,
    ),
    (
        rf"ResourceInitializationError.*{NOT_ALLOWED}",
        "ECS may not read a secret or parameter: {role} lacks a permission",
        APPLY,
    ),
    (
        rf"ResourceInitializationError.*{MISSING}",
        "a secret or parameter that the task needs does not exist",
        "create it under the name in the message, then release again",
    ),
    (
        rf"ResourceInitializationError.*{NO_ROUTE}",
        "the task could not reach Secrets Manager, Parameter Store or ECR",
        ROUTES,
    ),
    (
        r"CannotPull.*(toomanyrequests|too many requests|rate limit)",
        "the registry limits how often its images are pulled",
        "wait an hour and release again; images in ECR have no such limit",
    ),
    (
        r"CannotPull.*no space left",
        "the image does not fit on the task's disk",
        "make the image smaller: Fargate gives a task 20 GiB",
    ),
    (
        rf"CannotPull.*public\.ecr\.aws.*{MISSING}|{SIDECAR}.*CannotPull.*{MISSING}",
        "the image of a sidecar is not in its public registry",
        "see its name in the message; the SDK's version defines it, so update the SDK or undo its update",
    ),
    (
        rf"CannotPull.*{NOT_ALLOWED}",
        "ECS may not pull the image: {role} lacks the permission to read the repository, or it does not exist",
        APPLY,
    ),
    (
        r"CannotPull.*(platform|exec format|no match)",
        "the image is not built for {arch}",
        "build it for {arch}, or change task.architecture in platform.toml",
    ),
    (
        rf"CannotPull.*{MISSING}",
        "the image is not in the registry",
        "push it with `platform build {service} --env {environment} --push`, then release again",
    ),
    (rf"CannotPull.*{NO_ROUTE}", "the task could not reach the registry", ROUTES),
    (
        r"executable file not found|no such file or directory|CannotStartContainer",
        "the command of platform.toml is not in the image",
        "correct [commands] in platform.toml or the image, and run the image locally",
    ),
)
