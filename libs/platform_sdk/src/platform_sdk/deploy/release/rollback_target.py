"""Choose the revision to roll back to: by default the last that served all users well, not just the one before. And
the one that a restart keeps.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from platform_sdk.deploy.config_errors import listed
from platform_sdk.deploy.release.context import ReleaseContext
from platform_sdk.deploy.release.history import (
    Served,
    is_placeholder,
    rolled_back_from,
    served,
    served_with,
    version_of,
    worker_of,
)
from platform_sdk.deploy.release.outcome import ExistingRevisions
from platform_sdk.deploy.release.preflight.version import image_in, port_in
from platform_sdk.deploy.render.codedeploy import AppSpec, parse_appspec
from platform_sdk.deploy.state import ServiceState, TaskDefinition
from platform_sdk.errors import PlatformError

MAX_SHOWN: Final = 5
"""Candidates named in an error."""


class NoRollbackTarget(PlatformError):
    """There is no such revision, or it cannot run any more."""


def rollback_target(context: ReleaseContext, live: str, to: str | None) -> tuple[str, ExistingRevisions]:
    """Return the version and its revisions.

    Args:
        live: the ARN of the revision to leave; empty where none serves all users.
        to: an image tag, or a revision as number, `family:number` or ARN; None for the last good one.

    Raises:
        NoRollbackTarget: with the candidates.
    """
    known = list(served(context))
    before, rejected = list(_others(known, live)), rolled_back_from(known)
    if to is None:
        for each in before:
            found = revision(context, each.revision) if each.revision not in rejected else None
            because = unusable(context, found, each.version) if found is not None else None
            if found is not None and because is None:
                return _target_of(context, found, each.version, known)
            if because is not None:
                context.warn(f"{each.version or each.revision} is left out: {because}", again(context, each.version))
        raise NoRollbackTarget(
            f"there is no revision of {context.spec.name} to roll back to",
            because=_no_candidate([each for each in before if each.revision in rejected]),
            hint=f"`{context.history_command}`",
        )
    found = revision(context, revision_named(context, to, known))
    because = "there is no such revision" if found is None else unusable(context, found, version_of(found))
    if found is None or because is not None:
        raise NoRollbackTarget(
            f"{context.spec.name} cannot be rolled back to {to}",
            because=because,
            hint=f"choose one that served well: {_candidates(before)}; or {again(context, version_of(found))}",
        )
    return _target_of(context, found, version_of(found), known)


def _target_of(
    context: ReleaseContext, found: TaskDefinition, version: str, known: Iterable[Served]
) -> tuple[str, ExistingRevisions]:
    version = version_of(found) or version or f"revision-{found.revision}"
    appspec = without_missing_hooks(context, recorded_appspec(context, found, known))
    return version, ExistingRevisions(api=found.arn, worker=worker_of(context, version), appspec=appspec)


def recorded_appspec(context: ReleaseContext, found: TaskDefinition, known: Iterable[Served]) -> AppSpec:
    """Return what the revision was last released with. Where AWS does not keep that, the revision names the port."""
    for each in known:
        if each.revision == found.arn:
            recorded = parse_appspec(context.aws.codedeploy.appspec_of(each.deployment_id) or "")
            if recorded is not None:
                return recorded
    return AppSpec(container_port=port_in(found.document), hooks={})


def without_missing_hooks(context: ReleaseContext, appspec: AppSpec) -> AppSpec:
    """Leave out hooks whose function was deleted since: CodeDeploy would fail, and the version has served well."""
    missing = {name for name in appspec.hooks.values() if not context.aws.lambdas.exists(name)}
    for name in sorted(missing):
        context.warn(f"the hook {name} is left out", "the version was released with it, but the function is gone")
    return replace(appspec, hooks={event: name for event, name in appspec.hooks.items() if name not in missing})


def _no_candidate(rejected: list[Served]) -> str:
    if not rejected:
        return "no other one has served well"
    return f"{_candidates(rejected)} was rolled back from; use --to to restore it"


def _others(found: Iterable[Served], live: str) -> Iterator[Served]:
    seen = {live}
    for each in found:
        if each.revision not in seen:
            seen.add(each.revision)
            yield each


def revision_named(context: ReleaseContext, to: str, known: Iterable[Served]) -> str:
    """Return the revision as ECS takes it. A tag of 16 digits is no revision number: those are short."""
    if to.isdecimal() and len(to) < 10:
        return f"{context.api}:{to}"
    found = next((each for each in known if each.version == to), None) or served_with(context, to)
    return to if found is None else found.revision


def revision(context: ReleaseContext, name: str) -> TaskDefinition | None:
    """Return a revision of the API's family; None for any other."""
    found = context.aws.ecs.revision(name) if ":" in name else None
    return found if found is not None and found.family == context.api else None


def unusable(context: ReleaseContext, found: TaskDefinition, version: str) -> str | None:
    """Return why a revision of the API, or the worker's that belongs to it, cannot run; None if both can."""
    if not found.active:
        return f"{found.family}:{found.revision} was deregistered"
    worker = worker_of(context, version_of(found) or version)
    if worker is not None:
        registered = context.aws.ecs.revision(worker)
        if registered is None or not registered.active:
            return f"its worker's {worker.rsplit('/', 1)[-1]} was deregistered"
    uri = image_in(found.document) or ""
    name, _, digest = uri.partition("@")
    if "amazonaws.com" not in name:
        return None
    wanted = digest or name.rpartition(":")[2]
    image = context.aws.images.image(context.spec.name, wanted)
    return f"its image {wanted} is not in ECR any more" if image is None else None


def again(context: ReleaseContext, version: str) -> str:
    """Return how to serve a version whose revision is gone."""
    return f"`{context.release_command(version or 'VERSION')}` registers its document again, and serves it"


def _candidates(found: list[Served]) -> str:
    names = [f"{each.revision.rsplit('/', 1)[-1]} ({each.version or 'version unknown'})" for each in found[:MAX_SHOWN]]
    more = [f"{len(found) - MAX_SHOWN} more"] if len(found) > MAX_SHOWN else []
    return listed(names + more) if names else "none"


# What a restart keeps.


class NothingToRestart(PlatformError):
    """A service of which no version runs."""


def restart_target(context: ReleaseContext, state: ServiceState) -> tuple[str, ExistingRevisions]:
    """Return the version that serves and its revisions, with the AppSpec that the API's was released with.

    Raises:
        NothingToRestart
    """
    found = state.api_revision
    if state.api is None or found is None or is_placeholder(context, state.api.task_definition):
        raise NothingToRestart(
            f"{context.spec.name} has no tasks to restart in {context.environment.name}",
            because="no version of it has been released",
            hint=f"`platform deploy {context.spec.name} --env {context.environment.name}` releases one",
        )
    version, target = _target_of(context, found, "", served(context))
    return version, replace(target, worker=worker_to_restart(context, state, version))


def worker_to_restart(context: ReleaseContext, state: ServiceState, version: str) -> str | None:
    """Return the worker's revision (ARN): the one that runs, unless a release that did not end left another version."""
    if state.worker is None:
        return None
    running = state.worker.task_definition
    if version_of(state.worker_revision) == version:
        return running
    paired = worker_of(context, version)
    return paired or (None if is_placeholder(context, running) else running)
