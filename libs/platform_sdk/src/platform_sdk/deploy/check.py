"""`platform check`: read every platform.toml for every environment, and render it without keeping the documents."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from platform_sdk.deploy.config_errors import ConfigError, InvalidConfiguration
from platform_sdk.deploy.cost.prices import PRICES, load_assumptions
from platform_sdk.deploy.environment import (
    Environment,
    environment_names,
    load_environment,
    refuse_unknown,
    service_names,
)
from platform_sdk.deploy.manifest import read_files, sources_in
from platform_sdk.deploy.manifest.topology import Source
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.render.names import Role, limited_names
from platform_sdk.deploy.render.service_stack import StackTooLarge, render_service_stack
from platform_sdk.deploy.render.task_definition import (
    StopTimeoutTooShort,
    TaskDefinitionTooLarge,
    render_task_definition,
)
from platform_sdk.deploy.shared import TEMPLATES, load_shared_stacks

# Limits of AWS that only all files together, or the rendered documents, can exceed. Errors are added to the files'
# documents, so that they have a line.

# Elastic Load Balancing's quotas: 100 target groups of one load balancer (two of a service) cannot be raised, nor the
# 128 characters of a path pattern. ECS: 100 variables of a container, of which CloudFormation drops more in silence.
MAX_SERVICES: Final = 50
MAX_PATTERN: Final = 128
MAX_VARIABLES: Final = 100


def check_limits(sources: Sequence[Source], environment: Environment) -> None:
    """Check the limits of every file that has no error so far."""
    on_aws = environment.aws_endpoint_url is None
    for place, source in enumerate(sources):
        if on_aws and place >= MAX_SERVICES:
            _refuse_one_more(source, environment, len(sources))
        if source.document.errors:
            continue
        _check_names(source, environment)
        _check_task_definition(source, environment, "api")
        if source.spec.worker is not None:
            _check_task_definition(source, environment, "worker")
        _check_stack(source, environment)


def _refuse_one_more(source: Source, environment: Environment, count: int) -> None:
    reason = (
        f"is one of {count} services of {environment.name}, and a load balancer has 100 target groups, "
        f"two of each of {MAX_SERVICES} services"
    )
    source.document.error(("service", "path"), reason, "serve it below the path of another service")


def _check_names(source: Source, environment: Environment) -> None:
    for kind, name, most, path in limited_names(source.spec, environment.name):
        if len(name) > most:
            reason = f'the {kind} "{name}" would have {len(name)} characters, and AWS takes {most}'
            source.document.error(path, reason, f"shorten it by {len(name) - most}")
    pattern = f"{source.spec.path}/*"
    if len(pattern) > MAX_PATTERN:
        reason = f"the pattern {pattern} has {len(pattern)} characters, and AWS takes {MAX_PATTERN}"
        source.document.error(("service", "path"), reason, f"shorten it by {len(pattern) - MAX_PATTERN}")


def _check_task_definition(source: Source, environment: Environment, role: Role) -> None:
    spec = source.spec
    try:
        document = render_task_definition(spec, environment, image=f"{spec.name}:check", role=role)
    except StopTimeoutTooShort as error:
        source.document.error(("task", "stop_timeout_seconds"), f"{error.what}: {error.because}", error.hint)
        return
    except TaskDefinitionTooLarge as error:
        source.document.error(("environment",), f"{error.what}; {error.because}", error.hint)
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
        source.document.error((key,), reason, "put several into one JSON value")


def _check_stack(source: Source, environment: Environment) -> None:
    try:
        render_service_stack(source.spec, environment)
    except StackTooLarge as error:
        source.document.error(("queues",), error.what, error.hint)


def check(root: Path, names: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """Check the named services, or all. Return the names of the services and environments that were checked.

    A service is checked as it is in each environment. All services are checked against each other, but only errors of
    the named ones count.

    Raises:
        UnknownName: no such service.
        InvalidConfiguration: with every error of every file.
    """
    known = service_names(root)
    refuse_unknown("service", names, known)
    chosen = [name for name in known if name in (names or known)]
    environments = environment_names(root)
    files = read_files(root)
    errors: list[ConfigError] = []
    for name in environments:
        sources = sources_in(name, files)
        try:
            environment = load_environment(root, name)
        except InvalidConfiguration as invalid:
            errors.extend(invalid.errors)
        else:
            check_limits(sources, environment)
            if not any(source.document.errors for source in sources):
                errors.extend(shared_errors(root, environment, [source.spec for source in sources]))
            check_stack_names(root, sources)
        for source in sources:
            if source.spec.directory.name in chosen:
                errors.extend(source.document.errors)
    if errors:
        raise InvalidConfiguration(errors)
    return chosen, environments


def check_stack_names(root: Path, sources: Sequence[Source]) -> None:
    """Refuse a service whose stack would have the name of a shared one, such as `platform-production-network` or
    `platform-production-registry-orders`.
    """
    names = {source.spec.name for source in sources}
    for template in sorted(path.stem for path in (root / TEMPLATES).glob("*.yaml")):
        for source in sources:
            name = source.spec.name
            if name == template or (name.startswith(f"{template}-") and name.removeprefix(f"{template}-") in names):
                reason = f'its stack would have the name of one that services share: "{template}" is one of those'
                source.document.error(("service", "name"), reason, "give the service another name")


def shared_errors(root: Path, environment: Environment, services: Sequence[ServiceSpec]) -> Iterator[ConfigError]:
    """Yield the errors of `[stacks]` and `[cost]`, which environments on AWS have if there are templates and prices.

    An average outside the bounds of scaling is no error, so that scaling a service needs no edit of an environment.
    """
    if environment.aws_endpoint_url is not None or not services:
        return
    tables: dict[Path, Callable[[], object]] = {
        TEMPLATES: lambda: load_shared_stacks(root, environment, services),
        PRICES: lambda: load_assumptions(root, environment.name, services),
    }
    for folder, read in tables.items():
        try:
            if (root / folder).is_dir():
                read()
        except InvalidConfiguration as invalid:
            yield from invalid.errors
