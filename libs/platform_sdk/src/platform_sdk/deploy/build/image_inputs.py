"""Which files a service's image is made from: those that its Dockerfile copies and .dockerignore lets through."""

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from platform_sdk.deploy.manifest.tasks import Architecture
from platform_sdk.errors import PlatformError

# What a Dockerfile says of its inputs: the paths that it copies from the build context, and its base image.

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


# Which files .dockerignore keeps out (docs.docker.com/build/concepts/context, ".dockerignore files").
# Libraries for .gitignore do not fit: there a pattern without a slash matches at every depth, here below the root only.


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`keeps` is a line that starts with an exclamation mark."""

    pattern: re.Pattern[str]
    keeps: bool


def read_rules(text: str) -> tuple[Rule, ...]:
    return tuple(rules_of(text))


def rules_of(text: str) -> Iterator[Rule]:
    for line in text.splitlines():
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        keeps = written.startswith("!")
        path = PurePosixPath(written.removeprefix("!").strip().lstrip("/")).as_posix()
        yield Rule(pattern=re.compile(expression(path)), keeps=keeps)


def is_ignored(path: str, rules: tuple[Rule, ...]) -> bool:
    """The last rule decides that names the path or a folder above it."""
    inside = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
    ignored = False
    for rule in rules:
        if any(rule.pattern.fullmatch(place) for place in inside):
            ignored = not rule.keeps
    return ignored


def expression(pattern: str) -> str:
    """`*` and `?` stay within a folder, `**` stands for any number of folders, none included."""
    said = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", pattern)
    return "".join(part if part.startswith("[") else said.get(part, re.escape(part)) for part in parts)


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


# The name of an image: what it is made from, in 16 hexadecimal digits. Pure; the same on every machine.

DIGITS: Final = 16
"""64 bits: among a million images of one service, two share a name with a probability of 1 in 37 million."""

Mode = Literal["100644", "100755", "120000"]
"""Of git: a file, one that may be executed, a symbolic link (its content is where it leads)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """`path` is below the repository's root, with forward slashes."""

    path: str
    mode: Mode
    content: bytes


def content_tag(files: Iterable[SourceFile], *, architecture: Architecture, base_image: str) -> str:
    """The base image counts without its registry: a mirror's copy is the same image."""
    told = {"architecture": architecture, "base image": without_registry(base_image)}
    return digest_of(files, told)[:DIGITS]


def digest_of(files: Iterable[SourceFile], arguments: Mapping[str, str]) -> str:
    """Nothing can move from one field to the next: no path or mode holds a zero byte, and contents are hashed."""
    whole = hashlib.sha256()
    for name in sorted(arguments):
        whole.update(f"{name}\0{arguments[name]}\0".encode())
    for file in sorted(files, key=lambda file: file.path.encode()):
        whole.update(f"{file.path}\0{file.mode}\0".encode() + hashlib.sha256(file.content).digest())
    return whole.hexdigest()


def without_registry(image: str) -> str:
    """`public.ecr.aws/docker/library/python:3.13-slim` to `python:3.13-slim`; a digest stays."""
    name, at, digest = image.partition("@")
    return name.rpartition("/")[2] + at + digest
