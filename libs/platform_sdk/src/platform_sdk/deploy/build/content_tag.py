"""The name of an image: what it is made from, in 16 hexadecimal digits. Pure; the same on every machine."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from platform_sdk.deploy.manifest.types import Architecture

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
