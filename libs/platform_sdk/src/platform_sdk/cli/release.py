"""`platform deploy`, `wait`, `rollback` and `restart`: run or follow a release.

Progress goes to stderr. Stdout has the deployment's id, or with --json the record of what happened."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import click

from platform_sdk.cli.options import complete_environments, complete_services, on_aws, outside, root, spec_named
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws
    from platform_sdk.deploy.build.git import Git
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec
    from platform_sdk.deploy.release.context import ReleaseContext
    from platform_sdk.deploy.release.events import Emit
    from platform_sdk.deploy.release.outcome import IfBusy, OnInterrupt, Outcome, Release, ReleaseOptions, Until

Command = Callable[..., None]


class UnknownDeployment(PlatformError):
    """CodeDeploy has no such deployment, or it is of no service of this repository."""


def reports(command: Command) -> Command:
    """Add the options that say where to write the outcome."""
    for option in (
        click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                     help="Write checks and stages as a JUnit report."),
        click.option("--summary", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                     help="Write what happened as Markdown."),
        click.option("--record", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                     help="Write what happened as JSON."),
        click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON."),
        click.option("--env", "environment_name", required=True, metavar="NAME",
                     shell_complete=complete_environments, help="The environment to release to."),
    ):  # fmt: skip
        command = option(command)
    return command


def policies(command: Command) -> Command:
    """Add the options for other releases and interruptions."""
    for option in (
        click.option("--on-interrupt", type=click.Choice(["leave", "rollback"]), default="leave", show_default=True,
                     help="After Ctrl-C or SIGTERM: leave the deployment to CodeDeploy, or roll it back."),
        click.option("--lock-wait", "lock_wait_minutes", type=click.IntRange(0), default=60, show_default=True,
                     metavar="MINUTES", help="How long to wait for another release."),
        click.option("--if-busy", type=click.Choice(["wait", "supersede", "fail"]), default="wait", show_default=True,
                     help="If another release is running: wait for its end, end it, or fail."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--image", "tag", metavar="TAG", help="The image's tag. Default: the tag of the files here.")
@click.option("--wait-until", "until", type=click.Choice(["traffic", "done"]), default="done", show_default=True,
              help="Return when all users are on the version, or after its bake time.")  # fmt: skip
@click.option("--detach", is_flag=True, help="Return when the deployment is created; `platform wait` follows it.")
@click.option("--allow-older", is_flag=True, help="Release a commit older than the running one.")
@click.option("--ignore-alarms", is_flag=True, help="Release a fix while its alarm is firing.")
@click.option("--force", is_flag=True, help="Release the version also if it serves already.")
@policies
@reports
def deploy(
    service: str,
    tag: str | None,
    until: "Until",
    detach: bool,
    allow_older: bool,
    ignore_alarms: bool,
    force: bool,
    if_busy: "IfBusy",
    lock_wait_minutes: int,
    on_interrupt: "OnInterrupt",
    environment_name: str,
    **written: Any,
) -> None:
    """Release SERVICE and report the outcome.

    Runs all checks first, and changes nothing if one fails. Then registers task definitions, runs migrations with the
    new image, updates the worker, and shifts the traffic as [traffic_shift] says. Scaling is suspended while traffic
    shifts. A version that fails is rolled back, with the likely cause. To resume after any failure, run the same
    command again. A version that serves already is not released again: use `platform restart`, or --force.

    \b
    exit  0  released                 12  failed, rolled back                  15  superseded
          1  error, nothing replaced  13  failed, not rolled back              16  locked by another release
         10  nothing to do            14  still running: `platform wait`      130  interrupted (143: SIGTERM)
         11  refused by a check
    """
    from platform_sdk.deploy.release.execute import execute
    from platform_sdk.deploy.release.outcome import ReleaseOptions

    with errors_written(**written):
        environment = on_aws(environment_name)
        spec = spec_named(service, environment_name)
        options = ReleaseOptions(
            until=until, detach=detach, if_busy=if_busy, lock_wait_minutes=lock_wait_minutes, on_interrupt=on_interrupt,
            allow_older=allow_older, ignore_alarms=ignore_alarms, force=force,
        )  # fmt: skip
        aws = outside().connect(environment)
        release = release_of(spec, environment, aws, tag)
        with release_context(spec, environment, aws, options) as context:
            outcome = execute(release, context)
        _write_outcome(outcome, **written)


@click.command()
@click.argument("deployment_id", metavar="ID")
@click.option("--until", type=click.Choice(["traffic", "done"]), default="done", show_default=True,
              help="Return when all users are on the version, or after its bake time.")  # fmt: skip
@reports
def wait(deployment_id: str, until: "Until", environment_name: str, **written: Any) -> None:
    """Follow a release's deployment to its end, from anywhere.

    For a release that was detached, interrupted or lost. It ends like `platform deploy`, with the same exit codes, and
    does the rest of its work: after a rollback it returns the worker and restores scaling.
    """
    from platform_sdk.deploy.release.outcome import ReleaseOptions
    from platform_sdk.deploy.release.resume import wait as follow_release

    with errors_written(**written):
        environment = on_aws(environment_name)
        aws = outside().connect(environment)
        deployment = aws.codedeploy.deployment(deployment_id)
        prefix = f"{environment.name}-"
        if deployment is None or not deployment.application.startswith(prefix):
            raise UnknownDeployment(
                f"there is no deployment {deployment_id} of a service in {environment.name}",
                hint=f"`platform history SERVICE --env {environment.name}` lists the deployments of a service",
            )
        spec = spec_named(deployment.application.removeprefix(prefix), environment_name)
        with release_context(spec, environment, aws, ReleaseOptions(until=until)) as context:
            outcome = follow_release(deployment, context)
        _write_outcome(outcome, **written)


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--to", metavar="VERSION",
              help="An image's tag, or the number of a revision. Default: the last good one.")  # fmt: skip
@click.option("--wait-until", "until", type=click.Choice(["traffic", "done"]), default="traffic", show_default=True,
              help="Return when all users are back, or after the bake time.")  # fmt: skip
@click.option("--detach", is_flag=True, help="Return when the deployment is created; `platform wait` follows it.")
@policies
@reports
def rollback(
    service: str,
    to: str | None,
    until: "Until",
    detach: bool,
    if_busy: "IfBusy",
    lock_wait_minutes: int,
    on_interrupt: "OnInterrupt",
    environment_name: str,
    **written: Any,
) -> None:
    """Roll SERVICE back to a version that served well.

    A running deployment, or its bake time, is stopped: users are back at once. A release without a deployment yet is
    stopped, too. Later, a rollback releases an existing revision: nothing is built, registered or migrated, and all
    traffic shifts in one step. Running it twice does not undo it. To restore a version that was rolled back, use --to.
    Exit codes are those of `platform deploy`: 0 means that the earlier version serves all users. The database is not
    rolled back: migrations are additive first.
    """
    from platform_sdk.deploy.release.lock import owner_of
    from platform_sdk.deploy.release.outcome import ReleaseOptions
    from platform_sdk.deploy.release.rollback import roll_back

    with errors_written(**written):
        environment = on_aws(environment_name)
        spec = spec_named(service, environment_name)
        options = ReleaseOptions(
            until=until, detach=detach, if_busy=if_busy, lock_wait_minutes=lock_wait_minutes, on_interrupt=on_interrupt
        )
        aws = outside().connect(environment)
        with release_context(spec, environment, aws, options) as context:
            outcome = roll_back(context, to=to, by=owner_of(), id=new_id())
        _write_outcome(outcome, **written)


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--wait-until", "until", type=click.Choice(["traffic", "done"]), default="done", show_default=True,
              help="Return when all users are on the new tasks, or after the bake time.")  # fmt: skip
@click.option("--detach", is_flag=True, help="Return when the deployment is created; `platform wait` follows it.")
@click.option("--ignore-alarms", is_flag=True, help="Restart although an alarm is firing.")
@policies
@reports
def restart(
    service: str,
    until: "Until",
    detach: bool,
    ignore_alarms: bool,
    if_busy: "IfBusy",
    lock_wait_minutes: int,
    on_interrupt: "OnInterrupt",
    environment_name: str,
    **written: Any,
) -> None:
    """Replace the tasks of SERVICE by new ones of the same version.

    New tasks read their secrets again. Nothing is built, registered or migrated, and platform.toml is not used: the
    revision that serves starts again, with the port and the hooks that it was released with. First the worker's tasks
    are replaced, then the API's, and the traffic shifts as in a release. If the new tasks fail, the original ones
    serve on. Exit codes are those of `platform deploy`. Running it twice restarts twice, unless the first deployment
    is still running: then it is followed.
    """
    from platform_sdk.deploy.release.lock import owner_of
    from platform_sdk.deploy.release.outcome import ReleaseOptions
    from platform_sdk.deploy.release.rollback import restart as restart_tasks

    with errors_written(**written):
        environment = on_aws(environment_name)
        spec = spec_named(service, environment_name)
        options = ReleaseOptions(
            until=until, detach=detach, if_busy=if_busy, lock_wait_minutes=lock_wait_minutes, on_interrupt=on_interrupt,
            ignore_alarms=ignore_alarms,
        )  # fmt: skip
        aws = outside().connect(environment)
        with release_context(spec, environment, aws, options) as context:
            outcome = restart_tasks(context, by=owner_of(), id=new_id())
        _write_outcome(outcome, **written)


def release_of(spec: "ServiceSpec", environment: "Environment", aws: "Aws", tag: str | None) -> "Release":
    """Return the release of a tag. Raises UnknownImage if the registry does not have it."""
    from platform_sdk.deploy.observe import observe_image
    from platform_sdk.deploy.release.lock import owner_of
    from platform_sdk.deploy.release.outcome import NewImage, Release
    from platform_sdk.deploy.release.register import commit_of_version

    here = tag_here(spec, needed=tag is None)
    version = tag or here
    known = commit_of(_git_here()) if version == here else commit_of_version(aws, spec, environment, version)
    commit, committed_at = known
    return Release(
        id=new_id(),
        kind="release",
        service=spec.name,
        environment=environment.name,
        version=version,
        target=NewImage(uri=observe_image(spec.name, version, environment, aws)),
        commit=commit,
        committed_at=committed_at,
        by=owner_of(),
    )


def tag_here(spec: "ServiceSpec", *, needed: bool) -> str:
    """Return the tag of the files here. If it is not needed, return an empty one where they make no image."""
    from platform_sdk.deploy.build.publish import read_source

    try:
        return read_source(root(), spec.name, spec.task.architecture, os.environ.get("PLATFORM_BASE_IMAGE")).tag
    except PlatformError:
        if needed:
            raise
        return ""


def _git_here() -> "Git":
    from platform_sdk.deploy.build.git import Git

    return Git(root())


def commit_of(git: "Git") -> tuple[str | None, datetime | None]:
    """Return None for uncommitted files: nobody could tell which of two is older."""
    commit = git.commit() if git.is_clone() else ""
    if not commit or commit.endswith("-dirty"):
        return None, None
    return commit, git.committed_at(commit)


def new_id() -> str:
    """Return a random id of 12 hexadecimal digits, which tells this run's writes on AWS from those of others."""
    return uuid4().hex[:12]


@contextmanager
def release_context(
    spec: "ServiceSpec", environment: "Environment", aws: "Aws", options: "ReleaseOptions"
) -> "Iterator[ReleaseContext]":
    """Print progress and catch signals while the block runs."""
    from platform_sdk.deploy.diagnosis import AwsEvidence
    from platform_sdk.deploy.release.context import Interrupts, ReleaseContext, catching_signals
    from platform_sdk.deploy.render.codedeploy import load_appspec_template

    git = _git_here()
    interrupts = Interrupts(leave=leave_at_once)
    with progress() as emit, catching_signals(interrupts):
        yield ReleaseContext(
            spec=spec,
            environment=environment,
            options=options,
            aws_once=aws,
            clock=outside().clock,
            emit=emit,
            evidence=AwsEvidence(aws, spec, environment),
            interrupts=interrupts,
            appspec_template=load_appspec_template(root()),
            is_ancestor=git.is_ancestor if git.is_clone() else lambda _older, _newer: None,
        )


@contextmanager
def progress() -> "Iterator[Emit]":
    """Print lines in a pipeline, a live view on a terminal."""
    from platform_sdk.deploy.output.release import LineRenderer

    now = outside().clock.now
    if not sys.stderr.isatty():
        yield LineRenderer(lambda line: click.echo(line, err=True), now).render
        return
    from rich.console import Console

    from platform_sdk.deploy.output.release import TerminalRenderer

    with TerminalRenderer(Console(stderr=True), now) as renderer:
        yield renderer.render


def leave_at_once(exit_code: int) -> NoReturn:
    """Exit after a second signal, without cleaning up. The lock expires by itself, and says what to restore."""
    name = signal.Signals(exit_code - 128).name
    os.write(
        2, f"\n{name} again: stopped at once. Run the same command again: it resumes, and restores scaling\n".encode()
    )
    os._exit(exit_code)


@contextmanager
def errors_written(*, as_json: bool, record: Path | None, summary: Path | None, junit: Path | None) -> "Iterator[None]":
    """Write the requested documents also if the release could not start."""
    from platform_sdk.deploy.output.records import junit_of_error, record_of_error, summary_of_error

    try:
        yield
    except PlatformError as error:
        document = json.dumps(record_of_error(error), indent=2)
        _write((record, f"{document}\n"), (summary, summary_of_error(error)), (junit, junit_of_error(error)))
        if as_json:
            click.echo(document)
        raise


def _write(*files: tuple[Path | None, str]) -> None:
    for place, text in files:
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")


def _write_outcome(
    outcome: "Outcome", *, as_json: bool, record: Path | None, summary: Path | None, junit: Path | None
) -> NoReturn:
    from platform_sdk.deploy.output.records import junit_of, record_of, summary_of

    document = json.dumps(record_of(outcome), indent=2)
    _write((record, f"{document}\n"), (summary, summary_of(outcome)), (junit, junit_of(outcome)))
    if as_json:
        click.echo(document)
    elif outcome.deployment_id:
        click.echo(outcome.deployment_id)
    click.get_current_context().exit(outcome.exit_code)
