"""`platform up` watches sources: a saved change runs a second or two later."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

import platform_sdk
from local_aws.local_stack import LocalStack
from local_aws.settings import Report
from platform_sdk.errors import PlatformError

# Shared by all services; its deploy half runs in none of them.
_SDK: Final = Path(platform_sdk.__file__).parent
_NOT_RUN_BY_TASKS: Final = ("deploy", "cli.py")
_QUIET_MILLISECONDS: Final = 200


Changes = AsyncIterator[set[tuple[Change, str]]]


class SourceWatch:
    """Watches from its creation on, so that no change between the start of a task and the first read is missed."""

    def __init__(self, local_stack: LocalStack, report: Report) -> None:
        self._local_stack = local_stack
        self._report = report
        self._directories = {service.name: service.directory for service in local_stack.services.values()}
        folders = [*self._directories.values(), _SDK]
        self._changes: Changes = awatch(*folders, watch_filter=_is_source, debounce=_QUIET_MILLISECONDS, step=50)
        self._next = asyncio.ensure_future(anext(self._changes))

    async def run(self) -> None:
        """Replace the tasks of every service whose sources change; end only when cancelled, or if it cannot watch."""
        try:
            while True:
                batch = await self._next
                self._next = asyncio.ensure_future(anext(self._changes))
                await self._replace_tasks([Path(path) for _, path in batch])
        except (OSError, RuntimeError) as error:  # too many files to watch, or a folder that is gone
            self._report(f"sources are no longer watched: {error}")
        finally:
            self._next.cancel()

    async def _replace_tasks(self, paths: list[Path]) -> None:
        names = affected_services(paths, self._directories, _SDK)
        if not names:
            return
        files = ", ".join(sorted({path.name for path in paths}))
        self._report(f"changed: {files}; replacing the tasks of {', '.join(names)}")
        try:
            await self._local_stack.replace_services(names, migrate=any("migrations" in path.parts for path in paths))
        except PlatformError as error:
            self._report(f"the running tasks stay as they are: {error}")


def affected_services(paths: Iterable[Path], directories: dict[str, Path], sdk: Path) -> list[str]:
    """Return the services whose tasks run any of the changed files, by name."""
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
