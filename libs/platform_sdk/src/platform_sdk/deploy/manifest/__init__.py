"""Read platform.toml files for an environment into typed values, or raise every error of every file."""

from collections.abc import Iterable
from pathlib import Path

from platform_sdk.deploy.config_errors import ConfigError, InvalidManifest, did_you_mean, listed
from platform_sdk.deploy.environment import ENVIRONMENT_NAME, environment_names
from platform_sdk.deploy.manifest.reader import read_service
from platform_sdk.deploy.manifest.topology import Source, check_topology
from platform_sdk.deploy.manifest.types import ENVIRONMENT_OVERRIDES, ENVIRONMENTS, ServiceSpec
from platform_sdk.deploy.toml_document import Document, parse_document, read_document


def load_spec(
    path: Path, environment: str | None = None, *, root: Path | None = None, content: bytes | None = None
) -> ServiceSpec:
    """Read one platform.toml by itself, as it is in the environment, or without regard to any.

    Errors name the file by its path below `root`, and the line of the key that counts in the environment.

    Args:
        content: what the file could hold, instead of what it does hold.

    Raises:
        InvalidManifest: with every error of the file.
    """
    source = _source_in(environment, _read_file(path, root, content))
    source.document.raise_errors(InvalidManifest)
    return source.spec


def load_services(root: Path, environment: str | None = None) -> tuple[ServiceSpec, ...]:
    """Read services/*/platform.toml below the repository's root and checks them against each other, by name.

    Raises:
        InvalidManifest: with every error of every file.
    """
    sources = sources_in(environment, read_files(root))
    errors = [error for source in sources for error in source.document.errors]
    if errors:
        raise InvalidManifest(errors)
    return tuple(sorted((source.spec for source in sources), key=lambda spec: spec.name))


def read_files(root: Path) -> list[tuple[Path, Document]]:
    """Read every platform.toml as it is written, for whatever environment, with the folder that it is in.

    Raises:
        InvalidManifest: there is none.
    """
    files = [_read_file(path, root) for path in sorted(root.glob("services/*/platform.toml"))]
    if not files:
        raise InvalidManifest(
            [ConfigError(file="services", line=None, key=None, reason="no service has a platform.toml")]
        )
    return files


def _read_file(path: Path, root: Path | None, content: bytes | None = None) -> tuple[Path, Document]:
    name = (path.relative_to(root) if root is not None and path.is_relative_to(root) else path).as_posix()
    document = read_document(path, name) if content is None else parse_document(content, name)
    check_environments(document, environment_names(root) if root else [])
    return path.parent, document


def check_environments(document: Document, known: Iterable[str]) -> None:
    """Check the names in `[environments.…]`. The keys below them are read with the environment."""
    known = list(known)
    table = document.root().optional_table(ENVIRONMENTS)
    if table is None:
        return
    table.examples = {"*": f"[{ENVIRONMENTS}.{ENVIRONMENT_OVERRIDES.example}.scaling]"}
    for name in table.names(ENVIRONMENT_NAME):
        layer = table.optional_table(name)
        if layer is not None and ENVIRONMENTS in layer.values:
            layer.error(ENVIRONMENTS, "an environment does not hold others", "write it by itself")
        if known and name not in known:
            suggestion = did_you_mean(name, known) or f"the environments are {listed(known)}"
            table.error(name, "there is no such environment", suggestion)


def sources_in(environment: str | None, files: Iterable[tuple[Path, Document]]) -> list[Source]:
    """Read the files as they are in the environment, and check them against each other. Errors are in the documents."""
    sources = [_source_in(environment, file) for file in files]
    check_topology(sources)
    return sources


def _source_in(environment: str | None, file: tuple[Path, Document]) -> Source:
    folder, document = file
    merged = document.overlaid((ENVIRONMENTS, environment or ""))
    return Source(spec=read_service(merged, folder), document=merged)
