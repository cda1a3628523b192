"""`platform plan`: what would change on AWS and in dollars."""

import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

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
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from platform_sdk.deploy.aws.session import Aws
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec
    from platform_sdk.deploy.plan.cost import CostBasis
    from platform_sdk.deploy.plan.decisions import Plan, SharedPlan


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
    from platform_sdk.deploy.config_errors import counted
    from platform_sdk.deploy.environment import unknown
    from platform_sdk.deploy.manifest import load_services
    from platform_sdk.deploy.observe import observe_image, observe_services
    from platform_sdk.deploy.plan import plan_service

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
    from platform_sdk.deploy.plan.cost import CostBasis

    try:
        prices = load_prices(root(), environment.region)
    except UnknownRegion as error:
        click.echo(f"warning: the plan says nothing about cost: {error.what}", err=True)
        return None
    assumptions = load_assumptions(root(), environment.name, services)
    return CostBasis(assumptions=assumptions, prices=prices)


def shared_plan(environment: "Environment", aws: "Aws") -> "SharedPlan":
    from platform_sdk.deploy.manifest import load_services
    from platform_sdk.deploy.observe import observe_shared
    from platform_sdk.deploy.plan import plan_shared
    from platform_sdk.deploy.shared import load_shared_stacks

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
    from platform_sdk.deploy.output.plan import as_markdown, as_text, coloured
    from platform_sdk.deploy.output.records import as_document

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


# `platform cost`: what an environment costs a month.


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment, one that is on AWS.")  # fmt: skip
@click.option("--compare", "with_comparison", is_flag=True,
              help="Put the architecture's own estimate beside it, and say why they differ.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every quantity, price, date and source.")
def cost(services: tuple[str, ...], environment_name: str, with_comparison: bool, as_json: bool) -> None:
    """Estimate what an environment costs a month, line by line.

    Counts what platform.toml and the environment's file ask for, with the assumptions of the table [cost] in that file
    (how many tasks on average, how many requests), at the prices in deploy/prices. Name services to see their own
    lines alone, without what all of them share. Asks nothing of AWS.
    """
    from platform_sdk.deploy.cost import compare, load_estimate
    from platform_sdk.deploy.output import cost as report

    if services and with_comparison:
        raise click.UsageError("--compare is for all services together: the architecture's estimate has no other lines")
    estimate = load_estimate(root(), environment_name, services)
    comparison = compare(estimate) if with_comparison else None
    if as_json:
        click.echo(json.dumps(report.as_json(estimate, comparison), indent=2))
    else:
        click.echo(report.as_text(estimate, comparison), nl=False)


# `platform render`: the documents of a service, or of what all services share, as AWS takes them.

if TYPE_CHECKING:
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.manifest.types import ServiceSpec
    from platform_sdk.deploy.render.names import Role

Document = Literal["task-definition", "appspec", "stack"]
DOCUMENTS: Final = ("task-definition", "appspec", "stack")


@click.command()
@click.argument("service", required=False, shell_complete=complete_services)
@click.option("--shared", is_flag=True, help="Instead of a service's documents: the stacks that all services share.")
@click.option("--env", "environment_name", default="local", show_default=True, metavar="NAME",
              shell_complete=complete_environments, help="The environment to render for.")  # fmt: skip
@click.option("--document", type=click.Choice(DOCUMENTS), help="This document alone; all of them if left out.")
@click.option("--role", type=click.Choice(["api", "worker"]),
              help="The task definition alone, of the API or of the worker.")  # fmt: skip
@click.option("--image", metavar="IMAGE", help="The image to put in; SERVICE:dev if left out.")
@click.option("--revision", type=click.IntRange(1), default=1, show_default=True,
              help="The revision of the task definition that the AppSpec names.")  # fmt: skip
def render(
    service: str | None,
    shared: bool,
    environment_name: str,
    document: Document | None,
    role: "Role | None",
    image: str | None,
    revision: int,
) -> None:
    """Print the task definitions, AppSpec and stack of a service, or the shared stacks.

    \b
    task-definition   JSON, for `aws ecs register-task-definition --cli-input-json`; of --role worker, or of the API
    appspec           YAML, for `aws deploy create-deployment`
    stack             YAML, for `aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM`

    Without --document or --role, all of them in one stream of YAML. They work without this tool; `platform up` starts
    its tasks from the same ones. --shared prints network, data, cluster, edge, pipeline and the other shared stacks in
    the order in which to create them, each with its parameters. Nothing is sent anywhere.
    """
    if service is None or shared:
        if service is not None or not shared or document or role:
            raise click.UsageError("name a service, or say --shared and an environment alone")
        for text in shared_stacks(environment_named(environment_name)):
            click.echo(f"---\n{text}", nl=False)
        return
    if role is not None and document not in (None, "task-definition"):
        raise click.UsageError(f"--role is of a task definition, and there is one {document} for both")
    spec, environment = spec_named(service, environment_name), environment_named(environment_name)
    image = image or f"{service}:dev"
    match document or ("task-definition" if role else None):
        case "task-definition":
            click.echo(json.dumps(task_definition(spec, environment, image, role or "api"), indent=2))
        case "appspec":
            click.echo(appspec(spec, environment, revision), nl=False)
        case "stack":
            click.echo(stack(spec, environment), nl=False)
        case None:
            for text in every_document(spec, environment, image, revision):
                click.echo(f"---\n{text}", nl=False)


def shared_stacks(environment: "Environment") -> Iterator[str]:
    """The template of each shared stack, below its name and parameters as comments."""
    from platform_sdk.deploy.manifest import load_services
    from platform_sdk.deploy.shared import load_shared_stacks

    for stack in load_shared_stacks(root(), environment, load_services(root(), environment.name)):
        parameters = [f"#   {name}: {json.dumps(value)}\n" for name, value in stack.parameters.items()]
        head = f"# The stack {stack.name}, from {stack.template}, with these parameters:\n{''.join(parameters)}"
        yield head + (root() / stack.template).read_text(encoding="utf-8")


def every_document(spec: "ServiceSpec", environment: "Environment", image: str, revision: int) -> Iterator[str]:
    """Yield each document of a service as YAML, below a comment that names it."""
    from platform_sdk.deploy.render.task_definition import render_standalone_task
    from platform_sdk.deploy.render.yaml import to_yaml

    yield f"# The task definition of the API.\n{to_yaml(task_definition(spec, environment, image, 'api'))}"
    if spec.worker is not None:
        yield f"# The task definition of the worker.\n{to_yaml(task_definition(spec, environment, image, 'worker'))}"
    for task in spec.tasks:
        document = render_standalone_task(spec, environment, task, image=image)
        yield f"# The task definition of the task {task.name}.\n{to_yaml(document)}"
    yield appspec(spec, environment, revision)
    yield f"# The stack, for CloudFormation.\n{stack(spec, environment)}"


def task_definition(spec: "ServiceSpec", environment: "Environment", image: str, role: "Role") -> dict[str, object]:
    from platform_sdk.deploy.render.task_definition import render_task_definition

    return render_task_definition(spec, environment, image=image, role=role)


def appspec(spec: "ServiceSpec", environment: "Environment", revision: int) -> str:
    from platform_sdk.deploy.render.appspec import load_appspec_template, render_appspec
    from platform_sdk.deploy.render.names import arn, service_name

    revised = arn(environment, "ecs", f"task-definition/{service_name(spec, environment)}:{revision}")
    return render_appspec(load_appspec_template(root()), spec, environment, revised)


def stack(spec: "ServiceSpec", environment: "Environment") -> str:
    from platform_sdk.deploy.render.service_stack import render_service_stack
    from platform_sdk.deploy.render.yaml import to_yaml

    return to_yaml(render_service_stack(spec, environment))
