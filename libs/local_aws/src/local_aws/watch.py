"""`platform up` watches sources: what a developer saves runs a second or two later."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

import platform_sdk
from local_aws.region import Region
from local_aws.settings import Tell
from platform_sdk.errors import PlatformError

# Shared by all services; its deploy half runs in none of them.
_SDK: Final = Path(platform_sdk.__file__).parent
_NOT_RUN_BY_TASKS: Final = ("deploy", "cli.py")
_QUIET_MILLISECONDS: Final = 200


async def watch_sources(region: Region, tell: Tell) -> None:
    """Replaces the tasks of every service whose sources change; ends only when it is cancelled, or cannot watch."""
    directories = {service.name: service.directory for service in region.services.values()}
    folders = [*directories.values(), _SDK]
    try:
        async for batch in awatch(*folders, watch_filter=_is_source, debounce=_QUIET_MILLISECONDS, step=50):
            paths = [Path(path) for _, path in batch]
            names = affected_services(paths, directories, _SDK)
            if names:
                await _replace(region, names, paths, tell)
    except (OSError, RuntimeError) as error:  # too many files to watch, or a folder that is gone
        tell(f"sources are no longer watched: {error}")


async def _replace(region: Region, names: list[str], paths: list[Path], tell: Tell) -> None:
    tell(f"changed: {', '.join(sorted({path.name for path in paths}))}; replacing the tasks of {', '.join(names)}")
    try:
        await region.replace_services(names, migrate=any("migrations" in path.parts for path in paths))
    except PlatformError as error:
        tell(f"the running tasks stay as they are: {error}")


def affected_services(paths: Iterable[Path], directories: dict[str, Path], sdk: Path) -> list[str]:
    """The services whose tasks run any of the changed files, by name."""
    affected: set[str] = set()
    for path in paths:
        if path.is_relative_to(sdk):
            if path.relative_to(sdk).parts[0] not in _NOT_RUN_BY_TASKS:
                affected.update(directories)
            continue
        for name, directory in directories.items():
            if path.is_relative_to(directory) and _is_run_by_tasks(path.relative_to(directory)):
                affected.add(name)
    return sorted(affected)


def _is_run_by_tasks(path: Path) -> bool:
    return path == Path("platform.toml") or path.parts[0] in ("src", "migrations")


def _is_source(_: Change, path: str) -> bool:
    return Path(path).suffix in (".py", ".toml", ".json", ".sql") and "__pycache__" not in path
