"""Which revision a rollback goes to: by default the last that served all users well, never just the one before."""

from collections.abc import Iterable, Iterator
from typing import Final

from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.release.context import Releasing
from platform_sdk.deploy.release.history import Served, left_behind, served, served_with, version_of, worker_of
from platform_sdk.deploy.release.options import ExistingRevisions
from platform_sdk.deploy.release.preflight.version import image_in
from platform_sdk.deploy.state import TaskDefinition
from platform_sdk.errors import PlatformError

SHOWN: Final = 5
"""Revisions that are named as a way back."""


class NoWayBack(PlatformError):
    """There is no such revision, or it cannot run any more."""


class Destination:
    """A revision to go back to, with its version."""

    def __init__(self, revision: TaskDefinition, version: str, worker: str | None) -> None:
        self.version = version
        self.target = ExistingRevisions(api=revision.arn, worker=worker)


def choose(releasing: Releasing, live: str, to: str | None) -> Destination:
    """
    Args:
        live: the ARN of the revision to leave; empty where none has all users.
        to: an image tag, or a revision as number, `family:number` or ARN; the last good one where it is None.

    Raises:
        NoWayBack: with the candidates that there are.
    """
    known = list(served(releasing))
    before, left = list(others(known, live)), left_behind(known)
    if to is None:
        for each in before:
            if each.revision in left:
                continue
            found = revision(releasing, each.revision)
            if found is not None and why_not(releasing, found) is None:
                return destination(releasing, found, each.version)
        raise NoWayBack(
            f"there is no revision of {releasing.spec.name} to go back to",
            because=no_candidate([each for each in before if each.revision in left]),
            hint=f"`platform history {releasing.spec.name} --env {releasing.environment.name}`",
        )
    found = revision(releasing, named(releasing, to, known))
    because = "there is no such revision" if found is None else why_not(releasing, found)
    if found is None or because is not None:
        raise NoWayBack(
            f"{releasing.spec.name} cannot go back to {to}",
            because=because,
            hint=f"choose one that served well: {candidates(before)}; or release an image by `platform deploy --image`",
        )
    return destination(releasing, found, version_of(found))


def destination(releasing: Releasing, found: TaskDefinition, version: str) -> Destination:
    version = version_of(found) or version or f"revision {found.revision}"
    return Destination(found, version, worker_of(releasing, version))


def no_candidate(left: list[Served]) -> str:
    if not left:
        return "no other one has served well"
    return f"somebody went back from {candidates(left)}, which only --to brings again"


def others(found: Iterable[Served], live: str) -> Iterator[Served]:
    told = {live}
    for each in found:
        if each.revision not in told:
            told.add(each.revision)
            yield each


def named(releasing: Releasing, to: str, known: Iterable[Served]) -> str:
    """The revision that is meant, as ECS takes it. A tag of 16 digits is no revision number: those are short."""
    if to.isdecimal() and len(to) < 10:
        return f"{releasing.api}:{to}"
    found = next((each for each in known if each.version == to), None) or served_with(releasing, to)
    return to if found is None else found.revision


def revision(releasing: Releasing, name: str) -> TaskDefinition | None:
    """Of the API's family alone: anything else is no way back."""
    found = releasing.aws.ecs.revision(name) if ":" in name else None
    return found if found is not None and found.family == releasing.api else None


def why_not(releasing: Releasing, found: TaskDefinition) -> str | None:
    if not found.active:
        return f"{found.family}:{found.revision} was deregistered"
    uri = image_in(found.document) or ""
    name, _, digest = uri.partition("@")
    if "amazonaws.com" not in name:
        return None
    wanted = digest or name.rpartition(":")[2]
    image = releasing.aws.images.image(releasing.spec.name, wanted)
    return f"its image {wanted} is not in ECR any more" if image is None else None


def candidates(found: list[Served]) -> str:
    names = [f"{each.revision.rsplit('/', 1)[-1]} ({each.version or 'version unknown'})" for each in found[:SHOWN]]
    more = [f"{len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return listed(names + more) if names else "none"
