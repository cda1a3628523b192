"""`platform render`: the documents of a service, or of what all services share, as AWS takes them."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

import click

from platform_sdk.cli_arguments import (
    complete_environments,
    complete_services,
    environment_named,
    root,
    spec_named,
)

if TYPE_CHECKING:
    from platform_sdk.deploy.environment import Environment
    from platform_sdk.deploy.render import Role
    from platform_sdk.deploy.spec import ServiceSpec

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
    from platform_sdk.deploy.shared import load_shared_stacks
    from platform_sdk.deploy.spec import load_services

    for stack in load_shared_stacks(root(), environment, load_services(root(), environment.name)):
        parameters = [f"#   {name}: {json.dumps(value)}\n" for name, value in stack.parameters.items()]
        head = f"# The stack {stack.name}, from {stack.template}, with these parameters:\n{''.join(parameters)}"
        yield head + (root() / stack.template).read_text(encoding="utf-8")


def every_document(spec: "ServiceSpec", environment: "Environment", image: str, revision: int) -> Iterator[str]:
    from platform_sdk.deploy.render import standalone_task
    from platform_sdk.deploy.render.yaml import to_yaml

    yield f"# The task definition of the API.\n{to_yaml(task_definition(spec, environment, image, 'api'))}"
    if spec.worker is not None:
        yield f"# The task definition of the worker.\n{to_yaml(task_definition(spec, environment, image, 'worker'))}"
    for task in spec.tasks:
        document = standalone_task(spec, environment, task, image=image)
        yield f"# The task definition of the task {task.name}.\n{to_yaml(document)}"
    yield appspec(spec, environment, revision)
    yield f"# The stack, for CloudFormation.\n{stack(spec, environment)}"


def task_definition(spec: "ServiceSpec", environment: "Environment", image: str, role: "Role") -> dict[str, object]:
    from platform_sdk.deploy.render import task_definition

    return task_definition(spec, environment, image=image, role=role)


def appspec(spec: "ServiceSpec", environment: "Environment", revision: int) -> str:
    from platform_sdk.deploy.render.appspec import load_appspec_template, render_appspec
    from platform_sdk.deploy.render.stack_names import arn, service_name

    revised = arn(environment, "ecs", f"task-definition/{service_name(spec, environment)}:{revision}")
    return render_appspec(load_appspec_template(root()), spec, environment, revised)


def stack(spec: "ServiceSpec", environment: "Environment") -> str:
    from platform_sdk.deploy.render.service_stack import render_service_stack
    from platform_sdk.deploy.render.yaml import to_yaml

    return to_yaml(render_service_stack(spec, environment))
