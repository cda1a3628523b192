"""The files of an image as they are now, read once: what the tag is made from, and what is handed to Docker."""

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from platform_sdk.deploy.build.git import Git
from platform_sdk.deploy.build.inputs import ImageInputs
from platform_sdk.deploy.build.tag import SourceFile


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
