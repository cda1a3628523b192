"""The inputs of an image: what its Dockerfile copies and .dockerignore keeps, and the tag made from them. Pure."""

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from platform_sdk.deploy.manifest.tasks import Architecture
from platform_sdk.errors import PlatformError

BASE_IMAGE_ARGUMENT: Final = "PYTHON_IMAGE"
CONTINUED: Final = re.compile(r"\\[ \t]*\n")


class InvalidDockerfile(PlatformError):
    """The Dockerfile does not determine the inputs of its image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """What a Dockerfile copies. `sources` are paths or patterns below the build context, from COPY and ADD."""

    sources: tuple[str, ...]
    base_image: str


def read_dockerfile(text: str, file: str) -> Dockerfile:
    """Return what a Dockerfile copies, and its base image.

    Args:
        file: the name of the file in errors.

    Raises:
        InvalidDockerfile: no default for the base image, or an instruction whose sources depend on arguments.
    """
    sources: dict[str, None] = {}
    base_image = None
    for name, rest in instructions(text):
        if name == "ARG" and rest.startswith(f"{BASE_IMAGE_ARGUMENT}=") and base_image is None:
            base_image = rest.partition("=")[2].strip("\"'")
        elif name in ("COPY", "ADD"):
            sources.update(dict.fromkeys(_sources_of(rest, file)))
    if not base_image:
        raise InvalidDockerfile(
            f"{file} has no base image",
            because=f"there is no `ARG {BASE_IMAGE_ARGUMENT}=…` with a default",
            hint="begin it like the Dockerfiles of the other services",
        )
    return Dockerfile(sources=tuple(sources), base_image=base_image)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and arguments of each instruction. Drop comments inside continued lines, as Docker does."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in CONTINUED.sub(" ", kept).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name:
            yield name.upper(), rest.strip()


def _sources_of(rest: str, file: str) -> Iterator[str]:
    words = shlex.split(rest)
    flags = [word for word in words if word.startswith("--")]
    if any(flag.startswith("--from=") for flag in flags):
        return
    *sources, _ = [word for word in words if not word.startswith("--")]
    for source in sources:
        if "$" in source or "://" in source or source.startswith("["):
            raise InvalidDockerfile(
                f"{file} copies `{source}`",
                because="its files are known only during the build",
                hint="name a path of the repository",
            )
        yield PurePosixPath(source.lstrip("/")).as_posix()


# .dockerignore (docs.docker.com/build/concepts/context, ".dockerignore files").
# Libraries for .gitignore do not fit: there a pattern without a slash matches at every depth, here below the root only.


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line of a .dockerignore. `keeps` is true for one that starts with an exclamation mark."""

    pattern: re.Pattern[str]
    keeps: bool


def read_rules(text: str) -> tuple[Rule, ...]:
    """Parse the text of a .dockerignore. The last rule that matches a path decides."""
    return tuple(_rules_of(text))


def _rules_of(text: str) -> Iterator[Rule]:
    for line in text.splitlines():
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        keeps = written.startswith("!")
        path = PurePosixPath(written.removeprefix("!").strip().lstrip("/")).as_posix()
        yield Rule(pattern=re.compile(expression(path)), keeps=keeps)


def is_ignored(path: str, rules: tuple[Rule, ...]) -> bool:
    """Return whether a path is ignored. The last rule that matches the path or a folder above it decides."""
    inside = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
    ignored = False
    for rule in rules:
        if any(rule.pattern.fullmatch(place) for place in inside):
            ignored = not rule.keeps
    return ignored


def expression(pattern: str) -> str:
    """Return a regular expression. `*` and `?` match within a folder, `**` matches any number of folders."""
    wildcards = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", pattern)
    return "".join(part if part.startswith("[") else wildcards.get(part, re.escape(part)) for part in parts)


# Both together.

DOCKERIGNORE: Final = ".dockerignore"


class NoDockerfile(PlatformError):
    """The service has no Dockerfile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputs:
    """What an image is built from. `path` is its Dockerfile, below the repository's root (the build context)."""

    path: str
    dockerfile: Dockerfile
    rules: tuple[Rule, ...]

    def source_of(self, path: str) -> str | None:
        """Return the source of the Dockerfile that copies the file. None if the file is not in the image."""
        inside = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
        for source in self.dockerfile.sources:
            if any(re.fullmatch(expression(source), place) for place in inside) and not is_ignored(path, self.rules):
                return source
        return None

    def contains(self, path: str) -> bool:
        return path == self.path or self.source_of(path) is not None


def load_inputs(root: Path, service: str) -> ImageInputs:
    """Read the Dockerfile of a service and .dockerignore, below the root of the repository.

    Raises:
        NoDockerfile, InvalidDockerfile
    """
    path = f"services/{service}/Dockerfile"
    if not (root / path).is_file():
        raise NoDockerfile(f"{service} cannot be built", because=f"there is no {path}")
    ignored = root / DOCKERIGNORE
    return ImageInputs(
        path=path,
        dockerfile=read_dockerfile((root / path).read_text(encoding="utf-8"), path),
        rules=read_rules(ignored.read_text(encoding="utf-8") if ignored.is_file() else ""),
    )


# The tag: a digest of all inputs, in 16 hexadecimal digits.

DIGITS: Final = 16
"""64 bits: among a million images of one service, two share a tag with a probability of 1 in 37 million."""

Mode = Literal["100644", "100755", "120000"]
"""File modes of Git: a file, an executable file, a symbolic link (its content is the target)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the build context. `path` is below the repository's root, with forward slashes."""

    path: str
    mode: Mode
    content: bytes


def content_tag(files: Iterable[SourceFile], *, architecture: Architecture, base_image: str) -> str:
    """Return the tag. The base image counts without its registry: a mirror has the same image."""
    arguments = {"architecture": architecture, "base image": without_registry(base_image)}
    return digest_of(files, arguments)[:DIGITS]


def digest_of(files: Iterable[SourceFile], arguments: Mapping[str, str]) -> str:
    """Return the SHA-256 of all files and arguments, in hexadecimal."""
    # Fields cannot be confused: no path or mode has a zero byte, and contents have a digest of fixed length.
    whole = hashlib.sha256()
    for name in sorted(arguments):
        whole.update(f"{name}\0{arguments[name]}\0".encode())
    for file in sorted(files, key=lambda file: file.path.encode()):
        whole.update(f"{file.path}\0{file.mode}\0".encode() + hashlib.sha256(file.content).digest())
    return whole.hexdigest()


def without_registry(image: str) -> str:
    """Turn `public.ecr.aws/docker/library/python:3.13-slim` into `python:3.13-slim`. Keep a digest."""
    name, at, digest = image.partition("@")
    return name.rpartition("/")[2] + at + digest
