"""`platform scale`: another number of tasks, in platform.toml and on AWS."""

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
    """platform.toml asks for more than another number of tasks. Nothing was changed."""


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment whose bounds are meant.")  # fmt: skip
@click.option("--min", "min_tasks", type=int, metavar="TASKS", help="The smallest number of tasks.")
@click.option("--max", "max_tasks", type=int, metavar="TASKS", help="The largest number of tasks.")
@click.option("--worker", is_flag=True, help="Of the worker instead of the API.")
@click.option("--all-environments", "everywhere", is_flag=True,
              help="Edit the table that every environment without one of its own follows.")  # fmt: skip
@click.option("--edit-only", is_flag=True, help="Edit platform.toml, and leave AWS to the pipeline.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
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
    """Change how many tasks a service has at least and at most.

    Edits services/SERVICE/platform.toml, in the environment's own table `[environments.NAME.scaling]`, and nothing else
    in it; then applies that to AWS. No new revision, no traffic shift: it may be done while a release is under way.
    Commit the file afterwards, or the next apply takes the change back.

    If platform.toml asks for more than that, nothing is changed: `platform apply` brings the rest first.
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
    """Edits it, and answers the text of before."""
    from platform_sdk.deploy.environment import refuse_unknown, service_names
    from platform_sdk.deploy.manifest.edit import edit, write

    refuse_unknown("service", [service], service_names(root()))
    before, after = edit(root(), service, bounds)
    if after == before:
        click.echo(f"services/{service}/platform.toml says so already", err=True)
        return before
    write(root(), service, after)
    click.echo(f"services/{service}/platform.toml: edited [{'.'.join(bounds.path)}]; commit it", err=True)
    return before


def edit_and_apply(service: str, bounds: "Bounds", environment: "Environment", run: Run) -> None:
    """Takes the edit back where AWS was not asked to follow it."""
    from platform_sdk.deploy.apply.events import Declined

    before = edit_file(service, bounds)
    try:
        refuse_more(service, environment, run)
    except PlatformError:
        take_back(service, before)
        raise
    try:
        apply_one(specs_of(service, environment), environment, run, wait_minutes=0)
    except Declined:
        take_back(service, before)
        raise


def take_back(service: str, before: str) -> None:
    from platform_sdk.deploy.manifest.edit import write

    write(root(), service, before)
    click.echo(f"services/{service}/platform.toml is as it was before", err=True)


def refuse_more(service: str, environment: "Environment", run: Run) -> None:
    from platform_sdk.deploy.apply import planned
    from platform_sdk.deploy.config_errors import listed
    from platform_sdk.deploy.output.plan_words import unsound_words

    (spec,) = specs_of(service, environment)
    plan = planned(spec, environment, run.tools)
    if plan.stack.action == "create":
        raise NotScalingAlone(
            f"{service} has no stack in {environment.name} yet, so there is nothing to scale",
            hint=f"edit platform.toml alone with --edit-only; `platform apply {service} --env {environment.name}` "
            "creates the stack, with as many tasks as the file says",
        )
    if plan.needs_apply and not plan.is_scaling_alone:
        others = sorted(each.logical_id for each in plan.stack.resources)
        unsound = unsound_words(plan.stack.status)
        raise NotScalingAlone(
            f"{service} in {environment.name} is not as platform.toml says, and not only in the number of its tasks",
            because=f"its stack {unsound}"
            if unsound
            else f"its stack would change in {listed(others)}"
            if others
            else None,
            hint=f"look at `platform plan {service} --env {environment.name}`; "
            f"`platform apply {service} --env {environment.name}` brings it all",
        )
