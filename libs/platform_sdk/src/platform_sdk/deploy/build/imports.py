"""Which modules of the SDK another one needs: edges of the graph that `platform changed` follows to the renderer."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

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
