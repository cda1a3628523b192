"""`platform apply`: what platform.toml and the environment's file ask for, brought about on AWS."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from platform_sdk.cli.options import complete_environments, complete_services, errors_as_json, on_aws, outside, root
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.apply.context import Tools
    from platform_sdk.deploy.apply.events import ApplyEvent, Question, StackOutcome
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec
    from platform_sdk.deploy.release.context import Interrupted, Interrupts


@click.command()
@click.argument("service", required=False, shell_complete=complete_services)
@click.option("--shared", is_flag=True, help="Instead of a service's stack: those that all services share.")
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment to change.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Ask nothing. What would be lost is refused all the same.")
@click.option("--allow-replace", "replaceable", multiple=True, metavar="LOGICAL_ID",
              help="What holds data, and may be replaced or deleted all the same.")  # fmt: skip
@click.option("--skip", "skippable", multiple=True, metavar="LOGICAL_ID",
              help="What stays as it is where the rollback of an earlier update has failed for it.")  # fmt: skip
@click.option("--wait", "wait_minutes", type=click.FloatRange(0), default=60, show_default=True, metavar="MINUTES",
              help="How long to wait for a release of the service that is under way.")  # fmt: skip
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
    wait_minutes: float,
    as_json: bool,
) -> None:
    """Bring the stacks of a service, or those that all services share, about on AWS.

    Each stack goes through a change set: you see what would change and are asked before it does. What is as it shall
    be is left alone, so the command may be given as often as you like, and goes on where it was interrupted.

    Replaces or deletes a database, cache, queue, bucket, repository, secret, key, zone, table or log group only if
    --allow-replace names it. Never moves users to another target group, nor changes the revision that runs: that is
    for releases.

    Exits with 0 when all is as it shall be, with 1 on an error, and with 16 while a release holds the service's lock.
    """
    if (service is None) != shared:
        raise click.UsageError("name a service, or say --shared")
    with errors_as_json(as_json):
        environment = on_aws(environment_name)
        specs = specs_of(service, environment)
    consent = Consent(yes=yes, replaceable=frozenset(replaceable), skippable=frozenset(skippable))
    with applying(context, environment, service, consent, as_json=as_json) as run:
        if shared:
            run.still_to_do = apply_shared_stacks(specs, environment, run)
        else:
            run.grace_period_seconds = apply_one(specs, environment, run, wait_minutes)


def specs_of(service: str | None, environment: "Environment") -> "tuple[ServiceSpec, ...]":
    from platform_sdk.deploy.environment import refuse_unknown
    from platform_sdk.deploy.manifest import load_services

    specs = load_services(root(), environment.name)
    refuse_unknown("service", [service] if service else [], [spec.name for spec in specs])
    return tuple(spec for spec in specs if service in (None, spec.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """To what the caller has agreed beforehand: to whatever would be asked, and to losing or skipping by name."""

    yes: bool
    replaceable: frozenset[str] = frozenset()
    skippable: frozenset[str] = frozenset()


class Run:
    """One run of a command: its tools, and what has come of it so far."""

    def __init__(self, tools: "Tools") -> None:
        self.tools = tools
        self.outcomes: list[StackOutcome] = []
        self.still_to_do: tuple[str, ...] = ()
        self.database_roles: tuple[str, ...] = ()
        self.grace_period_seconds: int | None = None


def apply_shared_stacks(specs: "tuple[ServiceSpec, ...]", environment: "Environment", run: Run) -> tuple[str, ...]:
    from platform_sdk.deploy.apply import apply_shared
    from platform_sdk.deploy.apply.database_roles import make_database_roles
    from platform_sdk.deploy.apply.manual_steps import still_to_do
    from platform_sdk.deploy.aws import AccessDenied
    from platform_sdk.deploy.shared import load_shared_stacks

    stacks = load_shared_stacks(root(), environment, specs)
    outcomes = apply_shared(stacks, root(), environment, run.tools)
    try:
        run.database_roles = make_database_roles(specs, environment, run.tools)
    except AccessDenied as denied:
        by_hand = f"give the services their roles in the database, as somebody who may: {denied.because}"
        return (by_hand, *still_to_do(outcomes, specs, environment, run.tools))
    return still_to_do(outcomes, specs, environment, run.tools)


def apply_one(
    specs: "tuple[ServiceSpec, ...]", environment: "Environment", run: Run, wait_minutes: float
) -> int | None:
    from platform_sdk.deploy.apply import Turn, apply_service
    from platform_sdk.deploy.release.lock import owner_of

    (spec,) = specs
    turn = Turn(owner=owner_of(os.environ), wait_minutes=wait_minutes)
    return apply_service(spec, environment, run.tools, turn).grace_period_seconds


@contextmanager
def applying(
    context: click.Context,
    environment: "Environment",
    service: str | None,
    consent: Consent,
    *,
    as_json: bool,
) -> Iterator[Run]:
    """However the block ends, it is told: as lines on stderr, and with --json as one document on stdout."""
    from platform_sdk.deploy.release.context import Interrupted, Interrupts, heard

    interrupts = Interrupts()
    run, error, interrupted = Run(tools_of(environment, interrupts, consent)), None, None
    run.tools = listening(run)
    with heard(interrupts):
        try:
            yield run
        except Interrupted as signal:
            interrupted = signal
        except PlatformError as failure:
            error = failure
    if as_json:
        told_as_json(environment, service, run, error, interrupted)
    if error is not None:
        raise error
    if interrupted is not None:
        click.echo(f"interrupted: {going_on(environment, service)}", err=True)
        context.exit(128 + interrupted.signal_number)
    if not as_json:
        told_as_text(environment, service, run)


def tools_of(environment: "Environment", interrupts: "Interrupts", consent: Consent) -> "Tools":
    from platform_sdk.deploy.apply.context import Tools
    from platform_sdk.deploy.output.apply import LineRenderer

    world = outside()
    renderer = LineRenderer(lambda line: click.echo(line, err=True), world.clock.now)
    return Tools(
        aws_once=world.connect(environment),
        clock=world.clock,
        tell=renderer.render,
        agree=(lambda _question: True) if consent.yes else Asking().agree,
        interrupts=interrupts,
        replaceable=consent.replaceable,
        skippable=consent.skippable,
    )


def listening(run: Run) -> "Tools":
    """Keeps what has been done, also where it does not come to the end."""
    from dataclasses import replace

    from platform_sdk.deploy.apply.events import Ended

    paint: Callable[[ApplyEvent], None] = run.tools.tell

    def tell(event: "ApplyEvent") -> None:
        if isinstance(event, Ended):
            run.outcomes.append(event.outcome)
        paint(event)

    return replace(run.tools, tell=tell)


class Asking:
    """Asks on the terminal; who has said `all` is not asked again."""

    def __init__(self) -> None:
        self.agreed_to_all = False

    def agree(self, question: "Question") -> bool:
        from platform_sdk.deploy.apply.events import Declined

        if self.agreed_to_all:
            return True
        try:
            answer = click.prompt(
                words_of(question), type=click.Choice(["y", "n", "all"]), default="n", err=True, show_choices=True
            )
        except click.Abort:
            raise Declined(
                "nobody answered whether it may be done", hint="say --yes where nobody can be asked"
            ) from None
        self.agreed_to_all = answer == "all"
        return bool(answer != "n")


def words_of(question: "Question") -> str:
    from platform_sdk.deploy.apply.events import ToChange, ToDelete, ToGoOn

    match question:
        case ToChange():
            return f"{question.kind} {question.stack}?"
        case ToDelete():
            left = f", with {', '.join(question.left)}" if question.left else ", which holds nothing"
            return f"{question.stack} is {question.status}: delete it{left}, and create it anew?"
        case ToGoOn():
            return f"the rollback of {question.stack} stopped halfway: go on with it?"


def told_as_json(
    environment: "Environment",
    service: str | None,
    run: Run,
    error: PlatformError | None,
    interrupted: "Interrupted | None",
) -> None:
    from platform_sdk.deploy.output.apply import document

    told = document(
        environment.name,
        service,
        run.outcomes,
        still_to_do=run.still_to_do,
        database_roles=run.database_roles,
        grace_period_seconds=run.grace_period_seconds,
        error=error,
        signal_number=None if interrupted is None else interrupted.signal_number,
    )
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def told_as_text(environment: "Environment", service: str | None, run: Run) -> None:
    from platform_sdk.deploy.output.apply import summary

    if run.grace_period_seconds is not None:
        click.echo(f"tasks of {service} get {run.grace_period_seconds} s before they are asked for their health")
    click.echo(f"{service or 'shared'} in {environment.name}: {summary(run.outcomes)}")
    for name in run.database_roles:
        click.echo(f"{name} has its role and schema in the database now")
    for line in run.still_to_do:
        click.echo(f"still to do: {line}")


def going_on(environment: "Environment", service: str | None) -> str:
    command = f"platform apply {service or '--shared'} --env {environment.name}"
    return f"what is under way goes on without us; `{command}` follows it"
