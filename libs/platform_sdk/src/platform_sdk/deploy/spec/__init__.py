"""platform.toml: read, validated and typed; every fault of every file at once."""

from pathlib import Path

from platform_sdk.deploy.document import read_document
from platform_sdk.deploy.faults import Fault, InvalidSpec
from platform_sdk.deploy.spec.read import read_service
from platform_sdk.deploy.spec.topology import Source, check_topology
from platform_sdk.deploy.spec.types import (
    Architecture,
    CacheNeeds,
    Commands,
    DatabaseNeeds,
    Queue,
    Scaling,
    SecretReference,
    SecretStore,
    ServiceSpec,
    TaskSize,
    Worker,
)

__all__ = [
    "Architecture",
    "CacheNeeds",
    "Commands",
    "DatabaseNeeds",
    "Fault",
    "InvalidSpec",
    "Queue",
    "Scaling",
    "SecretReference",
    "SecretStore",
    "ServiceSpec",
    "TaskSize",
    "Worker",
    "load_services",
    "load_spec",
]


def load_spec(path: Path, *, root: Path | None = None) -> ServiceSpec:
    """Reads one platform.toml by itself; faults name it by its path below `root`.

    Raises:
        InvalidSpec: with every fault of the file.
    """
    source = read_source(path, root)
    source.document.refuse_faults(InvalidSpec)
    return source.spec


def load_services(root: Path) -> tuple[ServiceSpec, ...]:
    """Reads services/*/platform.toml below the repository's root and checks them against each other, by name.

    Raises:
        InvalidSpec: with every fault of every file.
    """
    sources = [read_source(path, root) for path in sorted(root.glob("services/*/platform.toml"))]
    if not sources:
        raise InvalidSpec([Fault(file="services", line=None, key=None, reason="no service has a platform.toml")])
    check_topology(sources)
    faults = [fault for source in sources for fault in source.document.faults]
    if faults:
        raise InvalidSpec(faults)
    return tuple(sorted((source.spec for source in sources), key=lambda spec: spec.name))


def read_source(path: Path, root: Path | None) -> Source:
    named = path.relative_to(root) if root is not None and path.is_relative_to(root) else path
    document = read_document(path, named.as_posix())
    return Source(spec=read_service(document, path.parent), document=document)
