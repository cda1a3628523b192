"""Which services a change touches, and why: the dependency graph from files to images and documents.

An image follows from what its Dockerfile copies; a service's documents follow from its own platform.toml, the
environment's file, the templates, and the modules of the SDK that render them. One service's platform.toml is no input
of another's documents: who publishes an event says to which queues, and that alone is rendered.
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

# Which modules of the SDK another one needs: edges of the graph that `platform changed` follows to the renderer.

PACKAGE: Final = "platform_sdk"


def imported_files(source: Path, roots: Iterable[str]) -> set[Path]:
    """Files below `source` of the modules named and of all that they import from the SDK, directly or not.

    Args:
        source: the folder that holds the package `platform_sdk`.
        roots: modules; of a package, all that is in it.
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
    """Of a module, and of the packages that Python imports on the way to it. Nothing for a name that is no module."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = source.joinpath(*parts[:length])
        yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file())
    if whole:
        yield from source.joinpath(*parts).rglob("*.py")


def imports_of(file: Path) -> Iterator[str]:
    """Of the SDK's modules, wherever in the file: what is imported late or for types only, too."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] == PACKAGE)
            case ast.ImportFrom(module=str(module), names=names, level=0) if module.split(".")[0] == PACKAGE:
                # `from package import name` may name a module as well as something in one.
                yield from (f"{module}.{alias.name}" for alias in names)
            case _:
                pass


Kind = Literal["image", "documents"]
Edge = Literal["service", "SDK", "lock", "Dockerfile", "environment", "template", "renderer"]

SDK_SOURCE: Final = Path("libs/platform_sdk/src")
RENDERERS: Final = tuple(f"platform_sdk.deploy.{module}" for module in ("render", "manifest.load", "environment"))
APPSPEC: Final = "appspec.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A changed file, what it is an input of, and by which edge of the graph."""

    path: str
    kind: Kind
    edge: Edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A service with the reasons, by path; without any where there was nothing to compare with."""

    service: str
    reasons: tuple[Reason, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        every: tuple[Kind, ...] = ("image", "documents")
        return tuple(kind for kind in every if any(reason.kind == kind for reason in self.reasons))


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What the services of a repository are made from. `renderer` holds paths of the SDK's modules."""

    images: Mapping[str, ImageInputs]
    environments: tuple[str, ...]
    renderer: frozenset[str]

    def reasons(self, service: str, path: str) -> Iterator[Reason]:
        """Why a change of the file touches the service; nothing if it does not."""
        edge = self.image_edge(self.images[service], path)
        if edge is not None:
            yield Reason(path=path, kind="image", edge=edge)
        edge = self.documents_edge(service, path)
        if edge is not None:
            yield Reason(path=path, kind="documents", edge=edge)

    def image_edge(self, inputs: ImageInputs, path: str) -> Edge | None:
        if path in (inputs.path, DOCKERIGNORE):
            return "Dockerfile"
        source = inputs.source_of(path)
        if source is None:
            return None
        edges: dict[str, Edge] = {"services": "service", "libs": "SDK", "requirements": "lock"}
        return edges.get(PurePosixPath(source).parts[0], "Dockerfile")

    def documents_edge(self, service: str, path: str) -> Edge | None:
        if path == f"services/{service}/platform.toml":
            return "service"
        if path in self.renderer:
            return "renderer"
        if path in (APPSPEC, SMOKE_TEST.as_posix()) or PurePosixPath(path).is_relative_to(TEMPLATES):
            return "template"
        return "environment" if path in [f"{ENVIRONMENTS}/{name}.toml" for name in self.environments] else None


def load_graph(root: Path, services: Sequence[str], environment: str | None) -> Graph:
    """Reads the Dockerfiles and the SDK's imports below the repository's root.

    Args:
        environment: the one whose documents count; of all, if None.

    Raises:
        NoDockerfile, InvalidDockerfile
    """
    modules = imported_files(root / SDK_SOURCE, RENDERERS)
    return Graph(
        images={service: load_inputs(root, service) for service in services},
        environments=(environment,) if environment else tuple(environment_names(root)),
        renderer=frozenset(file.relative_to(root).as_posix() for file in modules),
    )


def touched(graph: Graph, paths: Collection[str]) -> tuple[Touched, ...]:
    """The services that the changed files touch, by name."""
    found = [
        Touched(
            service=service, reasons=tuple(reason for path in sorted(paths) for reason in graph.reasons(service, path))
        )
        for service in sorted(graph.images)
    ]
    return tuple(one for one in found if one.reasons)
