"""The files that a service's image is made from: those that its Dockerfile copies and .dockerignore lets through."""

import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from platform_sdk.deploy.build.dockerfile import Dockerfile, read_dockerfile
from platform_sdk.deploy.build.git import Git
from platform_sdk.deploy.build.ignored import Rule, expression, is_ignored, read_rules
from platform_sdk.deploy.build.tag import SourceFile
from platform_sdk.errors import PlatformError

DOCKERIGNORE: Final = ".dockerignore"


class NoDockerfile(PlatformError):
    """The service has no image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputs:
    """`path` is that of the Dockerfile, below the repository's root, which is the build context."""

    path: str
    dockerfile: Dockerfile
    rules: tuple[Rule, ...]

    def source_of(self, path: str) -> str | None:
        """What the Dockerfile copies the file by, or None if the file is not in the image."""
        inside = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
        for source in self.dockerfile.sources:
            if any(re.fullmatch(expression(source), place) for place in inside) and not is_ignored(path, self.rules):
                return source
        return None

    def contains(self, path: str) -> bool:
        return path == self.path or self.source_of(path) is not None


def dockerfile_path(service: str) -> str:
    return f"services/{service}/Dockerfile"


def load_inputs(root: Path, service: str) -> ImageInputs:
    """Reads the service's Dockerfile and .dockerignore below the repository's root.

    Raises:
        NoDockerfile, InvalidDockerfile
    """
    path = dockerfile_path(service)
    if not (root / path).is_file():
        raise NoDockerfile(f"{service} cannot be built", because=f"there is no {path}")
    ignored = root / DOCKERIGNORE
    return ImageInputs(
        path=path,
        dockerfile=read_dockerfile((root / path).read_text(encoding="utf-8"), path),
        rules=read_rules(ignored.read_text(encoding="utf-8") if ignored.is_file() else ""),
    )


def read_inputs(root: Path, inputs: ImageInputs) -> tuple[SourceFile, ...]:
    """The files as they are now, committed or not, by path. What git ignores is none of them.

    Raises:
        GitFailed
    """
    git = Git(root)
    paths = git.files() if git.is_clone() else sorted(walked(root, inputs.dockerfile.sources, inputs.path))
    return tuple(file for path in paths if inputs.contains(path) for file in read_file(root, path))


def walked(root: Path, sources: Iterable[str], dockerfile: str) -> set[str]:
    """What is below the copied paths of a folder that is no clone."""
    found = {dockerfile}
    for source in sources:
        for place in root.glob(source):
            files = place.rglob("*") if place.is_dir() and not place.is_symlink() else iter([place])
            found.update(file.relative_to(root).as_posix() for file in files if file.is_symlink() or file.is_file())
    return found


def read_file(root: Path, path: str) -> Iterator[SourceFile]:
    """Nothing for a file that git knows and that is deleted."""
    place = root / path
    if place.is_symlink():
        yield SourceFile(path=path, mode="120000", content=str(place.readlink()).encode())
    elif place.is_file():
        executable = place.stat().st_mode & stat.S_IXUSR
        yield SourceFile(path=path, mode="100755" if executable else "100644", content=place.read_bytes())
