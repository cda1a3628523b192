"""What AWS refuses although every file is right by itself: limits that only all files together, or what is rendered
from them, can exceed. Faults go into the documents, so that they have a line.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.topology import Source
from platform_sdk.deploy.names import limited_names
from platform_sdk.deploy.render import Role, task_definition
from platform_sdk.deploy.render.service_stack import StackTooLarge, render_service_stack
from platform_sdk.deploy.render.task_definition import StopTimeoutTooShort, TaskDefinitionTooLarge

# Elastic Load Balancing's quotas: 100 target groups of one load balancer (two of a service) cannot be raised, nor the
# 128 characters of a path pattern. ECS: 100 variables of a container, of which CloudFormation drops more in silence.
MAX_SERVICES: Final = 50
MAX_PATTERN: Final = 128
MAX_VARIABLES: Final = 100


def check_limits(sources: Sequence[Source], environment: Environment) -> None:
    """Of every file without a fault so far."""
    on_aws = environment.aws_endpoint_url is None
    for place, source in enumerate(sources):
        if on_aws and place >= MAX_SERVICES:
            refuse_one_more(source, environment, len(sources))
        if source.document.faults:
            continue
        check_names(source, environment)
        for role in roles_of(source):
            check_task_definition(source, environment, role)
        check_stack(source, environment)


def refuse_one_more(source: Source, environment: Environment, count: int) -> None:
    reason = (
        f"is one of {count} services of {environment.name}, and a load balancer has 100 target groups, "
        f"two of each of {MAX_SERVICES} services"
    )
    source.document.fault(("service", "path"), reason, "serve it below the path of another service")


def check_names(source: Source, environment: Environment) -> None:
    for kind, name, most, path in limited_names(source.spec, environment.name):
        if len(name) > most:
            reason = f'the {kind} "{name}" would have {len(name)} characters, and AWS takes {most}'
            source.document.fault(path, reason, f"shorten it by {len(name) - most}")
    pattern = f"{source.spec.path}/*"
    if len(pattern) > MAX_PATTERN:
        reason = f"the pattern {pattern} has {len(pattern)} characters, and AWS takes {MAX_PATTERN}"
        source.document.fault(("service", "path"), reason, f"shorten it by {len(pattern) - MAX_PATTERN}")


def roles_of(source: Source) -> Iterator[Role]:
    yield "api"
    if source.spec.worker is not None:
        yield "worker"


def check_task_definition(source: Source, environment: Environment, role: Role) -> None:
    spec = source.spec
    try:
        document = task_definition(spec, environment, image=f"{spec.name}:check", role=role)
    except StopTimeoutTooShort as error:
        source.document.fault(("task", "stop_timeout_seconds"), f"{error.what}: {error.because}", error.hint)
        return
    except TaskDefinitionTooLarge as error:
        source.document.fault(("environment",), f"{error.what}; {error.because}", error.hint)
        return
    containers = document["containerDefinitions"]
    assert isinstance(containers, list), "a task definition has a list of containers"
    app = containers[0]
    count = len(app["environment"]) + len(app["secrets"])
    if count > MAX_VARIABLES:
        own = len(spec.environment) + len(spec.secrets)
        reason = (
            f"the container would have {count} variables and secrets, {own} of them yours; AWS takes {MAX_VARIABLES}"
        )
        key = "environment" if spec.environment else "secrets"
        source.document.fault((key,), reason, "put several into one JSON value")


def check_stack(source: Source, environment: Environment) -> None:
    try:
        render_service_stack(source.spec, environment)
    except StackTooLarge as error:
        source.document.fault(("queues",), error.what, error.hint)
