"""`platform secret list`, `set` and `rotate`: the secrets that tasks read, and new values for them.

A value is read from stdin or from a prompt that does not show it. It is never an argument, and never printed.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from platform_sdk.cli.options import (
    complete_environments,
    complete_services,
    environment_option,
    errors_as_json,
    on_aws,
    outside,
    root,
    spec_named,
    starting_with,
)
from platform_sdk.cli.release import new_id, release_context
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.aws.session import Aws
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec
    from platform_sdk.deploy.release.outcome import Outcome
    from platform_sdk.deploy.secrets import SecretWork
    from platform_sdk.deploy.state import UsedSecret

HEADINGS: Final = ("SECRET", "CHANGED", "READ BY", "AS", "TASKS")


class NoValue(PlatformError):
    """Nobody gave a value."""


def complete_secrets(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the secrets of the service that is already typed, for the shell."""
    from platform_sdk.deploy.manifest import load_services

    def names() -> "Iterator[str]":
        for spec in load_services(root()):
            if spec.name == context.params.get("service"):
                yield from sorted({secret.name for secret in spec.secrets.values()})
                if spec.database is not None:
                    yield "database"

    return starting_with(incomplete, names)


@click.group()
def secret() -> None:
    """List secrets, give them new values, rotate them.

    Tasks read their secrets when they start: a new value reaches a service with its next restart or release.
    """


@secret.command("list")
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
@environment_option("The environment, which must be on AWS.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_secrets(services: tuple[str, ...], environment_name: str, as_json: bool) -> None:
    """List the secrets of services, and the tasks that are older than them.

    Prints for each secret when it was last changed, which service reads it in which variables, and whether running
    tasks have read an earlier value. No value is read. Without SERVICE: all services, and the shared passwords.
    """
    from platform_sdk.deploy.manifest import load_services
    from platform_sdk.deploy.observe import observe_secrets

    with errors_as_json(as_json):
        environment = on_aws(environment_name)
        aws = outside().connect(environment)
        every = load_services(root(), environment_name)
        specs = [spec_named(name, environment_name) for name in services] or every
        found = [each for spec in specs for each in observe_secrets(spec, environment, aws)]
    if as_json:
        document = {
            "format_version": 1,
            "environment": environment.name,
            "secrets": [_document_of(each, environment) for each in found],
        }
        click.echo(json.dumps(document, indent=2))
        return
    rows = [HEADINGS, *(_row_of(each, environment) for each in found)]
    if not services:
        rows += _shared_rows(every, environment, aws)
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _document_of(found: "UsedSecret", environment: "Environment") -> dict[str, object]:
    return {
        "name": found.name,
        "service": found.service,
        "variables": list(found.variables),
        "changed_at": found.changed_at.isoformat() if found.changed_at else None,
        "is_rotating": found.is_rotating,
        "tasks": found.tasks,
        "older_tasks": found.older,
        "next": _command_after(found, environment),
    }


def _row_of(found: "UsedSecret", environment: "Environment") -> tuple[str, ...]:
    changed = f"{found.changed_at:%Y-%m-%d %H:%M}" if found.changed_at else "unknown"
    return (found.name, changed, found.service, ", ".join(found.variables), _tasks_words(found, environment))


def _tasks_words(found: "UsedSecret", environment: "Environment") -> str:
    command = _command_after(found, environment)
    if found.is_rotating:
        return f"rotation not finished: {command}"
    if found.older:
        return f"{found.older} of {found.tasks} older: {command}"
    return "up to date" if found.tasks else "none runs"


def _command_after(found: "UsedSecret", environment: "Environment") -> str | None:
    """Return what brings all tasks to the newest value; None if they have it."""
    from platform_sdk.deploy.output.plan_words import stale_secret_command

    return stale_secret_command(found, environment.name) if found.older or found.is_rotating else None


def _shared_rows(specs: "Sequence[ServiceSpec]", environment: "Environment", aws: "Aws") -> "Iterator[tuple[str, ...]]":
    """Yield the shared passwords, which no task reads itself."""
    from platform_sdk.deploy.apply.after_creation import database_owner

    readers = ", ".join(spec.name for spec in specs if spec.cache is not None)
    if readers:
        name = f"platform/{environment.name}/cache"
        yield (name, _changed_words(name, aws), readers, "", "by the copies above")
    owner = database_owner(environment, aws)
    if owner is not None:
        changed = _changed_words(owner.secret_arn, aws)
        yield (owner.secret_arn.rpartition(":")[2], changed, "no service", "", "RDS changes it every week")


def _changed_words(name: str, aws: "Aws") -> str:
    from platform_sdk.deploy.aws import AccessDenied

    try:
        version = aws.secrets.current(name)
    except AccessDenied:
        return "unknown"
    return f"{version.created_at:%Y-%m-%d %H:%M}" if version else "unknown"


@secret.command("set")
@click.argument("service", shell_complete=complete_services)
@click.argument("name", shell_complete=complete_secrets)
@environment_option("The environment, which must be on AWS.")
def set_secret(service: str, name: str, environment_name: str) -> None:
    """Give the secret NAME of SERVICE a new value, from stdin or a prompt.

    NAME is that in platform.toml, or the variable. A secret that does not exist is created. Running tasks keep the
    value that they started with: the last line names the command that restarts them. The passwords of database and
    cache are rotated instead.

    \b
    platform secret set users token_signing_key --env production < key.pem
    """
    from platform_sdk.deploy.secrets import full_name, refuse_platform_secret, set_value

    environment, spec = on_aws(environment_name), spec_named(service, environment_name)
    full = full_name(spec, environment, name)
    refuse_platform_secret(full, spec, environment)
    work = _work_of(environment, f"platform secret set {service} {name} --env {environment_name}")
    set_value(spec, full, _read_value(full), work)
    click.echo(full)
    click.echo(f"next: platform restart {service} --env {environment_name}", err=True)


@secret.command()
@click.argument("service", required=False, shell_complete=complete_services)
@click.argument("name", required=False, shell_complete=complete_secrets)
@click.option("--shared", type=click.Choice(["cache"]), help="Rotate the password that all services share.")
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment, which must be on AWS.")  # fmt: skip
def rotate(service: str | None, name: str | None, shared: str | None, environment_name: str) -> None:
    """Rotate the secret NAME of SERVICE to the end.

    Writes a new value, restarts the services that read it, and then withdraws the old value. Until then both values
    are accepted, and no request fails. Passwords of database and cache are made; other values are read from stdin or a
    prompt. If it is interrupted anywhere, the same command continues. If a restart fails, the original tasks serve
    with the old value, and the exit code is that of `platform deploy`.

    \b
    platform secret rotate orders database --env production
    platform secret rotate --shared cache --env production
    platform secret rotate users token_signing_key --env production < key.pem
    """
    from platform_sdk.deploy.manifest import load_services
    from platform_sdk.deploy.secrets import full_name, rotate_cache, rotate_database, rotate_own

    if (shared is None) == (service is None) or (service is None) != (name is None):
        raise click.UsageError("give SERVICE and NAME, or --shared cache")
    environment = on_aws(environment_name)
    if shared is not None or service is None or name is None:
        work = _work_of(environment, f"platform secret rotate --shared cache --env {environment_name}")
        rotate_cache(load_services(root(), environment_name), work)
        return
    spec = spec_named(service, environment_name)
    full = full_name(spec, environment, name)
    work = _work_of(environment, f"platform secret rotate {service} {name} --env {environment_name}")
    match full.rpartition("/")[2]:
        case "database":
            rotate_database(spec, work)
        case "cache":
            raise click.UsageError(
                "all services share the cache's password: use `platform secret rotate --shared cache`"
            )
        case _:
            rotate_own(spec, full, lambda: _read_value(full), work)


def _read_value(name: str) -> str:
    """Return the value on stdin without its last line end, or ask for it without showing it."""
    if not sys.stdin.isatty():
        return sys.stdin.read().removesuffix("\n")
    try:
        answer: str = click.prompt(f"new value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    except click.Abort:
        raise NoValue(f"{name} keeps its value", because="nobody gave a new one") from None
    return answer


def _work_of(environment: "Environment", command: str) -> "SecretWork":
    from platform_sdk.deploy.secrets import SecretWork

    aws = outside().connect(environment)

    def restart(spec: "ServiceSpec") -> "Outcome":
        from platform_sdk.deploy.release.lock import owner_of
        from platform_sdk.deploy.release.outcome import ReleaseOptions
        from platform_sdk.deploy.release.rollback import restart as restart_tasks

        with release_context(spec, environment, aws, ReleaseOptions()) as context:
            return restart_tasks(context, by=owner_of(), id=new_id())

    return SecretWork(
        environment=environment,
        aws=aws,
        clock=outside().clock,
        report=lambda line: click.echo(line, err=True),
        restart=restart,
        command=command,
    )
