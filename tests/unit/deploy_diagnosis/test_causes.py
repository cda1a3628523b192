"""Each way to fail is named for what it is, with what to do."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platform_sdk.deploy.diagnosis.causes import cause_of
from platform_sdk.deploy.diagnosis.evidence import DeadTask, Evidence, Expected, Migration
from platform_sdk.deploy.state import (
    Alarm,
    ContainerState,
    Deployment,
    LifecycleEvent,
    ServiceEvent,
    TargetHealth,
    Task,
)

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/orders:1"
SIDECAR_IMAGE = "public.ecr.aws/cloudwatch-agent/cloudwatch-agent:1"
SECRETS = "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: "
STREAM = "ResourceInitializationError: failed to validate logger args: failed to create Cloudwatch log stream: "
RETRIED = "pull image manifest has been retried 1 time(s):"
EXPECTED = Expected(
    service="orders",
    environment="production",
    memory_mib=512,
    health_path="/orders/readyz",
    port=3000,
    architecture="arm64",
    execution_role="production-orders-execution",
    log_group="/platform/production/orders",
    hooks={"AfterAllowTestTraffic": "platform-production-smoke-test"},
)


def container(name: str = "app", exit_code: int | None = None, reason: str = "") -> ContainerState:
    return ContainerState(
        name=name, last_status="STOPPED", exit_code=exit_code, reason=reason, health="UNKNOWN", image_digest=""
    )


def task(*containers: ContainerState, code: str = "EssentialContainerExited", reason: str = "", id: str = "1") -> Task:
    return Task(
        arn=f"arn:aws:ecs:us-east-1:111122223333:task/platform-production/{id}",
        task_definition="arn:aws:ecs:us-east-1:111122223333:task-definition/production-orders:7",
        last_status="STOPPED",
        desired_status="STOPPED",
        started_by="ecs-svc/1",
        stop_code=code,
        stopped_reason=reason or "Essential container in task exited",
        health="UNKNOWN",
        containers=containers,
        private_address="10.20.1.7",
        created_at=NOW,
        stopped_at=NOW,
    )


def dead(*containers: ContainerState, logs: tuple[str, ...] = (), **how: str) -> DeadTask:
    return DeadTask(task=task(*containers, **how), logs=logs)


def deployment(**changes: Any) -> Deployment:
    values: Mapping[str, Any] = {
        "id": "d-1",
        "status": "Failed",
        "creator": "user",
        "description": "",
        "application": "production-orders",
        "group": "production-orders",
        "configuration": "",
        "created_at": NOW,
        "started_at": NOW,
        "completed_at": NOW,
        "error_code": "",
        "error_message": "",
        "rolled_back_by": "",
        "rolls_back": "",
        "rollback_message": "",
        "bake_minutes": 0,
    }
    return Deployment(**{**values, **changes})


def of(*tasks: DeadTask, **more: Any) -> Evidence:
    return Evidence(expected=EXPECTED, dead=tasks, **more)


@pytest.mark.parametrize(
    ("reason", "cause", "remedy"),
    [
        # Messages as "Resolve Amazon ECS stopped task errors" (Amazon ECS Developer Guide) documents them.
        (
            f"CannotPullContainerError: {RETRIED} failed to resolve ref {IMAGE}: {IMAGE}: not found",
            "the image is not in the registry",
            "platform build orders",
        ),
        (
            f"CannotPullContainerError: {RETRIED} {IMAGE}: pull access denied, repository does not exist",
            "may not pull the image: production-orders-execution",
            "platform apply orders",
        ),
        (
            f"CannotPullContainerError: {RETRIED} failed to resolve ref {SIDECAR_IMAGE}: {SIDECAR_IMAGE}: not found",
            "image of a sidecar",
            "SDK",
        ),
        ("CannotPullContainerError: no match for platform in manifest", "not built for arm64", "task.architecture"),
        (
            "CannotPullContainerError: ref pull has been retried 5 time(s): dial tcp 1.2.3.4:443: i/o timeout",
            "could not reach the registry",
            "NAT",
        ),
        (
            "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit",
            "limits how often",
            "wait",
        ),
        ("CannotPullContainerError: write /var/lib/containerd: no space left on device", "does not fit", "smaller"),
        (
            f"{SECRETS}retrieved secret from Secrets Manager did not contain json key password",
            "JSON key",
            "[secrets]",
        ),
        (
            f"{SECRETS}ResourceNotFoundException: Secrets Manager can't find the specified secret.",
            "secret or parameter that the task needs does not exist",
            "create",
        ),
        (
            f"{SECRETS}service call has been retried 1 time(s): invalid parameters: /platform/x",
            "secret or parameter that the task needs does not exist",
            "create",
        ),
        (
            f"{SECRETS}AccessDeniedException: User is not authorized to perform: secretsmanager:GetSecretValue",
            "may not read",
            "platform apply",
        ),
        (
            f"{SECRETS}AccessDeniedException: Access to KMS is not allowed",
            "may not decrypt",
            "platform apply",
        ),
        (
            f"{SECRETS}RequestError: send request failed caused by: dial tcp: context deadline exceeded",
            "could not reach Secrets Manager",
            "NAT",
        ),
        (
            "ResourceInitializationError: failed to validate logger args: : signal: killed",
            "could not reach CloudWatch Logs",
            "NAT",
        ),
        (
            f"{STREAM}ResourceNotFoundException: The specified log group does not exist. : exit status 1",
            "the log group /platform/production/orders does not exist",
            "create it again",
        ),
        (
            f"{STREAM}AccessDeniedException: User is not authorized to perform: logs:CreateLogStream",
            "may not write to the log group",
            "platform apply",
        ),
        ('CannotStartContainerError: exec: "orders": executable file not found in $PATH', "command", "[commands]"),
        (
            "Unexpected EC2 error while attempting to Create Network Interface: InsufficientFreeAddressesInSubnet",
            "no free address",
            "subnets",
        ),
        (
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
            "no capacity",
            "again",
        ),
        ("Something new", "could not start: Something new", "fix what AWS names"),
    ],
)
def test_a_task_that_could_not_start_is_explained(reason: str, cause: str, remedy: str) -> None:
    found = cause_of(of(dead(container(), code="TaskFailedToStart", reason=reason)))

    assert cause in found.cause
    assert remedy in found.remedy


def test_the_container_whose_image_is_missing_decides_whose_it_is() -> None:
    missing = "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found"
    of_app = dead(container(reason=missing), container("log-router"), code="TaskFailedToStart", reason="Task failed")
    of_router = dead(container(), container("log-router", reason=missing), code="TaskFailedToStart", reason=missing)

    assert cause_of(of(of_app)).cause == "the image is not in the registry"
    assert "image of a sidecar" in cause_of(of(of_router)).cause


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Capacity is unavailable at this time. Please try again later.", "Fargate had no capacity"),
        ("unexpected EC2 error: InsufficientFreeAddressesInSubnet", "no free address"),
        (
            "Something new.",
            "could not place a task: (service orders) was unable to place a task. Reason: Something new",
        ),
    ],
)
def test_a_task_that_was_not_placed_is_explained_by_the_services_events(reason: str, cause: str) -> None:
    event = ServiceEvent(at=NOW, message=f"(service orders) was unable to place a task. Reason: {reason}")

    assert cause in cause_of(of(events=(event,))).cause


@pytest.mark.parametrize(
    ("exit_code", "reason", "logs", "cause", "remedy"),
    [
        (137, "OutOfMemoryError: Container killed", (), "out of memory (exit 137): the task has 512 MiB", "memory_mib"),
        (137, "", (), "usually out of memory: task.memory_mib is 512", "memory graph"),
        (127, "", (), "exit 127", "[commands]"),
        (139, "", (), "native code", "lock"),
        (1, "", ("Traceback", "ModuleNotFoundError: No module named 'x'"), "No module named 'x'", "make lock"),
        (1, "", ("error: variable REDIS_URL is missing",), "REDIS_URL", "platform.toml"),
        (1, "", ("ValueError: no such table",), "ValueError: no such table (exit 1)", "platform logs orders"),
        (1, "", ("standard_init: exec format error",), "not built for arm64", "task.architecture"),
        (3, "", (), "exit code 3", "platform logs"),
    ],
)
def test_an_app_that_ended_is_explained(
    exit_code: int, reason: str, logs: tuple[str, ...], cause: str, remedy: str
) -> None:
    found = cause_of(of(dead(container(exit_code=exit_code, reason=reason), logs=logs)))

    assert cause in found.cause
    assert remedy in found.remedy


def test_the_sidecar_that_ended_first_is_named_unless_the_app_failed_too() -> None:
    router = container("log-router", 1)

    assert "sidecar log-router" in cause_of(of(dead(container(exit_code=0), router))).cause
    assert "exit code 2" in cause_of(of(dead(router, container(exit_code=2)))).cause


@pytest.mark.parametrize(
    ("reason", "description", "cause"),
    [
        ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]", "did not get a 200"),
        ("Target.Timeout", "Request timed out", "no answer in time"),
        ("Target.FailedHealthChecks", "Health checks failed", "could not connect"),
        ("", "", "never became healthy"),
    ],
)
def test_the_reason_of_the_load_balancer_is_named(reason: str, description: str, cause: str) -> None:
    health = TargetHealth(address="10.0.0.1", port=3000, state="unhealthy", reason=reason, description=description)
    lost = dead(container(exit_code=143), code="ServiceSchedulerInitiated", reason="Task failed ELB health checks in x")

    found = cause_of(of(lost, unhealthy=(health,)))

    assert cause in found.cause
    assert "GET /orders/readyz on port 3000" in found.cause


def test_a_container_that_fails_its_own_check_is_not_called_killed() -> None:
    lost = dead(
        container(exit_code=137), code="ServiceSchedulerInitiated", reason="Task failed container health checks"
    )

    assert "its own health check" in cause_of(of(lost)).cause


def hook(seconds: int, message: str = "") -> LifecycleEvent:
    return LifecycleEvent(
        name="AfterAllowTestTraffic",
        status="Failed",
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=seconds),
        message=message,
    )


def test_a_hook_that_rejected_and_one_that_did_not_answer_have_different_causes() -> None:
    failed = deployment(error_code="HOOK_EXECUTION_FAILURE")

    refused = cause_of(of(deployment=failed, lifecycle=(hook(5, "got 500"),)))
    silent = cause_of(of(deployment=failed, lifecycle=(hook(3600),)))

    assert "platform-production-smoke-test rejected the new tasks" in refused.cause
    assert "got 500" in refused.cause
    assert "did not answer" in silent.cause


def test_the_alarm_that_fired_is_named_with_its_reason() -> None:
    alarm = Alarm(
        name="production-orders-error-rate", state="ALARM", reason="12 % of answers", description="", updated_at=NOW
    )

    found = cause_of(of(deployment=deployment(error_code="ALARM_ACTIVE"), alarms=(alarm,)))

    assert "production-orders-error-rate fired: 12 % of answers" in found.cause


def test_a_failed_health_check_says_more_than_the_alarm_that_counts_such_tasks() -> None:
    alarm = Alarm(name="production-orders-unhealthy-tasks", state="ALARM", reason="", description="", updated_at=NOW)
    failed = dead(container(), code="ServiceSchedulerInitiated", reason="Task failed ELB health checks in x")

    found = cause_of(of(failed, deployment=deployment(error_code="ALARM_ACTIVE"), alarms=(alarm,)))

    assert "the new tasks never became healthy" in found.cause


def test_a_deployment_that_a_person_stopped_is_not_blamed_on_the_version() -> None:
    found = cause_of(of(deployment=deployment(error_code="MANUAL_STOP", status="Stopped")))

    assert "somebody stopped" in found.cause
    assert "CloudTrail" in found.remedy


def test_our_own_stop_after_repeated_failures_names_the_failure() -> None:
    crashed = dead(container(exit_code=1), logs=("KeyError: 'DATABASE'",))
    stopped = deployment(error_code="MANUAL_STOP", status="Stopped")

    assert "KeyError" in cause_of(of(crashed, repeated=3, deployment=stopped)).cause


def test_a_failed_migration_says_that_no_traffic_shifted() -> None:
    ended = task(container(exit_code=1))
    migration = Migration(task=ended, logs=("sqlalchemy.exc.ProgrammingError: column exists",))

    found = cause_of(of(migration=migration))

    assert found.cause.startswith("the migration failed: sqlalchemy.exc.ProgrammingError")
    assert "no traffic has shifted" in found.remedy


def test_a_migration_whose_task_could_not_start_is_not_to_be_corrected_itself() -> None:
    never = task(code="TaskFailedToStart", reason="CannotPullContainerError: orders: not found")

    found = cause_of(of(migration=Migration(task=never, logs=())))

    assert found.cause == "the migration did not start: the image is not in the registry"
    assert found.remedy.startswith("push it with `platform build orders --env production --push`")


def test_log_lines_are_promised_only_where_there_are_some() -> None:
    silent, noted = (cause_of(of(dead(container(exit_code=1), logs=logs))).remedy for logs in ((), ("starting",)))

    assert "below" in noted
    assert "wrote nothing" in silent


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("TIMEOUT", "gave up waiting"),
        ("IAM_ROLE_PERMISSIONS", "lacks a permission"),
        ("ELASTIC_LOAD_BALANCING_INVALID", "do not fit together"),
        ("INTERNAL_ERROR", "CodeDeploy says INTERNAL_ERROR"),
    ],
)
def test_without_other_signs_codedeploys_message_is_the_cause(code: str, cause: str) -> None:
    assert cause in cause_of(of(deployment=deployment(error_code=code, error_message="words."))).cause


def test_tasks_that_the_scheduler_ended_did_not_fail() -> None:
    ended = dead(
        container(exit_code=137),
        code="ServiceSchedulerInitiated",
        reason="Scaling activity initiated by (deployment x)",
    )

    assert not ended.has_failed
    assert cause_of(of(ended)).cause == "AWS gave no reason"


def test_the_last_event_is_better_than_nothing() -> None:
    event = ServiceEvent(at=NOW, message="(service orders) was unable to place a task")

    assert "unable to place a task" in cause_of(of(events=(event,))).cause


def test_tasks_that_ended_alike_have_one_signature_whatever_their_ids() -> None:
    one = dead(container(exit_code=1), id="0123456789abcdef", reason="Task failed (port 3000) after 12 s")
    other = dead(container(exit_code=1), id="fedcba9876543210", reason="Task failed (port 3001) after 15 s")

    assert one.signature == other.signature
    assert one.signature != dead(container(exit_code=2)).signature
