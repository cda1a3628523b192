"""`platform check`: reads all that teams write, renders it for every environment, and throws the documents away."""

from collections.abc import Collection
from pathlib import Path

from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.faults import Fault, InvalidConfiguration
from platform_sdk.deploy.render import task_definition
from platform_sdk.deploy.repository import environment_names, refuse_unknown, service_names
from platform_sdk.deploy.spec import ServiceSpec, load_services, load_spec


def check(root: Path, names: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """Checks the named services, or all; answers the names of the services and environments that it found in order.

    Services are checked against each other in any case, but only faults of the named ones count.

    Raises:
        UnknownName: no such service.
        InvalidConfiguration: with every fault of every file.
        PlatformError: a document cannot be rendered.
    """
    known = service_names(root)
    refuse_unknown("service", names, known)
    chosen = [name for name in known if name in (names or known)]
    faults = spec_faults(root, chosen if names else [])
    environments: list[Environment] = []
    for name in environment_names(root):
        try:
            environments.append(load_environment(root, name))
        except InvalidConfiguration as error:
            faults.extend(error.faults)
    if faults:
        raise InvalidConfiguration(faults)
    specs = [load_spec(root / "services" / name / "platform.toml", root=root) for name in chosen]
    for spec in specs:
        for environment in environments:
            render_all(spec, environment)
    return chosen, [environment.name for environment in environments]


def spec_faults(root: Path, names: Collection[str]) -> list[Fault]:
    """The faults of the named services' files, or of all."""
    try:
        load_services(root)
    except InvalidConfiguration as error:
        return [fault for fault in error.faults if not names or Path(fault.file).parent.name in names]
    return []


def render_all(spec: ServiceSpec, environment: Environment) -> None:
    image = f"{spec.name}:check"
    task_definition(spec, environment, image=image)
    if spec.worker is not None:
        task_definition(spec, environment, image=image, role="worker")
