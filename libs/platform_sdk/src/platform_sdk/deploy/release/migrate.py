"""Runs the migrations of a version once, in a task of its own with the new image, before anything of it serves.

Whatever runs stays running: migrations are additive first, so both versions live with the schema that comes of them.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.aws import best_effort
from platform_sdk.deploy.release.context import Ending, Releasing
from platform_sdk.deploy.release.events import Migrating
from platform_sdk.deploy.release.outcome import Watched
from platform_sdk.deploy.render.names import log_group, log_stream
from platform_sdk.deploy.render.task_definition import APP
from platform_sdk.deploy.state import EcsService, LogLine, Task

DEADLINE_MINUTES: Final = 60
POLL_SECONDS: Final = 5
ATTEMPTS: Final = 20
LINES: Final = 20


def migrate(releasing: Releasing, revision: str, like: EcsService) -> None:
    """
    Args:
        revision: the ARN of the API's new one.
        like: the service whose network the task gets.

    Raises:
        Ending: the migration failed, or did not come to its end.
    """
    command = releasing.spec.commands.migrate
    if command is None:
        releasing.journal.skip("migrate", f"{releasing.spec.name} has no commands.migrate")
        return
    releasing.go_on()
    with releasing.journal.stage("migrate"):
        for attempt in range(ATTEMPTS):
            releasing.check_turn()
            started = start(releasing, revision, command, like, attempt)
            if started is None:
                continue
            releasing.journal.under_way = f"the migration, as task {started.id},"
            ended = follow_task(releasing, started)
            releasing.journal.under_way = ""
            if ended is not None and exit_code(ended) == 0:
                return
            if started.started_by == ours(releasing):
                raise failure(releasing, started, ended, revision)


def start(releasing: Releasing, revision: str, command: Sequence[str], like: EcsService, attempt: int) -> Task | None:
    """The same attempt at the same revision is one task, whoever asks for it and how often. So a release that was
    killed finds its migration running or done, and only one that has failed, or is forgotten, is run again.
    """
    token = hashlib.sha256(f"migrate {revision} {attempt}".encode()).hexdigest()
    return releasing.aws.ecs.run(
        releasing.cluster,
        task_definition=revision,
        container=APP,
        command=command,
        like=like,
        started_by=ours(releasing),
        client_token=token,
    )


def ours(releasing: Releasing) -> str:
    return f"release-{releasing.release.id}"


def follow_task(releasing: Releasing, task: Task) -> Task | None:
    """To its end; None where ECS has forgotten it, about an hour after that."""
    deadline = releasing.now() + timedelta(minutes=DEADLINE_MINUTES)
    told_until = task.created_at or releasing.now()
    while True:
        found = releasing.aws.ecs.task(releasing.cluster, task.arn)
        if found is None:
            return None
        lines = new_lines(releasing, found, told_until)
        told_until = max([told_until, *(line.at for line in lines)])
        releasing.tell(Migrating(task=found.arn, last_status=found.last_status, new_lines=lines))
        if found.last_status == "STOPPED":
            return found
        if releasing.now() > deadline:
            raise Ending(
                "timed_out",
                f"the migration still runs after {DEADLINE_MINUTES} minutes, as task {found.id}; no task was replaced",
            )
        releasing.pause(POLL_SECONDS)


def new_lines(releasing: Releasing, task: Task, after: datetime) -> tuple[LogLine, ...]:
    group = log_group(releasing.spec, releasing.environment)
    stream = log_stream(releasing.spec, "api", APP, task.id)
    nothing: tuple[LogLine, ...] = ()
    lines = best_effort(
        lambda: releasing.aws_once.logs.lines(group, streams=(stream,), since=after, most=LINES), nothing
    )
    return tuple(line for line in lines if line.at > after)


def exit_code(task: Task) -> int | None:
    """None where the container never ran."""
    container = task.container(APP)
    return None if container is None else container.exit_code


def failure(releasing: Releasing, started: Task, ended: Task | None, revision: str) -> Ending:
    watched = Watched(
        stage="migration",
        cluster=releasing.cluster,
        revision=revision,
        since=releasing.journal.started_at,
        task=started.arn,
    )
    if ended is None:
        how = "its task is gone"
    elif (code := exit_code(ended)) is None:
        how = f"its task did not start: {ended.stopped_reason or ended.stop_code}"
    else:
        how = f"exit {code}"
    return Ending(
        "failed_rolled_back",
        f"the migration failed ({how}); no task was replaced, and the former version serves all users",
        explanation=releasing.tools.evidence.explain(watched),
    )
