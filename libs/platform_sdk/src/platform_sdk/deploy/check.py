"""`platform check`: reads all that teams write, for every environment, renders it, and throws the documents away."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from platform_sdk.deploy.cost.assumptions import load_assumptions
from platform_sdk.deploy.cost.prices import FOLDER as PRICES
from platform_sdk.deploy.environment import Environment, load_environment
from platform_sdk.deploy.faults import Fault, InvalidConfiguration
from platform_sdk.deploy.limits import check_limits
from platform_sdk.deploy.manifest import read_files, sources_in
from platform_sdk.deploy.manifest.topology import Source
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.repository import environment_names, refuse_unknown, service_names
from platform_sdk.deploy.shared import TEMPLATES, load_shared_stacks


def check(root: Path, names: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """Checks the named services, or all; answers the names of the services and environments that it found in order.

    A service is checked as it is in each environment. Services are checked against each other in any case, but only
    faults of the named ones count.

    Raises:
        UnknownName: no such service.
        InvalidConfiguration: with every fault of every file.
    """
    known = service_names(root)
    refuse_unknown("service", names, known)
    chosen = [name for name in known if name in (names or known)]
    environments = environment_names(root)
    files = read_files(root)
    faults: list[Fault] = []
    for name in environments:
        sources = sources_in(name, files)
        try:
            environment = load_environment(root, name)
        except InvalidConfiguration as error:
            faults.extend(error.faults)
        else:
            check_limits(sources, environment)
            if not any(source.document.faults for source in sources):
                faults.extend(shared_faults(root, environment, [source.spec for source in sources]))
            check_stack_names(root, sources)
        for source in sources:
            if source.spec.directory.name in chosen:
                faults.extend(source.document.faults)
    if faults:
        raise InvalidConfiguration(faults)
    return chosen, environments


def check_stack_names(root: Path, sources: Sequence[Source]) -> None:
    """A service's stack stands beside those that all services share, and beside those that each service has of them:
    `platform-production-network`, `platform-production-registry-orders`.
    """
    names = {source.spec.name for source in sources}
    for template in sorted(path.stem for path in (root / TEMPLATES).glob("*.yaml")):
        for source in sources:
            name = source.spec.name
            if name == template or (name.startswith(f"{template}-") and name.removeprefix(f"{template}-") in names):
                reason = f'its stack would be called like one that services share: "{template}" names one of those'
                source.document.fault(("service", "name"), reason, "give the service another name")


def shared_faults(root: Path, environment: Environment, services: Sequence[ServiceSpec]) -> Iterator[Fault]:
    """Of the tables `[stacks]` and `[cost]`, which environments on AWS have in a repository with templates and prices.

    An average outside of the bounds of scaling is none: who edits a service need not touch the environment's file.
    """
    if environment.aws_endpoint_url is not None or not services:
        return
    tables: dict[Path, Callable[[], object]] = {
        TEMPLATES: lambda: load_shared_stacks(root, environment, services),
        PRICES: lambda: load_assumptions(root, environment.name, services, within_bounds=False),
    }
    for folder, read in tables.items():
        try:
            if (root / folder).is_dir():
                read()
        except InvalidConfiguration as error:
            yield from error.faults
