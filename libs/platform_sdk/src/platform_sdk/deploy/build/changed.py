"""Which services a change affects, and why: the dependency graph from files to images and documents.

An image depends on what its Dockerfile copies. The documents of a service depend on its own platform.toml, the
environment file, the templates, and the modules of the SDK that render them. They do not depend on the platform.toml of
another service: the publisher of an event names its queues.
"""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from platform_sdk.deploy.build.image_inputs import DOCKERIGNORE, ImageInputs, load_inputs
from platform_sdk.deploy.environment import FOLDER as ENVIRONMENTS
from platform_sdk.deploy.environment import environment_names
from platform_sdk.deploy.shared import SMOKE_TEST, TEMPLATES

# The imports of the SDK: which of its modules the renderers need.

PACKAGE: Final = "platform_sdk"


def imported_files(source: Path, roots: Iterable[str]) -> set[Path]:
    """Return the files of modules, and of all that they import from the SDK, directly or not.

    Args:
        source: the folder that holds the package `platform_sdk`.
        roots: names of modules. A package counts with everything in it.
    """
    waiting = [file for name in roots for file in files_of(source, name, whole=True)]
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += [found for name in imports_of(file) for found in files_of(source, name, whole=False)]
    return seen


def files_of(source: Path, name: str, *, whole: bool) -> Iterator[Path]:
    """Yield the files of a module and of the packages above it. Nothing if the name is no module."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = source.joinpath(*parts[:length])
        yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file())
    if whole:
        yield from source.joinpath(*parts).rglob("*.py")


def imports_of(file: Path) -> Iterator[str]:
    """Yield the modules of the SDK that a file imports, also in functions and for types only."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] == PACKAGE)
            case ast.ImportFrom(module=str(module), names=names, level=0) if module.split(".")[0] == PACKAGE:
                # In `from package import name`, the name may be a module or something in one.
                yield from (f"{module}.{alias.name}" for alias in names)
            case _:
                pass


Kind = Literal["image", "documents"]
Edge = Literal["service", "SDK", "lock", "Dockerfile", "environment", "template", "renderer"]

SDK_SOURCE: Final = Path("libs/platform_sdk/src")
RENDERERS: Final = tuple(f"platform_sdk.deploy.{module}" for module in ("render", "manifest.reader", "environment"))
APPSPEC: Final = "appspec.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A changed file, what depends on it, and by which edge of the graph."""

    path: str
    kind: Kind
    edge: Edge


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedService:
    """A service with reasons by path. No reasons if there was nothing to compare with."""

    service: str
    reasons: tuple[Reason, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What must be renewed: the image, the documents that are rendered from files, or both."""
        every: tuple[Kind, ...] = ("image", "documents")
        return tuple(kind for kind in every if any(reason.kind == kind for reason in self.reasons))


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The inputs of all services. `renderer` holds paths of the SDK's modules."""

    images: Mapping[str, ImageInputs]
    environments: tuple[str, ...]
    renderer: frozenset[str]

    def reasons(self, service: str, path: str) -> Iterator[Reason]:
        """Yield why a change of the file affects the service. Nothing if it does not."""
        edge = self.image_edge(self.images[service], path)
        if edge is not None:
            yield Reason(path=path, kind="image", edge=edge)
        edge = self.documents_edge(service, path)
        if edge is not None:
            yield Reason(path=path, kind="documents", edge=edge)

    def image_edge(self, inputs: ImageInputs, path: str) -> Edge | None:
        """Return how an image depends on a file; None if it does not."""
        if path in (inputs.path, DOCKERIGNORE):
            return "Dockerfile"
        source = inputs.source_of(path)
        if source is None:
            return None
        edges: dict[str, Edge] = {"services": "service", "libs": "SDK", "requirements": "lock"}
        return edges.get(PurePosixPath(source).parts[0], "Dockerfile")

    def documents_edge(self, service: str, path: str) -> Edge | None:
        """Return how a service's rendered documents depend on a file; None if they do not."""
        if path == f"services/{service}/platform.toml":
            return "service"
        if path in self.renderer:
            return "renderer"
        if path in (APPSPEC, SMOKE_TEST.as_posix()) or PurePosixPath(path).is_relative_to(TEMPLATES):
            return "template"
        return "environment" if path in [f"{ENVIRONMENTS}/{name}.toml" for name in self.environments] else None


def load_graph(root: Path, services: Sequence[str], environment: str | None) -> Graph:
    """Read the Dockerfiles and the imports of the SDK, below the root of the repository.

    Args:
        environment: consider only its documents; None for all environments.

    Raises:
        NoDockerfile, InvalidDockerfile
    """
    modules = imported_files(root / SDK_SOURCE, RENDERERS)
    return Graph(
        images={service: load_inputs(root, service) for service in services},
        environments=(environment,) if environment else tuple(environment_names(root)),
        renderer=frozenset(file.relative_to(root).as_posix() for file in modules),
    )


def affected_services(graph: Graph, paths: Collection[str]) -> tuple[AffectedService, ...]:
    """Return the services that the changed files affect, by name."""
    found = [
        AffectedService(
            service=service, reasons=tuple(reason for path in sorted(paths) for reason in graph.reasons(service, path))
        )
        for service in sorted(graph.images)
    ]
    return tuple(one for one in found if one.reasons)
