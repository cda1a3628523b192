"""`platform scale`: change the number of tasks, in platform.toml and on AWS."""

import json
from typing import TYPE_CHECKING

import click

from platform_sdk.cli.apply import Consent, Run, apply_one, applying, specs_of
from platform_sdk.cli.options import complete_environments, complete_services, errors_as_json, on_aws, root
from platform_sdk.errors import PlatformError

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
        refuse_more(service, environment, run)
    except PlatformError:
        undo_edit(service, before)
        raise
    try:
        apply_one(specs_of(service, environment), environment, run, wait_minutes=0)
    except Declined:
        undo_edit(service, before)
        raise


def undo_edit(service: str, before: str) -> None:
    from platform_sdk.deploy.manifest.edit import write

    write(root(), service, before)
    click.echo(f"services/{service}/platform.toml is unchanged", err=True)


def refuse_more(service: str, environment: "Environment", run: Run) -> None:
    from platform_sdk.deploy.apply import current_plan
    from platform_sdk.deploy.config_errors import listed
    from platform_sdk.deploy.output.plan_words import unsound_words

    (spec,) = specs_of(service, environment)
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
