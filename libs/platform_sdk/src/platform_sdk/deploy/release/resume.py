"""`platform wait`: follow a release that another process left, also long after that process is gone, or a deployment
that somebody made in the console.

CodeDeploy continues without it. The process that sees the end does the rest: the worker returns with the API,
scaling is restored, and the outcome is reported.
"""

from dataclasses import replace

from platform_sdk.deploy.plan.diff import COMMIT_TAG
from platform_sdk.deploy.release.concurrency import acquire_lock_if_free
from platform_sdk.deploy.release.context import ReleaseContext
from platform_sdk.deploy.release.deployment import DeploymentFailed, await_rollback, follow, traffic_baseline
from platform_sdk.deploy.release.events import DeploymentCreated
from platform_sdk.deploy.release.execute import conclude, rescue
from platform_sdk.deploy.release.history import (
    BY_CODEDEPLOY,
    Description,
    is_placeholder,
    parse_description,
    revision_in_appspec,
    version_at,
    worker_revision,
)
from platform_sdk.deploy.release.outcome import ExistingRevisions, NewImage, Outcome, Release
from platform_sdk.deploy.release.preflight.version import image_in
from platform_sdk.deploy.release.recovery import recover_interrupted_release
from platform_sdk.deploy.release.traffic_shift import confirm, end_with_bake, following_of
from platform_sdk.deploy.release.worker import return_worker_on_failure
from platform_sdk.deploy.render.names import arn
from platform_sdk.deploy.state import Deployment, ServiceState
from platform_sdk.errors import PlatformError


class NotARelease(PlatformError):
    """AWS does not keep what the deployment released."""


def wait(deployment: Deployment, context: ReleaseContext) -> Outcome:
    """Return the outcome of a deployment, even if others follow it too. Of one that CodeDeploy made to roll another one
    back, follow that other one: its release returns the worker.

    Raises:
        NotARelease
        AwsCallFailed: before anything was seen.
    """
    if deployment.rolls_back:
        deployment = context.aws_once.codedeploy.deployment(deployment.rolls_back) or deployment
    description = parse_description(deployment.description) or described(context, deployment)
    context.start(release_of(description, context))
    context.report_start()
    with conclude(context), acquire_lock_if_free(context), rescue(context):
        recover_interrupted_release(context)
        state = context.observe()
        restore_journal(context, deployment, description, state)
        with return_worker_on_failure(context):
            follow_to_end(context, deployment, state)
    return context.outcome


def described(context: ReleaseContext, deployment: Deployment) -> Description:
    """Return what a deployment that was made outside this tool does, as its AppSpec and its revision say."""
    revision = revision_in_appspec(context, deployment)
    if not revision:
        raise NotARelease(
            f"{deployment.id} cannot be followed: it was made outside this tool, and AWS does not keep its AppSpec",
            because=f"it was made by {deployment.creator or 'an unknown creator'}",
            hint=f"`{context.status_command}` shows what runs; `{context.history_command}` lists the releases",
        )
    name = revision.rsplit("/", 1)[-1]
    return Description(
        kind="release",
        version=version_at(context, revision) or name,
        commit=None,
        revision=name,
        by="CodeDeploy" if deployment.creator == BY_CODEDEPLOY else deployment.creator or "unknown",
        id=deployment.id,
    )


def release_of(description: Description, context: ReleaseContext) -> Release:
    """Return the release as it was, as far as the deployment and its revision say."""
    revision = context.aws_once.ecs.revision(description.revision)
    uri = image_in(revision.document) if revision else None
    worker = None
    if description.worker is not None:
        worker = worker_revision(description.worker, context.spec, context.environment)
    api = arn(context.environment, "ecs", f"task-definition/{description.revision}")
    return Release(
        id=description.id,
        kind=description.kind,
        service=context.spec.name,
        environment=context.environment.name,
        version=description.version,
        target=NewImage(uri=uri)
        if description.kind == "release" and uri
        else ExistingRevisions(api=api, worker=worker),
        commit=revision.tags.get(COMMIT_TAG) if revision else description.commit,
        committed_at=None,
        by=description.by,
    )


def follow_to_end(context: ReleaseContext, deployment: Deployment, state: ServiceState) -> None:
    """Raise ReleaseEnded with how the deployment ended, or that it has no end yet."""
    journal = context.journal
    baseline = traffic_baseline(state, journal.previous_revision)
    context.emit(DeploymentCreated(deployment_id=deployment.id, revision=journal.revision, adopted=True))
    following = following_of(context, deployment.id, journal.revision, baseline)
    # Who made it in the console decides when to stop it.
    following = replace(following, may_stop=parse_description(deployment.description) is not None)
    try:
        with context.stage("shift"):
            seen = follow(context, following, "traffic")
            confirm(context, following, seen, journal.revision)
        end_with_bake(context, following, seen, journal.revision, state)
    except DeploymentFailed as failed:
        await_rollback(context, failed, baseline)


def restore_journal(
    context: ReleaseContext, deployment: Deployment, description: Description | None, state: ServiceState
) -> None:
    """Fill in what the release knew, from its description and from what runs. Without a description the deployment was
    made outside this tool, and has no worker.
    """
    journal, spec, environment = context.journal, context.spec, context.environment
    journal.deployment_id = deployment.id
    journal.revision = replacement_revision(context, deployment)
    journal.previous_revision = original_revision(state, journal.revision)
    if description is None:
        return
    if description.kind == "restart":
        journal.previous_revision = journal.revision
    if description.worker is not None:
        journal.worker_revision = worker_revision(description.worker, spec, environment)
        journal.worker_rolled = state.worker is not None and state.worker.task_definition == journal.worker_revision
    if description.worker_before is not None:
        journal.worker_before = worker_revision(description.worker_before, spec, environment)
    elif is_placeholder(context, journal.previous_revision):
        journal.worker_before = journal.previous_revision


def replacement_revision(context: ReleaseContext, deployment: Deployment) -> str:
    """Return the revision (ARN) that a deployment leads to; empty where AWS does not keep it."""
    description = parse_description(deployment.description)
    if description is None:
        return revision_in_appspec(context, deployment)
    return arn(context.environment, "ecs", f"task-definition/{description.revision}")


def original_revision(state: ServiceState, replacement: str) -> str:
    """Return the revision that serves beside the replacement; empty where there is none. Once all traffic has shifted,
    the primary task set is the replacement. In a restart both have the same one.
    """
    live = state.api.task_definition if state.api else ""
    if live != replacement:
        return live
    sets = [each.task_definition for each in state.api.task_sets] if state.api else []
    return next((each for each in sets if each != replacement), replacement if len(sets) > 1 else "")
