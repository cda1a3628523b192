"""`platform plan`: what would change on AWS and in dollars."""

import json
import os
import sys
from typing import TYPE_CHECKING, Literal

import click

from platform_sdk.cli_arguments import complete_environments, complete_services, root
from platform_sdk.cli_outside import errors_as_json, on_aws, outside
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from platform_sdk.deploy.aws.session import Aws
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.plan import CostBasis, Plan, SharedPlan
    from platform_sdk.deploy.spec import ServiceSpec


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
@click.option("--shared", is_flag=True, help="Instead of services: the stacks that all of them share.")
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment to look at.")  # fmt: skip
@click.option("--image", "tag", metavar="TAG",
              help="Plan the release of this image of one service; without it, each keeps its own.")  # fmt: skip
@click.option("--markdown", "form", flag_value="markdown", help="Print Markdown, for a pull request.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.pass_context
def plan(
    context: click.Context,
    services: tuple[str, ...],
    shared: bool,
    environment_name: str,
    tag: str | None,
    form: Literal["markdown", "json"] | None,
) -> None:
    """Say what would change on AWS, and what that costs a month.

    \b
    Compares what platform.toml asks for with what is on AWS, of the named services or of all:
      +  comes          -  goes, or leaves the stack and is kept
      ~  changes        !  was changed past us, for example in the console

    Only reads. Which target group is live, which revision runs and how many tasks are for releases and scaling to say,
    and no change. Exits with 0 if there is nothing to do, with 2 if there is, drift included, and with 1 on an error;
    a service that cannot be planned is told after all the others.
    """
    if shared and (services or tag):
        raise click.UsageError("--shared is of no service: leave out the services and --image")
    if tag is not None and len(services) != 1:
        raise click.UsageError("--image is of one service: name it")
    with errors_as_json(form == "json"):
        environment = on_aws(environment_name)
        aws = outside().connect(environment)
        if shared:
            found = shared_plan(environment, aws)
            click.echo(reported(environment, (), found, {}, None, form), nl=False)
            context.exit(found.exit_code)
        plans, failures = service_plans(services, environment, tag, aws)
        click.echo(reported(environment, plans, None, failures, tag, form), nl=False)
        context.exit(1 if failures else max((each.exit_code for each in plans), default=0))


def service_plans(
    names: "Sequence[str]", environment: "Environment", tag: str | None, aws: "Aws"
) -> "tuple[tuple[Plan, ...], Mapping[str, PlatformError]]":
    """And by service why it cannot be planned: that is no reason to say nothing of the others.

    Raises:
        UnknownName: none of the services is here.
    """
    from platform_sdk.deploy.faults import counted
    from platform_sdk.deploy.observe import observe_image, observe_services
    from platform_sdk.deploy.plan import plan_service
    from platform_sdk.deploy.repository import unknown
    from platform_sdk.deploy.spec import load_services

    specs = load_services(root(), environment.name)
    known = [spec.name for spec in specs]
    failures: dict[str, PlatformError] = dict(unknown("service", names, known))
    chosen = [spec for spec in specs if spec.name in (names or known)]
    if not chosen and failures:
        raise next(iter(failures.values()))
    cost = cost_basis(environment, specs)
    click.echo(f"reading {counted(len(chosen), 'service')} of {environment.name} on AWS", err=True)
    image = observe_image(chosen[0].name, tag, environment, aws) if tag is not None else None
    states = observe_services(chosen, environment, aws)
    plans = []
    for spec in chosen:
        try:
            plans.append(plan_service(spec, environment, states[spec.name], image=image, cost=cost))
        except PlatformError as error:
            failures[spec.name] = error
    return tuple(plans), failures


def cost_basis(environment: "Environment", services: "Sequence[ServiceSpec]") -> "CostBasis | None":
    """None where nobody has looked the region's prices up."""
    from platform_sdk.deploy.cost import UnknownRegion, load_assumptions, load_prices
    from platform_sdk.deploy.plan import CostBasis

    try:
        prices = load_prices(root(), environment.region)
    except UnknownRegion as error:
        click.echo(f"warning: the plan says nothing about cost: {error.what}", err=True)
        return None
    assumptions = load_assumptions(root(), environment.name, services, within_bounds=False)
    return CostBasis(assumptions=assumptions, prices=prices)


def shared_plan(environment: "Environment", aws: "Aws") -> "SharedPlan":
    from platform_sdk.deploy.observe import observe_shared
    from platform_sdk.deploy.plan import plan_shared
    from platform_sdk.deploy.shared import load_shared_stacks
    from platform_sdk.deploy.spec import load_services

    stacks = load_shared_stacks(root(), environment, load_services(root(), environment.name))
    templates = {stack.name: (root() / stack.template).read_text(encoding="utf-8") for stack in stacks}
    click.echo(f"reading {len(stacks)} shared stacks of {environment.name} on AWS", err=True)
    return plan_shared(environment.name, stacks, templates, observe_shared(stacks, aws))


def reported(
    environment: "Environment",
    plans: "Sequence[Plan]",
    shared: "SharedPlan | None",
    failures: "Mapping[str, PlatformError]",
    tag: str | None,
    form: Literal["markdown", "json"] | None,
) -> str:
    from platform_sdk.deploy.report import as_document, as_markdown, as_text, coloured

    match form:
        case "json":
            document = as_document(environment.name, plans, shared, tag=tag, failures=failures)
            return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        case "markdown":
            return as_markdown(plans, shared, tag=tag, failures=failures)
        case None:
            text = as_text(plans, shared, tag=tag, failures=failures)
            return coloured(text) if wants_colour(sys.stdout, os.environ) else text


def wants_colour(stream: "TextIO", variables: "Mapping[str, str]") -> bool:
    """A terminal whose owner has not said otherwise (no-color.org)."""
    return stream.isatty() and not variables.get("NO_COLOR")
