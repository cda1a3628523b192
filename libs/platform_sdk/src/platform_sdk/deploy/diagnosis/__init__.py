"""Why a release failed: collect evidence from AWS, find a likely cause, and explain it.

    AWS ─▶ AwsEvidence ─▶ Evidence ─▶ causes ─▶ Explanation

A release calls AwsEvidence on every poll: ECS forgets a stopped task after an hour, and a log line needs its stream.
Each poll costs one call, and a few more for each task that failed since the last one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.aws import best_effort
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.diagnosis.causes import cause_of
from platform_sdk.deploy.diagnosis.evidence import DeadTask, Evidence, Expected, Migration
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.outcome import Explanation, Watched
from platform_sdk.deploy.render.alarms import alarm_name
from platform_sdk.deploy.render.names import Role, hook_function_name, log_group, log_stream
from platform_sdk.deploy.render.task_definition import APP, role_arn, size_of
from platform_sdk.deploy.state import (
    Alarm,
    DeploymentTarget,
    LogLine,
    ServiceEvent,
    TargetHealth,
    Task,
    given_reason,
)

TASKS_SHOWN: Final = 3
EVENTS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """Lines from AWS, under a title."""

    title: str
    lines: tuple[str, ...]


def explain(evidence: Evidence) -> Explanation:
    """Return the most likely cause with its remedy, and all evidence as lines for the reader."""
    found = cause_of(evidence)
    shown = tuple(line for exhibit in _exhibits(evidence) for line in (f"{exhibit.title}:", *_indented(exhibit)))
    return Explanation(what=_what_failed(evidence), cause=found.cause, remedy=found.remedy, evidence=shown)


def _what_failed(evidence: Evidence) -> str:
    service = evidence.expected.service
    if evidence.migration is not None or evidence.refusal:
        return f"the migration of {service} failed"
    if evidence.worker:
        return f"the worker of {service} could not be updated to the new version"
    return f"the new version of {service} could not serve the traffic"


def _indented(exhibit: Exhibit) -> Iterator[str]:
    return (f"  {line}" for line in exhibit.lines)


def _exhibits(evidence: Evidence) -> Iterator[Exhibit]:
    if evidence.migration is not None:
        yield _of_task("migration", DeadTask(task=evidence.migration.task, logs=evidence.migration.logs))
    yield from of_tasks(evidence)
    if evidence.last_lines:
        yield Exhibit(title="last lines of a new task", lines=tuple(f"| {line}" for line in evidence.last_lines))
    if evidence.unhealthy:
        yield Exhibit(
            title="targets, as the load balancer sees them",
            lines=tuple(
                f"{each.address}:{each.port} {each.state} {each.reason} {each.description}".rstrip()
                for each in evidence.unhealthy
            ),
        )
    if evidence.alarms:
        yield Exhibit(
            title="alarms", lines=tuple(f"{each.name}: {given_reason(each.reason)}" for each in evidence.alarms)
        )
    failed = [event for event in evidence.lifecycle if event.status == "Failed"]
    if failed:
        lines = tuple(f"{event.name} failed{f': {event.message}' if event.message else ''}" for event in failed)
        yield Exhibit(title="life cycle", lines=lines)
    deployment = evidence.deployment
    if deployment is not None and deployment.error_code:
        reasons = (f"{deployment.error_code}: {given_reason(deployment.error_message)}", deployment.rollback_message)
        yield Exhibit(title=f"CodeDeploy about {deployment.id}", lines=tuple(filter(None, reasons)))
    if evidence.refusal:
        yield Exhibit(title="ECS about RunTask", lines=(evidence.refusal,))
    if evidence.events:
        shown = shown_events(evidence.events)
        lines = tuple(f"{event.at:%H:%M:%S} {event.message}" for event in shown)
        yield Exhibit(title="events of the ECS service, newest first", lines=lines)


def shown_events(events: Sequence[ServiceEvent]) -> tuple[ServiceEvent, ...]:
    """Return the newest events, and the one that says why no task starts: a rollback adds newer ones."""
    newest = tuple(events[:EVENTS_SHOWN])
    why = next((event for event in events if event.starts_nothing), None)
    return newest if why is None or why in newest else (*newest[:-1], why)


def of_tasks(evidence: Evidence) -> Iterator[Exhibit]:
    """Yield one task for each way to fail."""
    kinds: dict[str, list[DeadTask]] = {}
    for dead in evidence.failed:
        kinds.setdefault(dead.signature, []).append(dead)
    for alike in list(kinds.values())[:TASKS_SHOWN]:
        others = f", and {len(alike) - 1} more like it" if len(alike) > 1 else ""
        yield _of_task(f"task {alike[0].task.id}{others}", next((each for each in alike if each.logs), alike[0]))


def _of_task(title: str, dead: DeadTask) -> Exhibit:
    return Exhibit(title=title, lines=(*_how_it_stopped(dead.task), *(f"| {line}" for line in dead.logs)))


def _how_it_stopped(task: Task) -> Iterator[str]:
    stopped = ": ".join(filter(None, (task.stop_code, task.stopped_reason)))
    yield stopped or f"{task.last_status}, not stopped"
    for container in task.containers:
        if container.exit_code or container.reason:
            code = "no exit code" if container.exit_code is None else f"exit {container.exit_code}"
            yield f"{container.name}: {code}{f', {container.reason}' if container.reason else ''}"


LOG_LINES: Final = 20
TASKS_READ: Final = 5
"""Failed tasks of one role whose log lines are read."""


class AwsEvidence:
    """The EvidenceCollector of a release. Keeps, by revision and stage, the stopped tasks and their last log lines."""

    def __init__(self, aws: Aws, spec: ServiceSpec, environment: Environment) -> None:
        self.aws = aws
        self.spec = spec
        self.environment = environment
        self.dead: dict[tuple[str, str], dict[str, DeadTask]] = {}

    def observe(self, watched: Watched) -> tuple[str, ...]:
        """Read the tasks that stopped since the last time. Return the signatures of those that failed."""
        if watched.stage != "migration":
            self.read_stopped_tasks(watched)
        return tuple(dead.signature for dead in self.dead_of(watched).values() if dead.has_failed)

    def explain(self, watched: Watched) -> Explanation | None:
        """Read stopped tasks once more, the targets' health, alarms and events, then find the cause."""
        evidence = self.of_migration(watched) if watched.stage == "migration" else self.of_service(watched)
        return None if evidence is None else explain(evidence)

    def dead_of(self, watched: Watched) -> dict[str, DeadTask]:
        return self.dead.setdefault((watched.stage, watched.revision), {})

    def read_stopped_tasks(self, watched: Watched) -> None:
        """Remember tasks that have stopped since the last call, because ECS soon forgets them."""
        known = self.dead_of(watched)
        no_tasks: tuple[Task, ...] = ()
        stopped = best_effort(
            lambda: self.aws.ecs.tasks(watched.cluster, service=watched.service, stopped=True), no_tasks
        )
        for task in filter(watched.includes, stopped):
            # Log lines arrive some seconds after a task has ended.
            if task.arn not in known or (known[task.arn].has_failed and not known[task.arn].logs):
                known[task.arn] = DeadTask(task=task, logs=self.logs_of(task, watched))

    def of_migration(self, watched: Watched) -> Evidence | None:
        """Return the evidence of a migration; None if ECS no longer knows its task."""
        if watched.refusal:
            return Evidence(expected=self.expected(watched), refusal=watched.refusal)
        task = best_effort(lambda: self.aws.ecs.task(watched.cluster, watched.task), None)
        if task is None:
            return None
        migration = Migration(task=task, logs=self.logs_of(task, watched))
        return Evidence(expected=self.expected(watched), migration=migration)

    def of_service(self, watched: Watched) -> Evidence:
        """Return the evidence of a deployment. What AWS refuses to show is left out."""
        failed = self.observe(watched)
        service = best_effort(lambda: self.aws.ecs.service(watched.cluster, watched.service), None)
        events = service.events_of(watched.since) if service else ()
        deployment = target = None
        if watched.deployment_id:
            deployment = best_effort(lambda: self.aws.codedeploy.deployment(watched.deployment_id), None)
            target = self.target(watched)
        return Evidence(
            expected=self.expected(watched),
            dead=tuple(self.dead_of(watched).values()),
            repeated=max((failed.count(signature) for signature in failed), default=0),
            last_lines=() if failed else self.last_lines(watched),
            unhealthy=self.unhealthy(watched),
            alarms=self.alarms(watched),
            events=events,
            lifecycle=target.lifecycle if target else (),
            deployment=deployment,
            worker=watched.stage == "worker",
        )

    def last_lines(self, watched: Watched) -> tuple[str, ...]:
        """Return the last lines of a new task. They may show what an alarm or a hook saw."""
        no_tasks: tuple[Task, ...] = ()
        running = best_effort(
            lambda: self.aws.ecs.tasks(watched.cluster, service=watched.service, stopped=False), no_tasks
        )
        new = filter(watched.includes, running)
        ended = [dead.task for dead in self.dead_of(watched).values()]
        return next(filter(None, (self.logs_of(task, watched) for task in [*new, *ended][:TASKS_READ])), ())

    def target(self, watched: Watched) -> DeploymentTarget | None:
        """Return the deployment's target with its lifecycle events; None if AWS does not answer."""
        nothing: DeploymentTarget | None = None
        read = self.aws.codedeploy.target
        return best_effort(lambda: read(watched.deployment_id, watched.cluster, watched.service), nothing)

    def logs_of(self, task: Task, watched: Watched) -> tuple[str, ...]:
        """Return the last lines that the app wrote in a task. Empty after the first few tasks."""
        if sum(1 for dead in self.dead_of(watched).values() if dead.logs) >= TASKS_READ:
            return ()
        group = log_group(self.spec, self.environment)
        since: datetime = (task.created_at or watched.since) - timedelta(minutes=1)
        streams = (log_stream(self.spec, role_of(watched), APP, task.id),)
        nothing: tuple[LogLine, ...] = ()
        lines = best_effort(lambda: self.aws.logs.lines(group, streams=streams, since=since, most=LOG_LINES), nothing)
        return tuple(line.text for line in lines)

    def unhealthy(self, watched: Watched) -> tuple[TargetHealth, ...]:
        """Return the targets that the load balancer calls unhealthy, with its reasons."""
        unknown: tuple[TargetHealth, ...] = ()
        if not watched.target_group:
            return unknown
        health = best_effort(lambda: self.aws.load_balancing.health(watched.target_group), unknown)
        return tuple(each for each in health if each.state == "unhealthy")

    def alarms(self, watched: Watched) -> tuple[Alarm, ...]:
        """Return those in ALARM that roll back a release of the role: alarms of queues are the worker's."""
        of_worker = watched.stage == "worker"
        rolling_back = [each for each in self.spec.alarms if each.roll_back and (each.queue is not None) == of_worker]
        names = [alarm_name(each, self.spec, self.environment) for each in rolling_back]
        none: dict[str, Alarm] = {}
        found = best_effort(lambda: self.aws.alarms.alarms(names), none) if names else none
        return tuple(found[name] for name in names if name in found and found[name].state == "ALARM")

    def expected(self, watched: Watched) -> Expected:
        """Return what the evidence is compared with: sizes, paths and names from platform.toml."""
        spec, environment = self.spec, self.environment
        return Expected(
            service=spec.name,
            environment=environment.name,
            memory_mib=size_of(spec, role_of(watched) if spec.worker else "api")[1],
            health_path=f"{spec.path}{spec.health_check.path}",
            port=spec.port,
            architecture=spec.task.architecture,
            execution_role=role_arn(spec, environment, "execution").rsplit("/", 1)[-1],
            log_group=log_group(spec, environment),
            hooks={event: hook_function_name(environment, hook) for event, hook in spec.hooks.items()},
        )


def role_of(watched: Watched) -> Role:
    """Return the role of a task. A migration runs in a task of the API's revision."""
    return "worker" if watched.stage == "worker" else "api"
