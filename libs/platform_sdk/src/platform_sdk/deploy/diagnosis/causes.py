"""Rules that find the likely cause of a failed release in its evidence, from the most certain sign to the vaguest.

The stop codes, reasons and exit codes are those of "Amazon ECS stopped tasks error messages" and "View Amazon ECS
stopped task errors" (Amazon ECS Developer Guide); those of CodeDeploy are of "ErrorInformation" (CodeDeploy API
Reference); those of targets are of "Health checks for your target groups" (Elastic Load Balancing, Application Load
Balancers).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from platform_sdk.deploy.diagnosis.evidence import FIX_IT, SIDECAR, START_FAILURES, DeadTask, Evidence
from platform_sdk.deploy.render.task_definition import APP
from platform_sdk.deploy.state import ContainerState, given_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why it failed, and what to do. Neither text ends with a full stop."""

    cause: str
    remedy: str


EXIT_CODES: Final = {
    126: ("the command may not be executed (exit 126)", "check its file mode, and [commands] in platform.toml"),
    127: ("the command was not found (exit 127)", "correct [commands] in platform.toml or the image"),
    134: ("the app aborted (exit 134)", "see the last log lines"),
    139: ("the app crashed in native code (exit 139)", "check which compiled libraries changed in its lock file"),
    143: ("the app was stopped by SIGTERM before it served", "see the events below"),
}

ERROR_LINE: Final = re.compile(r"^\s*(?:[\w.]+(?:Error|Exception|Failure|Settings|Interrupt)\b.*|error: .*)$")


def cause_of(evidence: Evidence) -> Cause:
    """Return the first cause that a rule finds."""
    found = (rule(evidence) for rule in RULES)
    return next(filter(None, found), None) or _unknown(evidence)


def _stopped_manually(evidence: Evidence) -> Cause | None:
    if evidence.deployment is None or evidence.deployment.error_code != "MANUAL_STOP" or evidence.repeated:
        return None
    latest = next((event for event in evidence.events if event.starts_nothing or event.starts_tasks), None)
    if latest is not None and latest.starts_nothing:
        return None
    return Cause(
        cause="somebody stopped the deployment",
        remedy="find out who: CloudTrail records `StopDeployment` with the name",
    )


def _migration_failed(evidence: Evidence) -> Cause | None:
    if evidence.refusal:
        none = _placement([evidence.refusal], evidence)
        return Cause(cause=f"the migration did not start: {none.cause}", remedy=none.remedy)
    if evidence.migration is None:
        return None
    dead = DeadTask(task=evidence.migration.task, logs=evidence.migration.logs)
    never = _never_started(dead, evidence)
    if never is not None:
        return Cause(cause=f"the migration did not start: {never.cause}", remedy=never.remedy)
    found = _ended_by_itself(dead, evidence)
    why = found.cause if found else "the migration's task stopped too early"
    return Cause(
        cause=f"the migration failed: {why}",
        remedy="no traffic has shifted. Correct the migration and release again. "
        "What it has committed stays, so it must be able to run a second time",
    )


def _tasks_never_started(evidence: Evidence) -> Cause | None:
    return _first_of(evidence, _never_started)


def _tasks_ended(evidence: Evidence) -> Cause | None:
    return _first_of(evidence, _ended_by_itself)


def _tasks_unhealthy(evidence: Evidence) -> Cause | None:
    return _first_of(evidence, _failed_a_health_check) or (of_targets(evidence) if evidence.unhealthy else None)


def _first_of(evidence: Evidence, judge: Callable[[DeadTask, Evidence], Cause | None]) -> Cause | None:
    return next(filter(None, (judge(dead, evidence) for dead in evidence.failed)), None)


def _never_started(dead: DeadTask, evidence: Evidence) -> Cause | None:
    containers = [f"{'' if each.name == APP else SIDECAR}{each.reason}" for each in dead.task.containers]
    # A container's reason says more than the task's, which does not say of which container it is.
    reasons = [*containers, dead.task.stopped_reason]
    if dead.task.stop_code != "TaskFailedToStart" and "Cannot" not in " ".join(reasons):
        return None
    cause = f"the task could not start: {given_reason(dead.task.stopped_reason)}"
    return start_failure(reasons, evidence) or Cause(cause=cause, remedy=FIX_IT)


def start_failure(reasons: Sequence[str], evidence: Evidence) -> Cause | None:
    """Return what one of AWS's reasons means, the first reason first."""
    expected = evidence.expected
    names = {
        "service": expected.service,
        "environment": expected.environment,
        "role": expected.execution_role,
        "group": expected.log_group,
        "arch": expected.architecture,
    }
    for reason in reasons:
        for pattern, cause, remedy in START_FAILURES:
            if re.search(pattern, reason, re.IGNORECASE):
                return Cause(cause=cause.format_map(names), remedy=remedy.format_map(names))
    return None


def tasks_not_placed(evidence: Evidence) -> Cause | None:
    """Return the cause from the service's events. Without capacity or addresses there is no task to look at."""
    reasons = not_placed(evidence)
    return _placement(reasons, evidence) if reasons else None


def not_placed(evidence: Evidence) -> list[str]:
    """Return why ECS started no task, the newest reason first."""
    return [event.message.partition(" For more information")[0] for event in evidence.events if event.starts_nothing]


def _placement(reasons: Sequence[str], evidence: Evidence) -> Cause:
    cause = f"ECS could not place a task: {reasons[0].rstrip('.')}"
    return start_failure(reasons, evidence) or Cause(cause=cause, remedy=FIX_IT)


def _ended_by_itself(dead: DeadTask, evidence: Evidence) -> Cause | None:
    container = culprit(dead)
    if container is None or _failed_a_health_check(dead, evidence):
        return None
    if container.name != APP:
        return Cause(
            cause=f"the sidecar {container.name} ended with {container.exit_code}, and the task with it",
            remedy=f"see its log lines in {evidence.expected.log_group}/sidecars",
        )
    if container.exit_code == 137 or "OutOfMemory" in container.reason:
        return _out_of_memory(container, evidence)
    if any("exec format error" in line for line in dead.logs):
        return Cause(
            cause=f"the image is not built for {evidence.expected.architecture}",
            remedy=f"build it for {evidence.expected.architecture}, or change task.architecture in platform.toml",
        )
    if container.exit_code in EXIT_CODES:
        cause, remedy = EXIT_CODES[container.exit_code]
        return Cause(cause=cause, remedy=remedy)
    return _crashed(container, dead, evidence)


def _out_of_memory(container: ContainerState, evidence: Evidence) -> Cause:
    memory = evidence.expected.memory_mib
    if "OutOfMemory" in container.reason:
        return Cause(
            cause=f"out of memory (exit 137): the task has {memory} MiB",
            remedy=f"raise task.memory_mib in platform.toml above {memory}, or find what uses it",
        )
    return Cause(
        cause=f"killed (exit 137), usually out of memory: task.memory_mib is {memory}",
        remedy="compare the service's memory graph with that limit; a task that ignores SIGTERM ends like this as well",
    )


def _crashed(container: ContainerState, dead: DeadTask, evidence: Evidence) -> Cause:
    line = next((line.strip() for line in reversed(dead.logs) if ERROR_LINE.match(line)), None)
    command = f"`platform logs {evidence.expected.service} --env {evidence.expected.environment}`"
    if line is None:
        return Cause(
            cause=f"the app ended with exit code {container.exit_code} soon after its start",
            remedy=f"see the last log lines below; {command} shows the rest"
            if dead.logs
            else f"it wrote nothing to its log; {command} shows lines that arrive late",
        )
    if "ModuleNotFoundError" in line:
        return Cause(cause=line, remedy="add the package to the service's dependencies and run `make lock`")
    if "InvalidSettings" in line or "variable" in line.lower():
        return Cause(cause=line, remedy="correct [environment] or [secrets] in platform.toml")
    return Cause(
        cause=f"{line} (exit {container.exit_code})", remedy=f"correct it; {command} shows the lines before it"
    )


def _failed_a_health_check(dead: DeadTask, evidence: Evidence) -> Cause | None:
    reason = dead.task.stopped_reason
    if "container health checks" in reason:
        return Cause(
            cause="the app did not answer its own health check in time",
            remedy="it may need longer to start (health_check.start_period_seconds) or more CPU (task.cpu)",
        )
    if "ELB health checks" in reason:
        return of_targets(evidence)
    return None


def of_targets(evidence: Evidence) -> Cause:
    """Return the cause that the load balancer reports for the new tasks."""
    expected = evidence.expected
    request = f"GET {expected.health_path} on port {expected.port}"
    target = next(iter(evidence.unhealthy), None)
    match target.reason if target else "":
        case "Target.ResponseCodeMismatch":
            description = given_reason(target.description if target else None)
            return Cause(
                cause=f"the load balancer sent {request} and did not get a 200: {description.rstrip('.')}",
                remedy="a readiness check answers 503 while it cannot reach its database; see the log lines",
            )
        case "Target.Timeout":
            return Cause(
                cause=f"the load balancer sent {request} and got no answer in time",
                remedy="check that the app listens on that port on 0.0.0.0 and has enough CPU; "
                "then health_check.timeout_seconds",
            )
        case "Target.FailedHealthChecks":
            return Cause(
                cause=f"the load balancer could not connect for {request}",
                remedy="check that the app listens on that port, and that the security groups admit the load balancer",
            )
        case _:
            return Cause(
                cause=f"the new tasks never became healthy: the load balancer sends {request}",
                remedy="see the log lines; health_check.grace_period_seconds gives them more time",
            )


def _hook_failed(evidence: Evidence) -> Cause | None:
    failed = next((event for event in evidence.lifecycle if event.status == "Failed"), None)
    if failed is None or failed.name not in evidence.expected.hooks:
        return None
    function = evidence.expected.hooks[failed.name]
    if failed.started_at and failed.ended_at and (failed.ended_at - failed.started_at).total_seconds() >= 3600:
        return Cause(
            cause=f"the hook {function} did not answer at {failed.name} within an hour",
            remedy="it must call PutLifecycleEventHookExecutionStatus; see in its log group why it did not",
        )
    message = f": {failed.message}" if failed.message else ""
    return Cause(
        cause=f"the hook {function} rejected the new tasks at {failed.name}{message}",
        remedy=f"see its log group /aws/lambda/{function}, or that of the platform's smoke test",
    )


def _alarm_fired(evidence: Evidence) -> Cause | None:
    stopped = evidence.deployment is not None and evidence.deployment.error_code == "ALARM_ACTIVE"
    by_alarm = evidence.worker and any("alarm" in event.message.lower() for event in evidence.events)
    if not stopped and not by_alarm:
        return None
    if not evidence.alarms:
        return Cause(
            cause="an alarm of the service fired while traffic shifted", remedy="see its history in CloudWatch"
        )
    alarm = evidence.alarms[0]
    return Cause(
        cause=f"the alarm {alarm.name} fired: {given_reason(alarm.reason, alarm.description)}",
        remedy="the new version causes it: see its log lines since the shift; "
        "the threshold is under [alarms] in platform.toml",
    )


def _reported_by_codedeploy(evidence: Evidence) -> Cause | None:
    deployment = evidence.deployment
    if deployment is None or not deployment.error_code:
        return None
    message = deployment.error_message.rstrip(".") or deployment.error_code
    match deployment.error_code:
        case "TIMEOUT":
            return Cause(
                cause=f"CodeDeploy gave up waiting: {message}",
                remedy="the new tasks never became steady; see the events and log lines below",
            )
        case "IAM_ROLE_MISSING" | "IAM_ROLE_PERMISSIONS":
            return Cause(
                cause=f"CodeDeploy lacks a permission: {message}",
                remedy=f"update its role: `platform apply {evidence.expected.service} "
                f"--env {evidence.expected.environment}`",
            )
        case "ELASTIC_LOAD_BALANCING_INVALID" | "ECS_UPDATE_ERROR" | "INVALID_ECS_SERVICE":
            return Cause(
                cause=f"service, target groups and listener do not fit together: {message}",
                remedy=f"`platform plan {evidence.expected.service} --env {evidence.expected.environment}` shows "
                "what was changed outside this tool",
            )
        case _:
            return Cause(cause=f"CodeDeploy says {deployment.error_code}: {message}", remedy="see the lines below")


def _unknown(evidence: Evidence) -> Cause:
    last = next((event.message for event in evidence.events), None)
    expected = evidence.expected
    return Cause(
        cause=f"AWS gave no reason; the service's last event: {last}" if last else "AWS gave no reason",
        remedy=f"`platform logs {expected.service} --env {expected.environment}` shows what the tasks wrote",
    )


def culprit(dead: DeadTask) -> ContainerState | None:
    """Return the container that failed: the app, if it did. Sidecars that end with it are no cause."""
    failed = [each for each in dead.task.containers if each.exit_code not in (None, 0)]
    return next((each for each in failed if each.name == APP), failed[0] if failed else None)


RULES: Final[tuple[Callable[[Evidence], Cause | None], ...]] = (
    _stopped_manually,
    _migration_failed,
    _tasks_never_started,
    _tasks_ended,
    _hook_failed,
    # An alarm counts tasks that fail a check; the check says why.
    _tasks_unhealthy,
    _alarm_fired,
    tasks_not_placed,
    _reported_by_codedeploy,
)
