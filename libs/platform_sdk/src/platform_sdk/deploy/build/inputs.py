"""Which files a service's image is made from: those that its Dockerfile copies and .dockerignore lets through."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from platform_sdk.deploy.build.dockerfile import Dockerfile, read_dockerfile
from platform_sdk.deploy.build.ignored import Rule, expression, is_ignored, read_rules
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
