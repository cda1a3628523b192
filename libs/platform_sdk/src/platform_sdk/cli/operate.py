"""`platform history`, `status`, `logs` and `unlock`: see what a service does and did on AWS, and free its lock.

On the laptop, `status` and `logs` are the plug-in's commands of the same name."""

import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from platform_sdk.cli.options import (
    complete_environments,
    complete_services,
    environment_named,
    errors_as_json,
    on_aws,
    outside,
    root,
    spec_named,
)
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec
    from platform_sdk.deploy.output.status import Status
    from platform_sdk.deploy.release.history import Entry
    from platform_sdk.deploy.release.outcome import EndedEarly
    from platform_sdk.deploy.state import LockItem, LogLine

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Ago(click.ParamType[timedelta]):
    """A length of time such as `30m` or `2h`: in seconds, minutes, hours or days."""

    name = "ago"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse a number and a unit of s, m, h or d, such as 15m."""
        if isinstance(value, timedelta):
            return value
        number, unit = value[:-1], value[-1:]
        if unit not in UNITS or not number.isdecimal():
            self.fail(f"{value!r} is not a length of time; use 30s, 15m, 2h or 1d", param, ctx)
        return timedelta(seconds=int(number) * UNITS[unit])


def _aws_environment(name: str) -> "tuple[Environment, Aws]":
    environment = on_aws(name)
    return environment, outside().connect(environment)


def of_this_machine(ctx: click.Context, environment_name: str, name: str) -> click.Command | None:
    """Return the plug-in's command of that name if the environment runs on this machine."""
    if environment_named(environment_name).aws_endpoint_url is None:
        return None
    assert ctx.parent is not None, "a command of `platform` has it as its parent"
    command: click.Command | None = ctx.parent.command.of_this_machine(name)  # type: ignore[attr-defined]
    if command is None:
        raise click.UsageError(f"nothing runs on this machine; name an environment of AWS: --env production {name}")
    return command


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment to read.")  # fmt: skip
@click.option("-n", "--last", default=10, show_default=True, type=click.IntRange(1, 100), help="How many to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def history(service: str, environment_name: str, last: int, as_json: bool) -> None:
    """Show who released what, when, and how it ended.

    Lists the deployments of SERVICE, newest first; `*` marks the revision that has the traffic now. The list includes
    CodeDeploy's automatic rollbacks, and releases that ended before their deployment: at the lock, a check, a migration
    or the worker.
    """
    with errors_as_json(as_json):
        environment, aws = _aws_environment(environment_name)
        entries = entries_of(spec_named(service, environment_name), environment, aws, last, outside().clock.now())
    if as_json:
        click.echo(json.dumps([entry.as_json() for entry in entries], indent=2))
    elif entries:
        from platform_sdk.deploy.release.history import as_table

        click.echo(as_table(entries))
    else:
        click.echo(f"{service} has not been released to {environment_name} yet", err=True)


def entries_of(spec: "ServiceSpec", environment: "Environment", aws: "Aws", last: int, now: datetime) -> "list[Entry]":
    """Return the last entries, newest first."""
    from platform_sdk.deploy.aws import best_effort
    from platform_sdk.deploy.release.history import entry_of_early, entry_of_worker, worker_updates
    from platform_sdk.deploy.release.history import history as entries_of_deployments
    from platform_sdk.deploy.release.lock import read_early_ends
    from platform_sdk.deploy.render.names import cluster_name, service_name, worker_service_name

    name, cluster = service_name(spec, environment), cluster_name(environment)
    running = aws.ecs.service(cluster, name)
    live = running.task_definition.rsplit("/", 1)[-1] if running else ""
    deployments = aws.codedeploy.newest(name, now, most=last)
    nothing: tuple[EndedEarly, ...] = ()
    early = best_effort(lambda: read_early_ends(aws.locks, environment, spec.name), nothing)
    entries = [*entries_of_deployments(deployments, live), *map(entry_of_early, early)]
    if spec.worker is not None:
        worker = worker_service_name(spec, environment)
        rolled = worker_updates(deployments, aws.ecs.service_deployments(cluster, worker, most=last))
        known = {each.worker for each in early}
        unknown = [each for each in rolled if each.target_revision.rsplit("/", 1)[-1] not in known]
        entries += [entry_of_worker(each, aws.ecs.revision(each.target_revision)) for each in unknown]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:last]


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
@click.option("--env", "environment_name", default="local", show_default=True, metavar="NAME",
              shell_complete=complete_environments, help="The environment; local is this machine.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_context
def status(ctx: click.Context, services: tuple[str, ...], environment_name: str, as_json: bool) -> None:
    """Show what runs, in which version, and how healthy it is.

    On AWS: revision and version of each service, its tasks, its traffic, scaling, alarms, and a running release. On
    this machine: every server and task. Exits with 0 only if everything is healthy.
    """
    local = of_this_machine(ctx, environment_name, "status")
    if local is not None:
        ctx.invoke(local, as_json=as_json)
        return
    with errors_as_json(as_json):
        found = list(_statuses(services, environment_name))
    if as_json:
        click.echo(json.dumps([each.as_json() for each in found], indent=2))
    else:
        click.echo("\n\n".join(each.as_text() for each in found))
    ctx.exit(0 if all(each.is_well for each in found) else 1)


def _statuses(names: tuple[str, ...], environment_name: str) -> "Iterator[Status]":
    from platform_sdk.deploy.manifest import load_services
    from platform_sdk.deploy.observe import observe_services
    from platform_sdk.deploy.output.status import status_of

    environment, aws = _aws_environment(environment_name)
    specs = [spec_named(name, environment_name) for name in names] or load_services(root(), environment_name)
    for name, state in observe_services(specs, environment, aws).items():
        rule = state.production_rule
        health = {arn: aws.load_balancing.health(arn) for arn, weight in rule.weights.items() if weight} if rule else {}
        yield status_of(name, environment.name, state, health)


@click.command()
@click.argument("name", metavar="SERVICE", shell_complete=complete_services)
@click.option("--env", "environment_name", default="local", show_default=True, metavar="NAME",
              shell_complete=complete_environments, help="The environment; local is this machine.")  # fmt: skip
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they appear.")
@click.option(
    "-n", "--lines", default=50, show_default=True, type=click.IntRange(min=0), help="How many earlier lines to print."
)
@click.option(
    "--since", default="1h", show_default=True, type=Ago(), help="How far back, such as 30m or 2h. Only on AWS."
)
@click.option("--role", type=click.Choice(["api", "worker"]), help="Only the API's or the worker's lines. Only on AWS.")
@click.pass_context
def logs(
    ctx: click.Context, name: str, environment_name: str, follow: bool, lines: int, since: timedelta, role: str | None
) -> None:
    """Show the log lines of a service's tasks.

    On this machine, SERVICE may also be one task as `platform status` names it, or postgres, redis, aws,
    load-balancer, platform. Ctrl-C ends -f.
    """
    local = of_this_machine(ctx, environment_name, "logs")
    if local is not None:
        ctx.invoke(local, name=name, follow=follow, lines=lines)
        return
    try:
        for line in _log_lines(spec_named(name, environment_name), environment_name, follow, lines, since, role):
            click.echo(f"{line.at:%H:%M:%S} {line.stream} | {line.text}")
            sys.stdout.flush()
    except KeyboardInterrupt:
        ctx.exit(130)


def _log_lines(
    spec: "ServiceSpec", environment_name: str, follow: bool, most: int, since: timedelta, role: str | None
) -> "Iterator[LogLine]":
    from platform_sdk.deploy.render.names import log_group

    environment, aws = _aws_environment(environment_name)
    group, prefix = log_group(spec, environment), f"{role}/" if role else ""
    clock = outside().clock
    now = clock.now()
    past = aws.logs.lines(group, stream_prefix=prefix, since=now - since, most=most) if most else ()
    yield from past
    if most and not past:
        click.echo(f"nothing was written to {group} since {now - since:%Y-%m-%d %H:%M} UTC", err=True)
    if follow:
        printed = {(line.stream, line.at, line.text) for line in past}
        start = past[-1].at if past else now
        for line in aws.logs.follow(group, stream_prefix=prefix, since=start, clock=clock):
            if (line.stream, line.at, line.text) not in printed:
                yield line


# `platform unlock`.


class NotAgreed(PlatformError):
    """The answer was no."""


class HolderLives(PlatformError):
    """The holder has just renewed the lock."""

    exit_code = 16


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment of the lock.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print who held it as JSON.")
def unlock(service: str, environment_name: str, yes: bool, as_json: bool) -> None:
    """Take the release lock of a service from its holder.

    The lock of a release that was killed expires within three minutes, and the next release resumes from there. Wait
    for that if you can. A release that still runs notices that its lock is gone, stops and says so; what it started in
    CodeDeploy continues.
    """
    with errors_as_json(as_json):
        holder = unlocked(service, environment_name, yes=yes)
    _print_holder(service, environment_name, holder, as_json)


def unlocked(service: str, environment_name: str, *, yes: bool) -> "LockItem | None":
    """Free the lock and return who held it; None if nobody did.

    Raises:
        NotAgreed, HolderLives, NotOnAws, UnknownName, AwsCallFailed
    """
    from platform_sdk.deploy.environment import refuse_unknown, service_names
    from platform_sdk.deploy.release.lock import break_lock, lock_name, lock_table, owner_of

    refuse_unknown("service", [service], service_names(root()))
    environment, world = on_aws(environment_name), outside()
    locks = world.connect(environment).locks
    holder = locks.read(lock_table(environment), lock_name(service))
    if holder is None or holder.expires_at <= world.clock.now():
        return None
    if not yes:
        _confirm(service, environment_name, holder)
    if not break_lock(locks, environment, holder, owner=owner_of(os.environ), now=world.clock.now()):
        raise HolderLives(
            f"{holder.owner} has just renewed the lock of {service} in {environment_name}",
            because="it is running",
            hint="stop it where it runs, or run the same command again to take the lock anyway",
        )
    return holder


def _confirm(service: str, environment_name: str, holder: "LockItem") -> None:
    click.echo(_holder_words(holder), err=True)
    question = f"take the lock of {service} in {environment_name} from {holder.owner}?"
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        raise NotAgreed("nobody answered the question", hint="use --yes where nobody can answer") from None
    if not agreed:
        raise NotAgreed(f"the lock of {service} in {environment_name} stays with {holder.owner}")


def _holder_words(holder: "LockItem") -> str:
    return (
        f"held by {holder.owner} for its {holder.purpose} since {holder.since:%Y-%m-%d %H:%M:%S} UTC; it expires at "
        f"{holder.expires_at:%H:%M:%S} UTC if it is not renewed"
    )


def _print_holder(service: str, environment: str, holder: "LockItem | None", as_json: bool) -> None:
    if as_json:
        found = None if holder is None else {"owner": holder.owner, "purpose": holder.purpose}
        click.echo(json.dumps({"service": service, "environment": environment, "taken_from": found}, indent=2))
    elif holder is None:
        click.echo(f"{service} in {environment} is not locked")
    else:
        click.echo(f"{service} in {environment} is unlocked; it was locked by {holder.owner}")
