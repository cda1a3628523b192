"""What a Dockerfile says of its inputs: the paths that it copies from the build context, and its base image."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from platform_sdk.errors import PlatformError

BASE_IMAGE_ARGUMENT: Final = "PYTHON_IMAGE"
CONTINUED: Final = re.compile(r"\\[ \t]*\n")


class InvalidDockerfile(PlatformError):
    """A Dockerfile from which the inputs of its image do not follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """`sources` are paths or patterns below the build context, as COPY and ADD name them."""

    sources: tuple[str, ...]
    base_image: str


def read_dockerfile(text: str, file: str) -> Dockerfile:
    """Args:
        file: what an error calls it.

    Raises:
        InvalidDockerfile: no default for the base image, or an instruction whose sources depend on arguments.
    """
    sources: dict[str, None] = {}
    base_image = None
    for name, rest in instructions(text):
        if name == "ARG" and rest.startswith(f"{BASE_IMAGE_ARGUMENT}=") and base_image is None:
            base_image = rest.partition("=")[2].strip("\"'")
        elif name in ("COPY", "ADD"):
            sources.update(dict.fromkeys(sources_of(rest, file)))
    if not base_image:
        raise InvalidDockerfile(
            f"{file} does not say what its image is based on",
            because=f"there is no `ARG {BASE_IMAGE_ARGUMENT}=…` with a default",
            hint="start it as those of the other services start",
        )
    return Dockerfile(sources=tuple(sources), base_image=base_image)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Name and the rest of each; a comment within a continued line is left out, as the builder does."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in CONTINUED.sub(" ", kept).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name:
            yield name.upper(), rest.strip()


def sources_of(rest: str, file: str) -> Iterator[str]:
    words = shlex.split(rest)
    flags = [word for word in words if word.startswith("--")]
    if any(flag.startswith("--from=") for flag in flags):
        return
    *sources, _ = [word for word in words if not word.startswith("--")]
    for source in sources:
        if "$" in source or "://" in source or source.startswith("["):
            raise InvalidDockerfile(
                f"{file} copies `{source}`",
                because="which files that are is known only while the image is built",
                hint="name a path of the repository",
            )
        yield PurePosixPath(source.lstrip("/")).as_posix()
