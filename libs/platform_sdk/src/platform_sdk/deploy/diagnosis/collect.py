"""Gathers evidence while a release goes on: ECS forgets a stopped task after an hour, and a log line needs its stream.

Each poll costs one call, and a few more for every task that died since the last one. Evidence is a service to the
reader: where AWS does not answer, less is known, and the release goes on.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.diagnosis.evidence import DeadTask, Evidence, Expected, Migration
from platform_sdk.deploy.diagnosis.explain import explain
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.evidence import Explanation, Watched
from platform_sdk.deploy.render.alarms import alarm_name
from platform_sdk.deploy.render.stack_names import hook_function_name, log_group, log_stream
from platform_sdk.deploy.render.task_definition import APP, Role, role_arn, size_of
from platform_sdk.deploy.state import Alarm, DeploymentTarget, LogLine, TargetHealth, Task

LOG_LINES: Final = 20
TASKS_READ: Final = 5
"""Of one role: their log lines are fetched. More of them say no more."""

Answer = TypeVar("Answer")


class AwsEvidence:
    """The EvidenceCollector of a release: remembers, by revision and stage, which tasks died, and their last words."""

    def __init__(self, aws: Aws, spec: ServiceSpec, environment: Environment) -> None:
        self.aws = aws
        self.spec = spec
        self.environment = environment
        self.dead: dict[tuple[str, str], dict[str, DeadTask]] = {}

    def observe(self, watched: Watched) -> tuple[str, ...]:
        """Reads the tasks that died since the last time; answers the signatures of those that failed."""
        if watched.stage != "migration":
            self.read_the_dead(watched)
        return tuple(dead.signature for dead in self.dead_of(watched).values() if dead.has_failed)

    def explain(self, watched: Watched) -> Explanation | None:
        """Asks once more for the dead, the targets' health, the alarms and the events, then judges."""
        evidence = self.of_migration(watched) if watched.stage == "migration" else self.of_service(watched)
        return None if evidence is None else explain(evidence)

    def dead_of(self, watched: Watched) -> dict[str, DeadTask]:
        return self.dead.setdefault((watched.stage, watched.revision), {})

    def read_the_dead(self, watched: Watched) -> None:
        known = self.dead_of(watched)
        nobody: tuple[Task, ...] = ()
        stopped = attempt(lambda: self.aws.ecs.tasks(watched.cluster, service=watched.service, stopped=True), nobody)
        for task in stopped:
            if task.task_definition != watched.revision:
                continue
            # Log lines arrive some seconds after a task has ended.
            if task.arn not in known or (known[task.arn].has_failed and not known[task.arn].logs):
                known[task.arn] = DeadTask(task=task, logs=self.logs_of(task, watched))

    def of_migration(self, watched: Watched) -> Evidence | None:
        task = attempt(lambda: self.aws.ecs.task(watched.cluster, watched.task), None)
        if task is None:
            return None
        migration = Migration(task=task, logs=self.logs_of(task, watched))
        return Evidence(expected=self.expected(watched), migration=migration)

    def of_service(self, watched: Watched) -> Evidence:
        failed = self.observe(watched)
        service = attempt(lambda: self.aws.ecs.service(watched.cluster, watched.service), None)
        events = tuple(event for event in (service.events if service else ()) if event.at >= watched.since)
        deployment = target = None
        if watched.deployment_id:
            deployment = attempt(lambda: self.aws.codedeploy.deployment(watched.deployment_id), None)
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
        """What an alarm or a hook saw may be written there."""
        nobody: tuple[Task, ...] = ()
        running = attempt(lambda: self.aws.ecs.tasks(watched.cluster, service=watched.service, stopped=False), nobody)
        new = [task for task in running if task.task_definition == watched.revision]
        ended = [dead.task for dead in self.dead_of(watched).values()]
        return next(filter(None, (self.logs_of(task, watched) for task in [*new, *ended][:TASKS_READ])), ())

    def target(self, watched: Watched) -> DeploymentTarget | None:
        nothing: DeploymentTarget | None = None
        ask = self.aws.codedeploy.target
        return attempt(lambda: ask(watched.deployment_id, watched.cluster, watched.service), nothing)

    def logs_of(self, task: Task, watched: Watched) -> tuple[str, ...]:
        if sum(1 for dead in self.dead_of(watched).values() if dead.logs) >= TASKS_READ:
            return ()
        group = log_group(self.spec, self.environment)
        since: datetime = (task.created_at or watched.since) - timedelta(minutes=1)
        streams = (log_stream(self.spec, role_of(watched), APP, task.id),)
        nothing: tuple[LogLine, ...] = ()
        lines = attempt(lambda: self.aws.logs.lines(group, streams=streams, since=since, most=LOG_LINES), nothing)
        return tuple(line.text for line in lines)

    def unhealthy(self, watched: Watched) -> tuple[TargetHealth, ...]:
        nobody: tuple[TargetHealth, ...] = ()
        if not watched.target_group:
            return nobody
        health = attempt(lambda: self.aws.load_balancing.health(watched.target_group), nobody)
        return tuple(each for each in health if each.state == "unhealthy")

    def alarms(self, watched: Watched) -> tuple[Alarm, ...]:
        """Those in ALARM of the ones that take a release of the role back: alarms of queues are the worker's."""
        of_worker = watched.stage == "worker"
        rolling_back = [each for each in self.spec.alarms if each.roll_back and (each.queue is not None) == of_worker]
        names = [alarm_name(each, self.spec, self.environment) for each in rolling_back]
        none: dict[str, Alarm] = {}
        found = attempt(lambda: self.aws.alarms.alarms(names), none) if names else none
        return tuple(found[name] for name in names if name in found and found[name].state == "ALARM")

    def expected(self, watched: Watched) -> Expected:
        spec, environment = self.spec, self.environment
        return Expected(
            service=spec.name,
            environment=environment.name,
            memory_mib=size_of(spec, role_of(watched))[1],
            health_path=f"{spec.path}{spec.health_check.path}",
            port=spec.port,
            architecture=spec.task.architecture,
            execution_role=role_arn(spec, environment, "execution").rsplit("/", 1)[-1],
            log_group=log_group(spec, environment),
            hooks={event: hook_function_name(environment, hook) for event, hook in spec.hooks.items()},
        )


def role_of(watched: Watched) -> Role:
    """A migration runs in a task of the API's revision."""
    return "worker" if watched.stage == "worker" else "api"


def attempt(ask: Callable[[], Answer], otherwise: Answer) -> Answer:
    try:
        return ask()
    except AwsCallFailed:
        return otherwise
