"""The services that what has happened since a revision touches; all of them, where there is none to compare with."""

from dataclasses import dataclass
from pathlib import Path

from platform_sdk.deploy.build.changed import Touched, load_graph, touched
from platform_sdk.deploy.build.git import Git
from platform_sdk.deploy.repository import service_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """`everything` says why every service is listed, where nothing could be compared; then they have no reasons."""

    since: str | None
    services: tuple[Touched, ...]
    everything: str | None = None


def changes_since(root: Path, revision: str | None, environment: str | None = None) -> Changes:
    """Compares the files as they are now, committed or not, with the revision.

    Args:
        environment: the one whose documents count; of all, if None.

    Raises:
        NoHistory, UnknownRevision, GitFailed, NoDockerfile, InvalidDockerfile
    """
    services, git = service_names(root), Git(root)
    if revision is None:
        why = "no revision was given to compare with" if git.is_clone() else "this folder has no history of git"
        every = tuple(Touched(service=service, reasons=()) for service in services)
        return Changes(since=None, services=every, everything=why)
    paths = git.changed_since(revision)
    return Changes(since=revision, services=touched(load_graph(root, services, environment), paths))
