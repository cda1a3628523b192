"""Where the repository is, and what the command line finds in it by name."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from platform_sdk.deploy.config_errors import did_you_mean, listed
from platform_sdk.deploy.toml_document import Form
from platform_sdk.errors import PlatformError

ENVIRONMENT_NAME: Final = Form(re.compile(r"[a-z][a-z0-9]{1,11}"), "2 to 12 lower-case letters and digits")


class NotInRepository(PlatformError):
    """The current folder is not inside the platform's repository."""


class UnknownName(PlatformError):
    """No service, or no queue, has the name."""


def find_root(start: Path) -> Path:
    """The closest folder at or above `start` that holds `services` and `deploy/environments`.

    Raises:
        NotInRepository
    """
    for folder in (start, *start.parents):
        if (folder / "services").is_dir() and (folder / "deploy" / "environments").is_dir():
            return folder
    raise NotInRepository(
        f"{start} is not inside the platform's repository",
        because="neither it nor a folder above it holds `services` and `deploy/environments`",
        hint="change into your clone",
    )


def service_names(root: Path) -> list[str]:
    """The folders of services/ that hold a platform.toml, whether or not it can be read."""
    return sorted(path.parent.name for path in root.glob("services/*/platform.toml"))


def environment_names(root: Path) -> list[str]:
    """The files of deploy/environments, whether or not they can be read."""
    return sorted(path.stem for path in root.glob("deploy/environments/*.toml"))


def refuse_unknown(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises UnknownName for the first of the names that is not among the known ones."""
    for _, error in unknown(kind, names, known):
        raise error


def unknown(kind: str, names: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, UnknownName]]:
    """Each of the names that is not among the known ones, with what there is to say about it."""
    known = sorted(known)
    for name in names:
        if name not in known:
            because = f"the {kind}s are {listed(known)}"
            yield name, UnknownName(f"there is no {kind} `{name}`", because=because, hint=did_you_mean(name, known))
