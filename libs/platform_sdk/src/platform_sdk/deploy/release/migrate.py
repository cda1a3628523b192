"""After register: run the version's migrations once, in a task with the new image, before any task of it serves.

What runs keeps running: migrations are additive first, so both versions work with the new schema.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.aws import VISIBLE_WITHIN, NotPlaced, best_effort
from platform_sdk.deploy.config_errors import counted
from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.deployment import MAX_BLOCKED
from platform_sdk.deploy.release.events import Migrating
from platform_sdk.deploy.release.outcome import ExistingRevisions, Watched
from platform_sdk.deploy.render.names import log_group, log_stream
from platform_sdk.deploy.render.task_definition import APP
from platform_sdk.deploy.state import EcsService, LogLine, ServiceState, Task, given_reason

DEADLINE_MINUTES: Final = 60
POLL_SECONDS: Final = 5
RETRY_SECONDS: Final = 30
"""Between requests for a task that ECS had no place for."""
ATTEMPTS: Final = 20
LINES: Final = 20


def migrate(context: ReleaseContext, revision: str, state: ServiceState) -> None:
    """Run the migrations in a task of the new revision, and wait for its end.

    Args:
        revision: the ARN of the API's new one.
        state: of the service whose network the task uses.

    Raises:
        ReleaseEnded: the migration failed, or did not end.
    """
    assert state.api is not None, "preflight refuses a service that does not exist"
    if isinstance(context.release.target, ExistingRevisions):
        context.skip("migrate", "the version has served before")
        return
    command = context.spec.commands.migrate
    if command is None:
        context.skip("migrate", f"{context.spec.name} has no commands.migrate")
        return
    context.checkpoint()
    with context.stage("migrate"):
        for attempt in range(ATTEMPTS):
            context.confirm_lock()
            started = start_when_placed(context, revision, command, state.api, attempt)
            if started is None:
                continue
            context.journal.running = f"the migration, as task {started.id},"
            ended = follow_task(context, started)
            context.journal.running = ""
            if ended is not None and exit_code(ended) == 0:
                return
            if started.started_by == _ours(context):
                raise _failure(context, started, ended, revision)


def start_when_placed(
    context: ReleaseContext, revision: str, command: Sequence[str], like: EcsService, attempt: int
) -> Task | None:
    """Start a task as `start` does, and keep trying while ECS has no place for it.

    Raises:
        ReleaseEnded: it has none for as long as a deployment waits for its tasks.
    """
    until, warned = context.now() + MAX_BLOCKED, False
    while True:
        try:
            return start(context, revision, command, like, attempt)
        except NotPlaced as error:
            reason = given_reason(error.because).rstrip(".")
            if context.now() >= until:
                raise _not_started(context, revision, reason) from error
            if not warned:
                minutes = counted(MAX_BLOCKED // timedelta(minutes=1), "minute")
                context.warn(f"ECS starts no task: {reason}", f"trying for {minutes}")
            warned = True
            context.pause(RETRY_SECONDS)


def _not_started(context: ReleaseContext, revision: str, reason: str) -> ReleaseEnded:
    watched = Watched(
        stage="migration",
        cluster=context.cluster,
        revision=revision,
        since=context.journal.started_at,
        refusal=reason,
    )
    return ReleaseEnded(
        "failed_rolled_back",
        f"{context.original_serves}: the migration could not be started, and no task was replaced",
        explanation=context.evidence.explain(watched),
        resume=context.repeat_command,
    )


def start(
    context: ReleaseContext, revision: str, command: Sequence[str], like: EcsService, attempt: int
) -> Task | None:
    """Start a task. The same attempt at the same revision is one task, however often it is started. So a release that
    resumes finds its migration running or done; only one that has failed, or that ECS has forgotten, is run again.
    """
    token = hashlib.sha256(f"migrate {revision} {attempt}".encode()).hexdigest()
    return context.aws.ecs.run(
        context.cluster,
        task_definition=revision,
        container=APP,
        command=command,
        like=like,
        started_by=_ours(context),
        client_token=token,
    )


def _ours(context: ReleaseContext) -> str:
    return f"release-{context.release.id}"


def follow_task(context: ReleaseContext, task: Task) -> Task | None:
    """Follow a task to its end and return it. None where ECS has forgotten it, about an hour after its end."""
    deadline = context.now() + timedelta(minutes=DEADLINE_MINUTES)
    visible_at = context.now() + VISIBLE_WITHIN
    read_until = task.created_at or context.now()
    while True:
        found = context.aws.ecs.task(context.cluster, task.arn)
        if found is None and context.now() < visible_at:
            context.pause(POLL_SECONDS)
            continue
        if found is None:
            return None
        lines = _new_lines(context, found, read_until)
        read_until = max([read_until, *(line.at for line in lines)])
        context.emit(Migrating(task=found.arn, last_status=found.last_status, new_lines=lines))
        if found.last_status == "STOPPED":
            return found
        if context.now() > deadline:
            raise ReleaseEnded(
                "timed_out",
                f"the migration still runs after {DEADLINE_MINUTES} minutes, as task {found.id}; no task was replaced",
            )
        context.pause(POLL_SECONDS)


def _new_lines(context: ReleaseContext, task: Task, after: datetime) -> tuple[LogLine, ...]:
    group = log_group(context.spec, context.environment)
    stream = log_stream(context.spec, "api", APP, task.id)
    nothing: tuple[LogLine, ...] = ()
    lines = best_effort(lambda: context.aws_once.logs.lines(group, streams=(stream,), since=after, most=LINES), nothing)
    return tuple(line for line in lines if line.at > after)


def exit_code(task: Task) -> int | None:
    """Return None if the container never ran."""
    container = task.container(APP)
    return None if container is None else container.exit_code


def _failure(context: ReleaseContext, started: Task, ended: Task | None, revision: str) -> ReleaseEnded:
    watched = Watched(
        stage="migration",
        cluster=context.cluster,
        revision=revision,
        since=context.journal.started_at,
        task=started.arn,
    )
    if ended is None:
        how = "its task is gone"
    elif (code := exit_code(ended)) is None:
        how = f"its task did not start: {given_reason(ended.stopped_reason, ended.stop_code)}"
    else:
        how = f"exit {code}"
    return ReleaseEnded(
        "failed_rolled_back",
        f"the migration failed ({how}); no task was replaced, and {context.original_serves}",
        explanation=context.evidence.explain(watched),
    )
