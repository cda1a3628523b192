"""`platform apply` and `platform scale`: create or update stacks, as platform.toml and the environment's file say."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from platform_sdk.cli.options import complete_environments, complete_services, errors_as_json, on_aws, outside, root
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.apply.events import ApplyContext, ApplyEvent, Question, StackOutcome
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec
    from platform_sdk.deploy.release.context import Interrupted, Interrupts


@click.command()
@click.argument("service", required=False, shell_complete=complete_services)
@click.option("--shared", is_flag=True, help="Apply the stacks that all services share, instead of a service's.")
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment to change.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask. Changes that would delete data are still refused.")
@click.option("--allow-replace", "replaceable", multiple=True, metavar="LOGICAL_ID",
              help="A resource with data that may be replaced or deleted.")  # fmt: skip
@click.option("--skip", "skippable", multiple=True, metavar="LOGICAL_ID",
              help="A resource to skip if the rollback of an earlier update failed for it.")  # fmt: skip
@click.option("--allow-outage", "outages_allowed", multiple=True, metavar="LOGICAL_ID",
              help="A target group whose health check may change at once for the running tasks.")  # fmt: skip
@click.option("--wait", "wait_minutes", type=click.FloatRange(0), default=60, show_default=True, metavar="MINUTES",
              help="How long to wait for a running release of the service.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_context
def apply(
    context: click.Context,
    service: str | None,
    shared: bool,
    environment_name: str,
    yes: bool,
    replaceable: tuple[str, ...],
    skippable: tuple[str, ...],
    outages_allowed: tuple[str, ...],
    wait_minutes: float,
    as_json: bool,
) -> None:
    """Create or update the stacks of a service on AWS.

    With --shared, those that all services share. Each stack goes through a change set: you see what would change, and
    confirm before it does. Anything already up to date is left unchanged. After an interruption it resumes.

    Replaces or deletes a database, cache, queue, bucket, repository, secret, key, zone, table or log group only if
    --allow-replace names it. Never moves users to another target group, and never changes the running revision: only
    releases do. Keeps the path and the permissions that the running version needs.

    Exits with 0 when everything is up to date, with 1 on an error, and with 16 while a release holds the lock.
    """
    if (service is None) != shared:
        raise click.UsageError("name a service, or use --shared")
    with errors_as_json(as_json):
        environment = on_aws(environment_name)
        specs = _specs_of(service, environment)
    consent = Consent(
        yes=yes,
        replaceable=frozenset(replaceable),
        skippable=frozenset(skippable),
        outages_allowed=frozenset(outages_allowed),
    )
    with applying(context, environment, service, consent, as_json=as_json) as run:
        if shared:
            run.manual_steps = _apply_shared_stacks(specs, environment, run)
        else:
            run.grace_period_seconds = _apply_one(specs, environment, run, wait_minutes)


def _specs_of(service: str | None, environment: "Environment") -> "tuple[ServiceSpec, ...]":
    from platform_sdk.deploy.environment import refuse_unknown
    from platform_sdk.deploy.manifest import load_services

    specs = load_services(root(), environment.name)
    refuse_unknown("service", [service] if service else [], [spec.name for spec in specs])
    return tuple(spec for spec in specs if service in (None, spec.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the caller agreed to in advance: all questions, and what may happen to named resources."""

    yes: bool
    replaceable: frozenset[str] = frozenset()
    skippable: frozenset[str] = frozenset()
    outages_allowed: frozenset[str] = frozenset()


class Run:
    """One run of a command: its context, and what it has done so far, also where it fails."""

    def __init__(self, context: "ApplyContext", outcomes: "list[StackOutcome]") -> None:
        self.context = context
        self.outcomes = outcomes
        self.manual_steps: tuple[str, ...] = ()
        self.database_roles: tuple[str, ...] = ()
        self.grace_period_seconds: int | None = None


def _apply_shared_stacks(specs: "tuple[ServiceSpec, ...]", environment: "Environment", run: Run) -> tuple[str, ...]:
    from platform_sdk.deploy.apply import apply_shared
    from platform_sdk.deploy.apply.after_creation import make_database_roles, manual_steps
    from platform_sdk.deploy.aws import AccessDenied
    from platform_sdk.deploy.shared import load_shared_stacks

    stacks = load_shared_stacks(root(), environment, specs)
    outcomes = apply_shared(stacks, root(), environment, run.context)
    try:
        run.database_roles = make_database_roles(specs, environment, run.context)
    except AccessDenied as denied:
        reason = denied.because or denied.what
        roles = f"create the roles of the services in the database, as somebody who may: {reason}"
        return (roles, *manual_steps(outcomes, specs, environment, run.context))
    return manual_steps(outcomes, specs, environment, run.context)


def _apply_one(
    specs: "tuple[ServiceSpec, ...]", environment: "Environment", run: Run, wait_minutes: float
) -> int | None:
    from platform_sdk.deploy.apply import LockOptions, apply_service
    from platform_sdk.deploy.release.lock import owner_of

    (spec,) = specs
    lock_options = LockOptions(owner=owner_of(os.environ), wait_minutes=wait_minutes)
    return apply_service(spec, environment, run.context, lock_options).grace_period_seconds


@contextmanager
def applying(
    context: click.Context, environment: "Environment", service: str | None, consent: Consent, *, as_json: bool
) -> Iterator[Run]:
    """Report however the block ends: as lines on stderr, and with --json as one document on stdout."""
    from platform_sdk.deploy.release.context import Interrupted, Interrupts, catching_signals

    interrupts = Interrupts()
    outcomes: list[StackOutcome] = []
    run = Run(apply_context(environment, interrupts, consent, outcomes), outcomes)
    error, interrupted = None, None
    with catching_signals(interrupts):
        try:
            yield run
        except Interrupted as signal:
            interrupted = signal
        except PlatformError as failure:
            error = failure
    if as_json:
        _print_document(environment, service, run, error, interrupted)
    if error is not None:
        raise error
    if interrupted is not None:
        click.echo(f"interrupted: {_continues(environment, service)}", err=True)
        context.exit(128 + interrupted.signal_number)
    if not as_json:
        _print_summary(environment, service, run)


def apply_context(
    environment: "Environment", interrupts: "Interrupts", consent: Consent, outcomes: "list[StackOutcome]"
) -> "ApplyContext":
    """Add each outcome to `outcomes`, and print what happens."""
    from platform_sdk.deploy.apply.events import ApplyContext, Ended
    from platform_sdk.deploy.output.apply import LineRenderer

    world = outside()
    renderer = LineRenderer(lambda line: click.echo(line, err=True), world.clock.now)

    def emit(event: "ApplyEvent") -> None:
        if isinstance(event, Ended):
            outcomes.append(event.outcome)
        renderer.render(event)

    return ApplyContext(
        aws_once=world.connect(environment),
        clock=world.clock,
        emit=emit,
        agree=(lambda _question: True) if consent.yes else Asking().agree,
        interrupts=interrupts,
        replaceable=consent.replaceable,
        skippable=consent.skippable,
        outages_allowed=consent.outages_allowed,
    )


class Asking:
    """Asks on the terminal. The answer `all` covers all later questions."""

    def __init__(self) -> None:
        self.agreed_to_all = False

    def agree(self, question: "Question") -> bool:
        """Ask on stderr. `all` also answers every later question. Raises Declined if nobody answers."""
        from platform_sdk.deploy.apply.events import Declined

        if self.agreed_to_all:
            return True
        try:
            answer = click.prompt(
                _words_of(question), type=click.Choice(["y", "n", "all"]), default="n", err=True, show_choices=True
            )
        except click.Abort:
            raise Declined("nobody answered the question", hint="use --yes where nobody can answer") from None
        self.agreed_to_all = answer == "all"
        return bool(answer != "n")


def _words_of(question: "Question") -> str:
    from platform_sdk.deploy.apply.events import ToChange, ToContinueRollback, ToDelete

    match question:
        case ToChange():
            return f"{question.kind} {question.stack}?"
        case ToDelete():
            left = f", with {', '.join(question.resources)}" if question.resources else ", which is empty"
            return f"{question.stack} is {question.status}: delete it{left}, and create it again?"
        case ToContinueRollback():
            return f"the rollback of {question.stack} stopped halfway: continue it?"


def _print_document(
    environment: "Environment",
    service: str | None,
    run: Run,
    error: PlatformError | None,
    interrupted: "Interrupted | None",
) -> None:
    from platform_sdk.deploy.output.apply import document

    report = document(
        environment.name,
        service,
        run.outcomes,
        manual_steps=run.manual_steps,
        database_roles=run.database_roles,
        grace_period_seconds=run.grace_period_seconds,
        error=error,
        signal_number=None if interrupted is None else interrupted.signal_number,
    )
    click.echo(json.dumps(report, indent=2, ensure_ascii=False))


def _print_summary(environment: "Environment", service: str | None, run: Run) -> None:
    from platform_sdk.deploy.output.apply import summary

    if run.grace_period_seconds is not None:
        click.echo(f"health checks of {service} start {run.grace_period_seconds} s after a task does")
    click.echo(f"{service or 'shared'} in {environment.name}: {summary(run.outcomes)}")
    for name in run.database_roles:
        click.echo(f"{name} has its role and schema in the database now")
    for line in run.manual_steps:
        click.echo(f"still to do: {line}")


def _continues(environment: "Environment", service: str | None) -> str:
    command = f"platform apply {service or '--shared'} --env {environment.name}"
    return f"running operations continue on AWS; `{command}` follows them"


# `platform scale`: edit the number of tasks in platform.toml, then apply it.

if TYPE_CHECKING:
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.edit import Bounds


class NotScalingAlone(PlatformError):
    """platform.toml changes more than the number of tasks. Nothing was changed."""


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment to scale.")  # fmt: skip
@click.option("--min", "min_tasks", type=int, metavar="TASKS", help="The smallest number of tasks.")
@click.option("--max", "max_tasks", type=int, metavar="TASKS", help="The largest number of tasks.")
@click.option("--worker", is_flag=True, help="Scale the worker instead of the API.")
@click.option("--all-environments", "everywhere", is_flag=True,
              help="Edit the table for all environments without their own.")  # fmt: skip
@click.option("--edit-only", is_flag=True, help="Edit platform.toml only. The pipeline applies it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_context
def scale(
    context: click.Context,
    service: str,
    environment_name: str,
    min_tasks: int | None,
    max_tasks: int | None,
    worker: bool,
    everywhere: bool,
    edit_only: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Change the minimum and maximum number of tasks of a service.

    Edits only the environment's table `[environments.NAME.scaling]` in services/SERVICE/platform.toml, then applies it
    to AWS. There is no new revision and no traffic shift, so you can scale during a release. Commit the file
    afterwards, or the next apply undoes the change.

    If platform.toml contains other changes that are not applied yet, nothing is changed: run `platform apply` first.
    """
    from platform_sdk.deploy.manifest.edit import Bounds
    from platform_sdk.deploy.output.apply import document

    if min_tasks is None and max_tasks is None:
        raise click.UsageError("give --min, --max or both")
    bounds = Bounds(
        environment=environment_name,
        role="worker" if worker else "api",
        min_tasks=min_tasks,
        max_tasks=max_tasks,
        everywhere=everywhere,
    )
    with errors_as_json(as_json):
        if edit_only:
            edit_file(service, bounds)
        else:
            environment = on_aws(environment_name)
    if edit_only:
        if as_json:
            click.echo(json.dumps(document(environment_name, service, ()), indent=2))
        return
    with applying(context, environment, service, Consent(yes=yes), as_json=as_json) as run:
        edit_and_apply(service, bounds, environment, run)


def edit_file(service: str, bounds: "Bounds") -> str:
    """Edit platform.toml and return its previous text."""
    from platform_sdk.deploy.environment import refuse_unknown, service_names
    from platform_sdk.deploy.manifest.edit import edit, write

    refuse_unknown("service", [service], service_names(root()))
    before, after = edit(root(), service, bounds)
    if after == before:
        click.echo(f"services/{service}/platform.toml has these numbers already", err=True)
        return before
    write(root(), service, after)
    click.echo(f"services/{service}/platform.toml: edited [{'.'.join(bounds.path)}]; commit it", err=True)
    return before


def edit_and_apply(service: str, bounds: "Bounds", environment: "Environment", run: Run) -> None:
    """Edit and apply. Undo the edit if it was not applied."""
    from platform_sdk.deploy.apply.events import Declined

    before = edit_file(service, bounds)
    try:
        _refuse_more(service, environment, run)
    except PlatformError:
        _undo_edit(service, before)
        raise
    try:
        _apply_one(_specs_of(service, environment), environment, run, wait_minutes=0)
    except Declined:
        _undo_edit(service, before)
        raise


def _undo_edit(service: str, before: str) -> None:
    from platform_sdk.deploy.manifest.edit import write

    write(root(), service, before)
    click.echo(f"services/{service}/platform.toml is unchanged", err=True)


def _refuse_more(service: str, environment: "Environment", run: Run) -> None:
    from platform_sdk.deploy.apply import current_plan
    from platform_sdk.deploy.config_errors import listed
    from platform_sdk.deploy.output.plan_words import unsound_words

    (spec,) = _specs_of(service, environment)
    plan = current_plan(spec, environment, run.context)
    if plan.stack.action == "create":
        raise NotScalingAlone(
            f"{service} has no stack in {environment.name} yet, so there is nothing to scale",
            hint=f"edit only platform.toml with --edit-only; `platform apply {service} --env {environment.name}` "
            "creates the stack with the number of tasks in the file",
        )
    if plan.needs_apply and not plan.is_scaling_alone:
        others = sorted(each.logical_id for each in plan.stack.resources)
        unsound = unsound_words(plan.stack.status)
        raise NotScalingAlone(
            f"{service} in {environment.name} differs from platform.toml in more than the number of tasks",
            because=f"its stack {unsound}"
            if unsound
            else f"its stack would change in {listed(others)}"
            if others
            else None,
            hint=f"`platform plan {service} --env {environment.name}` shows the changes; "
            f"`platform apply {service} --env {environment.name}` makes them",
        )
