"""The status of a service on AWS: from what was observed to a few lines, each with a verdict."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from platform_sdk.deploy.plan.stack import is_placeholder
from platform_sdk.deploy.release.history import version_of
from platform_sdk.deploy.state import (
    EcsService,
    ScalableTarget,
    ServiceState,
    TargetHealth,
    TaskDefinition,
    given_reason,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a status. `is_well` is False if an operator should look at it."""

    subject: str
    text: str
    is_well: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What runs of one service in one environment, line by line."""

    service: str
    environment: str
    lines: tuple[Line, ...]

    @property
    def is_well(self) -> bool:
        return all(line.is_well for line in self.lines)

    def as_text(self) -> str:
        """Return the lines with an arrow behind each that needs attention."""
        head = f"{self.service} in {self.environment}"
        return "\n".join(
            [head, *(f"  {line.subject:<8}  {line.text}{'' if line.is_well else '   <--'}" for line in self.lines)]
        )

    def as_json(self) -> dict[str, object]:
        """Return the document of `platform status --json`."""
        lines = [{"subject": line.subject, "text": line.text, "is_well": line.is_well} for line in self.lines]
        return {"service": self.service, "environment": self.environment, "is_well": self.is_well, "lines": lines}


def status_of(
    service: str, environment: str, state: ServiceState, health: Mapping[str, tuple[TargetHealth, ...]]
) -> Status:
    """Return the status of a service. `health` is the health of the targets, by the ARN of their target group."""
    if state.stack is None:
        text = f"does not exist; `platform apply {service} --env {environment}` creates it"
        return Status(
            service=service, environment=environment, lines=(Line(subject="stack", text=text, is_well=False),)
        )
    return Status(service=service, environment=environment, lines=tuple(_lines_of(state, state.stack.status, health)))


def _lines_of(state: ServiceState, stack: str, health: Mapping[str, tuple[TargetHealth, ...]]) -> Iterator[Line]:
    yield Line(subject="stack", text=stack, is_well=stack.endswith("_COMPLETE") and "ROLLBACK" not in stack)
    if state.api is not None:
        yield tasks("api", state.api, state.api_revision)
    yield from traffic(state, health)
    if state.worker is not None:
        yield tasks("worker", state.worker, state.worker_revision)
    yield from one_version(state)
    yield from _scaling(state)
    if state.running_deployment is not None:
        running = state.running_deployment
        yield Line(subject="release", text=f"{running.id} {running.status} since {running.created_at:%H:%M}")
    firing = [alarm for alarm in state.alarms if alarm.state == "ALARM"]
    for alarm in firing:
        yield Line(subject="alarm", text=f"{alarm.name}: {given_reason(alarm.reason)}", is_well=False)
    if state.alarms and not firing:
        yield Line(subject="alarms", text=f"{len(state.alarms)} quiet")


def tasks(role: str, service: EcsService, revision: TaskDefinition | None) -> Line:
    """Count the tasks of the primary task set: the counts of an ECS service include the other one."""
    serving = service.primary or service
    running = f"{serving.running} of {serving.desired} tasks running"
    if revision is not None and is_placeholder(revision.family):
        what = "a placeholder answers 503" if role == "api" else "a placeholder does nothing"
        return Line(subject=role, text=f"{running}, not released yet: {what}", is_well=False)
    version = f", version {version_of(revision)}" if version_of(revision) else ""
    name = service.task_definition.rsplit("/", 1)[-1]
    return Line(subject=role, text=f"{running}, {name}{version}", is_well=serving.running >= serving.desired)


def one_version(state: ServiceState) -> Iterator[Line]:
    """Compare the versions of API and worker, which differ only during a release."""
    api, worker = version_of(state.api_revision), version_of(state.worker_revision)
    if api and worker and api != worker and state.running_deployment is None:
        yield Line(subject="version", text=f"the API runs {api}, the worker runs {worker}", is_well=False)


def traffic(state: ServiceState, health: Mapping[str, tuple[TargetHealth, ...]]) -> Iterator[Line]:
    """Yield each target group with production traffic, and how many of its targets are healthy.

    Only during a deployment two target groups share the traffic.
    """
    if state.production_rule is None:
        return
    names = {group.arn: group.name for group in state.target_groups}
    total = sum(state.production_rule.weights.values())
    shared = state.running_deployment is None and sum(1 for each in state.production_rule.weights.values() if each) > 1
    for arn, weight in sorted(state.production_rule.weights.items(), key=lambda pair: -pair[1]):
        if weight:
            targets = health.get(arn, ())
            healthy = sum(1 for target in targets if target.state == "healthy")
            text = f"{100 * weight / total:g} % to {names.get(arn, arn)}, {healthy} of {len(targets)} targets healthy"
            yield Line(subject="traffic", text=text, is_well=0 < healthy == len(targets) and not shared)


def _scaling(state: ServiceState) -> Iterator[Line]:
    for role, target in (("api", state.scaling), ("worker", state.worker_scaling)):
        if target is not None:
            yield Line(subject="scaling", text=f"{role}: {_bounds(target)}", is_well=is_free(target, state))


def _bounds(target: ScalableTarget) -> str:
    suspended = [
        word
        for word, is_suspended in (
            ("in", target.suspended.scale_in),
            ("out", target.suspended.scale_out),
            ("scheduled", target.suspended.scheduled),
        )
        if is_suspended
    ]
    return f"{target.min_tasks} to {target.max_tasks} tasks" + (
        f"; suspended: {', '.join(suspended)}" if suspended else ""
    )


def is_free(target: ScalableTarget, state: ServiceState) -> bool:
    """Return whether scaling is as it should be: suspended only while a release shifts traffic."""
    return not target.suspended.any or state.running_deployment is not None
