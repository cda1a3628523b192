"""Puts a cause and what speaks for it into an explanation that a person can act on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from platform_sdk.deploy.diagnosis.causes import cause_of
from platform_sdk.deploy.diagnosis.evidence import DeadTask, Evidence
from platform_sdk.deploy.release.evidence import Explanation
from platform_sdk.deploy.state import Task

TASKS_SHOWN: Final = 3
EVENTS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """Something that AWS said, under a title."""

    title: str
    lines: tuple[str, ...]


def explain(evidence: Evidence) -> Explanation:
    found = cause_of(evidence)
    shown = tuple(line for exhibit in exhibits(evidence) for line in (f"{exhibit.title}:", *indented(exhibit)))
    return Explanation(what=what_failed(evidence), cause=found.cause, remedy=found.remedy, evidence=shown)


def what_failed(evidence: Evidence) -> str:
    service = evidence.expected.service
    if evidence.migration is not None:
        return f"the migration of {service} failed"
    if evidence.worker:
        return f"the worker of {service} could not be brought to the new version"
    return f"the new version of {service} could not take the traffic"


def indented(exhibit: Exhibit) -> Iterator[str]:
    return (f"  {line}" for line in exhibit.lines)


def exhibits(evidence: Evidence) -> Iterator[Exhibit]:
    if evidence.migration is not None:
        yield of_task("migration", DeadTask(task=evidence.migration.task, logs=evidence.migration.logs))
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
        yield Exhibit(title="alarms", lines=tuple(f"{each.name}: {each.reason}" for each in evidence.alarms))
    failed = [event for event in evidence.lifecycle if event.status == "Failed"]
    if failed:
        lines = tuple(f"{event.name} failed{f': {event.message}' if event.message else ''}" for event in failed)
        yield Exhibit(title="life cycle", lines=lines)
    deployment = evidence.deployment
    if deployment is not None and deployment.error_code:
        said = (f"{deployment.error_code}: {deployment.error_message}", deployment.rollback_message)
        yield Exhibit(title=f"CodeDeploy about {deployment.id}", lines=tuple(filter(None, said)))
    if evidence.events:
        shown = evidence.events[:EVENTS_SHOWN]
        lines = tuple(f"{event.at:%H:%M:%S} {event.message}" for event in shown)
        yield Exhibit(title="events of the ECS service, newest first", lines=lines)


def of_tasks(evidence: Evidence) -> Iterator[Exhibit]:
    """One task for each way to fail, the first of its kind: the others say the same."""
    kinds: dict[str, list[DeadTask]] = {}
    for dead in evidence.failed:
        kinds.setdefault(dead.signature, []).append(dead)
    for alike in list(kinds.values())[:TASKS_SHOWN]:
        others = f", and {len(alike) - 1} more like it" if len(alike) > 1 else ""
        yield of_task(f"task {alike[0].task.id}{others}", next((each for each in alike if each.logs), alike[0]))


def of_task(title: str, dead: DeadTask) -> Exhibit:
    return Exhibit(title=title, lines=(*how_it_stopped(dead.task), *(f"| {line}" for line in dead.logs)))


def how_it_stopped(task: Task) -> Iterator[str]:
    stopped = ": ".join(filter(None, (task.stop_code, task.stopped_reason)))
    yield stopped or f"{task.last_status}, not stopped"
    for container in task.containers:
        if container.exit_code or container.reason:
            code = "no exit code" if container.exit_code is None else f"exit {container.exit_code}"
            yield f"{container.name}: {code}{f', {container.reason}' if container.reason else ''}"
