"""Turns a target into revisions. The same document is not registered again, so a release may be repeated."""

from dataclasses import dataclass
from typing import Final

from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.plan.diff import COMMIT_TAG, COMMITTED_AT_TAG, DOCUMENT_TAG, VERSION_TAG, document_digest
from platform_sdk.deploy.release.context import Ending, Releasing
from platform_sdk.deploy.release.events import Registered, Warned
from platform_sdk.deploy.release.options import ExistingRevisions, NewImage, Release
from platform_sdk.deploy.render.task_definition import Json, render_standalone_task, render_task_definition
from platform_sdk.deploy.state import ServiceState, TaskDefinition

SERVES: Final = ("nothing_to_do", "released", "traffic_shifted")

LOOKED_BACK: Final = 25
"""Revisions of a family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """ARNs. `worker` is None where there is none, or none that goes with this version any more."""

    api: str
    worker: str | None


def register(releasing: Releasing, state: ServiceState) -> Revisions:
    match releasing.release.target:
        case ExistingRevisions(api=api, worker=worker):
            return Revisions(api=api, worker=worker)
        case NewImage(uri=uri):
            return register_all(releasing, state, uri)


def register_all(releasing: Releasing, state: ServiceState, image: str) -> Revisions:
    spec, environment = releasing.spec, releasing.environment
    api = render_task_definition(spec, environment, image=image)
    worker = None
    if spec.worker is not None:
        document = render_task_definition(spec, environment, image=image, role="worker")
        worker = registered(releasing, "worker", document, known_of(state, "worker"))
    return Revisions(worker=worker, api=registered(releasing, "api", api, known_of(state, "api")))


def with_tasks(releasing: Releasing, state: ServiceState, ending: Ending) -> Ending:
    """A version that serves brings its `[[tasks]]` with it; the ending says if it could not."""
    if ending.kind not in SERVES:
        return ending
    try:
        register_tasks(releasing, state)
    except AwsCallFailed as error:
        what = (
            f"{releasing.release.version} serves all users, but not all of its [[tasks]] are registered: {error.what}"
        )
        return Ending("timed_out", what, resume=releasing.journal.again)
    return ending


def register_tasks(releasing: Releasing, state: ServiceState) -> None:
    """Of `[[tasks]]`. Schedules start the newest revision of a family, so they are registered when the version serves
    all users, and not before.
    """
    spec, environment = releasing.spec, releasing.environment
    for task in spec.tasks:
        newest = state.standalone_revisions.get(task.name)
        match releasing.release.target:
            case NewImage(uri=uri):
                document = render_standalone_task(spec, environment, task, image=uri)
                registered(releasing, task.name, document, (newest,))
            case ExistingRevisions():
                register_again(releasing, task.name, newest)


def register_again(releasing: Releasing, name: str, newest: TaskDefinition | None) -> None:
    """A rollback makes the former revision of a task the newest one of its family."""
    version = releasing.release.version
    if newest is None or newest.tags.get(VERSION_TAG) == version:
        return
    for number in range(newest.revision - 1, max(0, newest.revision - LOOKED_BACK), -1):
        former = releasing.aws.ecs.revision(f"{newest.family}:{number}")
        if former is not None and former.tags.get(VERSION_TAG) == version:
            again = releasing.aws.ecs.register(former.document, former.tags)
            releasing.tell(Registered(role=name, revision=again.arn, reused=False))
            return
    what = f"the task {name} goes on with {newest.tags.get(VERSION_TAG) or 'what is registered'}"
    releasing.tell(Warned(what=what, hint=f"no revision of {newest.family} is of {version}"))


def known_of(state: ServiceState, role: str) -> tuple[TaskDefinition | None, ...]:
    """What runs, first: where it is the same document, there is nothing to release."""
    live = state.api_revision if role == "api" else state.worker_revision
    return live, state.newer_revisions.get(role)


def registered(releasing: Releasing, role: str, document: Json, known: tuple[TaskDefinition | None, ...]) -> str:
    """The ARN of a revision that is this document."""
    family, digest = str(document["family"]), document_digest(document)
    revision = same(known, family, digest)
    reused = revision is not None
    if revision is None:
        tags = tags_of(document, releasing.release, digest)
        bare = {key: value for key, value in document.items() if key != "tags"}
        revision = releasing.retry.run(
            lambda: releasing.aws.ecs.register(bare, tags),
            find_result=lambda: same((releasing.aws.ecs.revision(family),), family, digest),
        )
    releasing.tell(Registered(role=role, revision=revision.arn, reused=reused))
    return revision.arn


def same(known: tuple[TaskDefinition | None, ...], family: str, digest: str) -> TaskDefinition | None:
    return next(
        (each for each in known if each and each.family == family and each.tags.get(DOCUMENT_TAG) == digest),
        None,
    )


def tags_of(document: Json, release: Release, digest: str) -> dict[str, str]:
    """The document's own, and what a later release asks a revision about."""
    written = document["tags"]
    assert isinstance(written, list), "tags are a list"
    tags = {str(tag["key"]): str(tag["value"]) for tag in written} | {
        VERSION_TAG: release.version,
        DOCUMENT_TAG: digest,
    }
    if release.commit:
        tags[COMMIT_TAG] = release.commit
    if release.committed_at:
        tags[COMMITTED_AT_TAG] = release.committed_at.isoformat()
    return tags
