"""The first stage: turn a target into revisions. The same document is not registered again."""

from datetime import datetime
from functools import partial
from typing import Final

from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.tasks import StandaloneTask
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import COMMIT_TAG, COMMITTED_AT_TAG, DOCUMENT_TAG, VERSION_TAG, document_digest
from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.events import Registered
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.outcome import ExistingRevisions, NewImage, Release
from platform_sdk.deploy.render.names import service_name
from platform_sdk.deploy.render.task_definition import Json, render_standalone_task, render_task_definition
from platform_sdk.deploy.state import ServiceState, TaskDefinition

MAX_LOOKBACK: Final = 25
"""Revisions of a family."""


def register(context: ReleaseContext, state: ServiceState) -> ExistingRevisions:
    """Return the revisions to run. Those of a new image are registered, unless the same document is already."""
    match context.release.target:
        case ExistingRevisions() as revisions:
            return revisions
        case NewImage(uri=uri):
            return _register_image(context, state, uri)


def _register_image(context: ReleaseContext, state: ServiceState, image: str) -> ExistingRevisions:
    spec, environment = context.spec, context.environment
    api = render_task_definition(spec, environment, image=image)
    worker = None
    if spec.worker is not None:
        document = render_task_definition(spec, environment, image=image, role="worker")
        worker = registered(context, "worker", document, known_of(state, "worker"))
    return ExistingRevisions(worker=worker, api=registered(context, "api", api, known_of(state, "api")))


def register_tasks(context: ReleaseContext, state: ServiceState) -> None:
    """Register the `[[tasks]]` of a version that serves all users.

    Not before: schedules start the newest revision of a family. A restart changes no version, so none of them.

    Raises:
        ReleaseEnded: not all of them could be registered.
    """
    if context.release.kind == "restart":
        return
    try:
        for task in context.spec.tasks:
            _register_task(context, task, state.standalone_revisions.get(task.name))
    except AwsCallFailed as error:
        version = context.release.version
        what = f"{version} serves all users, but not all of its [[tasks]] are registered: {error.what}"
        raise ReleaseEnded("timed_out", what, resume=context.repeat_command) from error


def _register_task(context: ReleaseContext, task: StandaloneTask, newest: TaskDefinition | None) -> None:
    match context.release.target:
        case NewImage(uri=uri):
            document = render_standalone_task(context.spec, context.environment, task, image=uri)
            registered(context, task.name, document, (newest,))
        case ExistingRevisions():
            register_again(context, task.name, newest)


def register_again(context: ReleaseContext, name: str, newest: TaskDefinition | None) -> None:
    """Make an earlier revision of a task the newest one of its family, for a rollback."""
    version = context.release.version
    if newest is None or newest.tags.get(VERSION_TAG) == version:
        return
    for number in range(newest.revision - 1, max(0, newest.revision - MAX_LOOKBACK), -1):
        earlier = context.aws.ecs.revision(f"{newest.family}:{number}")
        if earlier is not None and earlier.tags.get(VERSION_TAG) == version:
            again = context.retry.run(partial(context.aws.ecs.register, earlier.document, earlier.tags))
            context.emit(Registered(role=name, revision=again.arn, reused=False))
            return
    context.warn(
        f"the task {name} stays at {newest.tags.get(VERSION_TAG) or 'its registered revision'}",
        f"no revision of {newest.family} is of {version}",
    )


def known_of(state: ServiceState, role: str) -> tuple[TaskDefinition | None, ...]:
    """Return the revisions to compare with, the live one first: if it is the same document, there is nothing to
    release.
    """
    live = state.api_revision if role == "api" else state.worker_revision
    return live, state.newer_revisions.get(role)


def registered(context: ReleaseContext, role: str, document: Json, known: tuple[TaskDefinition | None, ...]) -> str:
    """Return the ARN of a revision with this document."""
    family, digest = str(document["family"]), document_digest(document)
    revision = same(known, family, digest)
    reused = revision is not None
    if revision is None:
        tags = tags_of(document, context.release, digest)
        bare = {key: value for key, value in document.items() if key != "tags"}
        revision = context.retry.run(
            lambda: context.aws.ecs.register(bare, tags),
            find_result=lambda: same((context.aws.ecs.revision(family),), family, digest),
        )
    context.emit(Registered(role=role, revision=revision.arn, reused=reused))
    return revision.arn


def same(known: tuple[TaskDefinition | None, ...], family: str, digest: str) -> TaskDefinition | None:
    """Return a revision with the document. One that was deregistered starts no task, so it is registered again."""
    usable = (each for each in known if each and each.active and each.family == family)
    return next((each for each in usable if each.tags.get(DOCUMENT_TAG) == digest), None)


def tags_of(document: Json, release: Release, digest: str) -> dict[str, str]:
    """Return the document's own tags, and those that a later release reads from a revision."""
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


# The commit of a version that was not built from the files here, as its revision's tags name it.

COMMIT_LOOKUPS: Final = 100
"""Deployments to search."""


def commit_of_version(
    aws: Aws, spec: ServiceSpec, environment: Environment, version: str
) -> tuple[str | None, datetime | None]:
    """Return None where no revision of the version is known, or its tags do not say.

    Raises:
        AwsCallFailed
    """
    revision = revision_of_version(aws, service_name(spec, environment), version)
    if revision is None:
        return None, None
    written = revision.tags.get(COMMITTED_AT_TAG)
    return revision.tags.get(COMMIT_TAG), datetime.fromisoformat(written) if written else None


def revision_of_version(aws: Aws, name: str, version: str) -> TaskDefinition | None:
    """Return the newest revision of the family, which may belong to a release that failed, or what a deployment
    released.
    """
    newest = aws.ecs.revision(name)
    if newest is not None and newest.tags.get(VERSION_TAG) == version:
        return newest
    for deployment in aws.codedeploy.deployments(name, name, most=COMMIT_LOOKUPS):
        description = parse_description(deployment.description)
        if description is not None and description.version == version:
            return aws.ecs.revision(description.revision)
    return None
