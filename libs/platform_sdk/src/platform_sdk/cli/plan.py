"""`platform plan`, `cost` and `render`: show what would change, its cost, and the documents. They write nothing."""

import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

import click

from platform_sdk.cli.options import (
    complete_services,
    environment_named,
    environment_option,
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
    from platform_sdk.deploy.render.names import Role
    from platform_sdk.deploy.state import ServiceState, UsedSecret

Document = Literal["task-definition", "appspec", "stack"]
DOCUMENTS: Final[tuple[Document, ...]] = ("task-definition", "appspec", "stack")


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
@click.option("--shared", is_flag=True, help="Plan the shared stacks instead of services.")
@environment_option("The environment to compare with.")
@click.option("--image", "tag", metavar="TAG", help="Plan the release of this image. Needs one service.")
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
    """Show what would change on AWS, and its monthly cost.

    \b
    Compares platform.toml with AWS, for the named services or for all:
      +  create         -  delete, or remove from the stack and keep on AWS
      ~  update         !  changed outside this tool, for example in the console

    Reads AWS and changes nothing. The live target group, the running revision and the number of tasks are no changes:
    releases and scaling decide them.

    Exits with 0 if everything is up to date, with 2 if there is something to do (drift included), and with 1 on an
    error. Services that cannot be planned are listed last.
    """
    if shared and (services or tag):
        raise click.UsageError("--shared does not go with services or --image")
    if tag is not None and len(services) != 1:
        raise click.UsageError("--image needs exactly one service")
    with errors_as_json(form == "json"):
        environment = on_aws(environment_name)
        aws = outside().connect(environment)
        if shared:
            found = _shared_plan(environment, aws)
            click.echo(_reported(environment, (), found, {}, None, form), nl=False)
            context.exit(found.exit_code)
        plans, failures = service_plans(services, environment, tag, aws)
        click.echo(_reported(environment, plans, None, failures, tag, form), nl=False)
        context.exit(1 if failures else max((each.exit_code for each in plans), default=0))


def service_plans(
    names: "Sequence[str]", environment: "Environment", tag: str | None, aws: "Aws"
) -> "tuple[tuple[Plan, ...], Mapping[str, PlatformError]]":
    """Return the plans, and by service the errors of those that cannot be planned.

    Raises:
        UnknownName: none of the named services exists.
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
    secrets = secrets_of_services(chosen, environment, aws)

    def plan_of(spec: "ServiceSpec", state: "ServiceState") -> "Plan":
        return plan_service(spec, environment, state, image=image, cost=cost, secrets=secrets[spec.name])

    plans = []
    for spec in chosen:
        try:
            plans.append(plan_of(spec, states[spec.name]))
        except PlatformError as error:
            failures[spec.name] = error
    return tuple(plans), failures


def secrets_of_services(
    specs: "Sequence[ServiceSpec]", environment: "Environment", aws: "Aws"
) -> "Mapping[str, Sequence[UsedSecret]]":
    """Return the secrets by service. None where the caller may not look: a plan needs no secret."""
    from platform_sdk.deploy.aws import AccessDenied
    from platform_sdk.deploy.observe import in_parallel, observe_secrets

    def read(spec: "ServiceSpec") -> "Sequence[UsedSecret]":
        try:
            return observe_secrets(spec, environment, aws)
        except AccessDenied:
            return ()

    return dict(zip((spec.name for spec in specs), in_parallel(read, specs), strict=True))


def cost_basis(environment: "Environment", services: "Sequence[ServiceSpec]") -> "CostBasis | None":
    """Return what to estimate costs with. None, with a warning, if there are no prices for the region."""
    from platform_sdk.deploy.cost.prices import UnknownRegion, load_assumptions, load_prices
    from platform_sdk.deploy.plan.cost import CostBasis

    try:
        prices = load_prices(root(), environment.region)
    except UnknownRegion as error:
        click.echo(f"warning: the plan has no costs: {error.what}", err=True)
        return None
    assumptions = load_assumptions(root(), environment.name, services)
    return CostBasis(assumptions=assumptions, prices=prices)


def _shared_plan(environment: "Environment", aws: "Aws") -> "SharedPlan":
    from platform_sdk.deploy.manifest import load_services
    from platform_sdk.deploy.observe import observe_shared
    from platform_sdk.deploy.plan import plan_shared
    from platform_sdk.deploy.shared import load_shared_stacks

    stacks = load_shared_stacks(root(), environment, load_services(root(), environment.name))
    templates = {stack.name: (root() / stack.template).read_text(encoding="utf-8") for stack in stacks}
    click.echo(f"reading {len(stacks)} shared stacks of {environment.name} on AWS", err=True)
    return plan_shared(environment.name, stacks, templates, observe_shared(stacks, aws))


def _reported(
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
    """Return whether the stream is a terminal and NO_COLOR is not set (no-color.org)."""
    return stream.isatty() and not variables.get("NO_COLOR")


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_services)
@environment_option("The environment, which must be on AWS.")
@click.option("--compare", "with_comparison", is_flag=True, help="Compare with the architecture's own estimate.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every quantity, price, date and source.")
def cost(services: tuple[str, ...], environment_name: str, with_comparison: bool, as_json: bool) -> None:
    """Estimate the monthly cost of an environment, line by line.

    Reads platform.toml, the environment file with its assumptions (table [cost]: average tasks, requests and so on),
    and the prices in deploy/prices. Name services to see only their own lines, without what all services share. Does
    not call AWS.
    """
    from platform_sdk.deploy.cost import load_estimate
    from platform_sdk.deploy.cost.comparison import compare
    from platform_sdk.deploy.output import cost as report

    if services and with_comparison:
        raise click.UsageError("--compare does not go with services: the architecture's estimate is for all of them")
    estimate = load_estimate(root(), environment_name, services)
    comparison = compare(estimate) if with_comparison else None
    if as_json:
        click.echo(json.dumps(report.as_json(estimate, comparison), indent=2))
    else:
        click.echo(report.as_text(estimate, comparison), nl=False)


@click.command()
@click.argument("service", required=False, shell_complete=complete_services)
@click.option("--shared", is_flag=True, help="Print the shared stacks instead of a service.")
@environment_option("The environment to render for.", default="local")
@click.option("--document", type=click.Choice(DOCUMENTS), help="Print only this document.")
@click.option("--role", type=click.Choice(["api", "worker"]), help="Print only this task definition.")
@click.option("--image", metavar="IMAGE", help="The image of the app. Default: SERVICE:dev")
@click.option("--revision", type=click.IntRange(1), default=1, show_default=True,
              help="The task definition revision in the AppSpec.")  # fmt: skip
def render(
    service: str | None,
    shared: bool,
    environment_name: str,
    document: Document | None,
    role: "Role | None",
    image: str | None,
    revision: int,
) -> None:
    """Print the AWS documents of a service, or the shared stacks.

    \b
    task-definition   JSON, for `aws ecs register-task-definition --cli-input-json`; of the API, or of --role worker
    appspec           YAML, for `aws deploy create-deployment`
    stack             YAML, for `aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM`

    Without --document and --role, prints all of them as one YAML stream. The documents work without this tool.
    `platform up` starts its tasks from the same documents.

    --shared prints the shared stacks (network, data, cluster, edge, pipelines and so on) in the order in which to
    create them, each with its parameters. Does not call AWS.
    """
    if service is None or shared:
        if service is not None or not shared or document or role:
            raise click.UsageError("name a service, or use --shared, which goes with --env only")
        click.echo("".join(f"---\n{text}" for text in shared_stacks(environment_named(environment_name))), nl=False)
        return
    if role is not None and document not in (None, "task-definition"):
        raise click.UsageError(f"--role does not go with --document {document}, which is the same for both roles")
    spec, environment = spec_named(service, environment_name), environment_named(environment_name)
    image = image or f"{service}:dev"
    match document or ("task-definition" if role else None):
        case "task-definition":
            texts = [json.dumps(_task_definition(spec, environment, image, role or "api"), indent=2) + "\n"]
        case "appspec":
            texts = [_appspec(spec, environment, revision)]
        case "stack":
            texts = [stack(spec, environment)]
        case None:
            texts = [f"---\n{text}" for text in every_document(spec, environment, image, revision)]
    click.echo("".join(texts), nl=False)


def shared_stacks(environment: "Environment") -> Iterator[str]:
    """Yield the template of each shared stack, below its name and parameters as comments."""
    from platform_sdk.deploy.manifest import load_services
    from platform_sdk.deploy.shared import load_shared_stacks

    for stack in load_shared_stacks(root(), environment, load_services(root(), environment.name)):
        parameters = [f"#   {name}: {json.dumps(value)}\n" for name, value in stack.parameters.items()]
        head = f"# The stack {stack.name}, from {stack.template}, with these parameters:\n{''.join(parameters)}"
        yield head + (root() / stack.template).read_text(encoding="utf-8")


def every_document(spec: "ServiceSpec", environment: "Environment", image: str, revision: int) -> Iterator[str]:
    """Yield each document of a service as YAML, below a comment that names it."""
    from platform_sdk.deploy.render.cloudformation import to_yaml
    from platform_sdk.deploy.render.task_definition import render_standalone_task

    yield f"# The task definition of the API.\n{to_yaml(_task_definition(spec, environment, image, 'api'))}"
    if spec.worker is not None:
        yield f"# The task definition of the worker.\n{to_yaml(_task_definition(spec, environment, image, 'worker'))}"
    for task in spec.tasks:
        document = render_standalone_task(spec, environment, task, image=image)
        yield f"# The task definition of the task {task.name}.\n{to_yaml(document)}"
    yield _appspec(spec, environment, revision)
    yield f"# The stack, for CloudFormation.\n{stack(spec, environment)}"


def _task_definition(spec: "ServiceSpec", environment: "Environment", image: str, role: "Role") -> dict[str, object]:
    from platform_sdk.deploy.render.task_definition import render_task_definition

    return render_task_definition(spec, environment, image=image, role=role)


def _appspec(spec: "ServiceSpec", environment: "Environment", revision: int) -> str:
    from platform_sdk.deploy.render.codedeploy import appspec_of, load_appspec_template, render_appspec
    from platform_sdk.deploy.render.names import arn, service_name

    revised = arn(environment, "ecs", f"task-definition/{service_name(spec, environment)}:{revision}")
    return render_appspec(load_appspec_template(root()), appspec_of(spec, environment), revised)


def stack(spec: "ServiceSpec", environment: "Environment") -> str:
    """Return the CloudFormation template of a service as YAML."""
    from platform_sdk.deploy.render.cloudformation import to_yaml
    from platform_sdk.deploy.render.service_stack import render_service_stack

    return to_yaml(render_service_stack(spec, environment))
