"""`platform wait`: goes on where another process has left a release, also long after that one is gone.

CodeDeploy needs nobody to go on. What it does not do is left to whoever sees the end: the worker goes back with the
API, scaling is restored, and the truth is told.
"""

from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.plan.diff import COMMIT_TAG
from platform_sdk.deploy.release.concurrency import if_free, without_lock
from platform_sdk.deploy.release.context import Ending, Releasing, Tools
from platform_sdk.deploy.release.deployment import DeploymentFailed, Ground, follow, ground_of, settle
from platform_sdk.deploy.release.events import DeploymentCreated, Started
from platform_sdk.deploy.release.execute import concluded, unbroken
from platform_sdk.deploy.release.history import Description, is_placeholder, parse_description
from platform_sdk.deploy.release.options import ExistingRevisions, NewImage, Order, Release
from platform_sdk.deploy.release.outcome import Outcome
from platform_sdk.deploy.release.preflight.version import image_in
from platform_sdk.deploy.release.recovery import put_right, worker_revision
from platform_sdk.deploy.release.register import with_tasks
from platform_sdk.deploy.release.traffic_shift import bake, confirm, following_of
from platform_sdk.deploy.release.worker import return_worker
from platform_sdk.deploy.render.names import arn
from platform_sdk.deploy.state import Deployment, ServiceState
from platform_sdk.errors import PlatformError


class NotARelease(PlatformError):
    """The deployment was made by hand, or by CodeDeploy to take another one back."""


def wait(deployment: Deployment, spec: ServiceSpec, environment: Environment, order: Order, tools: Tools) -> Outcome:
    """The outcome of the release that made the deployment, whoever else follows it.

    Raises:
        NotARelease
        AwsCallFailed: before anything was seen.
    """
    told = parse_description(deployment.description)
    if told is None:
        raise NotARelease(
            f"{deployment.id} was not made by a release",
            because=f"its description is `{deployment.description}`",
            hint=f"`platform history {spec.name} --env {environment.name}` lists the releases"
            + (f"; {deployment.id} takes {deployment.rolls_back} back" if deployment.rolls_back else ""),
        )
    looking = without_lock(release_of(told, spec, environment, tools.aws), spec, environment, order, tools)
    tools.tell(Started(release=looking.release))

    def story() -> Ending:
        with if_free(looking) as releasing:
            return unbroken(releasing, lambda held: go_on(held, deployment, told))

    return concluded(looking.journal, story)


def release_of(told: Description, spec: ServiceSpec, environment: Environment, aws: Aws) -> Release:
    """As it was, as far as the deployment and the revision that it brings tell."""
    revision = aws.ecs.revision(told.revision)
    uri = image_in(revision.document) if revision else None
    worker = None if told.worker is None else worker_revision(told.worker, spec, environment)
    api = arn(environment, "ecs", f"task-definition/{told.revision}")
    return Release(
        id=told.id,
        kind=told.kind,
        service=spec.name,
        environment=environment.name,
        version=told.version,
        target=NewImage(uri=uri) if told.kind == "release" and uri else ExistingRevisions(api=api, worker=worker),
        commit=revision.tags.get(COMMIT_TAG) if revision else told.commit,
        committed_at=None,
        by=told.by,
    )


def go_on(releasing: Releasing, deployment: Deployment, told: Description) -> Ending:
    """
    Raises:
        Ending: it failed, or it has no end yet.
    """
    put_right(releasing)
    state = releasing.observe()
    note(releasing, deployment, told, state)
    ground = ground_of(state, releasing.journal.previous_revision)
    try:
        return with_tasks(releasing, state, followed(releasing, deployment, ground))
    except DeploymentFailed as failed:
        ending = settle(releasing, failed, ground)
        if ending.kind in ("failed_rolled_back", "rollback_failed"):
            return_worker(releasing)
        raise ending from failed


def followed(releasing: Releasing, deployment: Deployment, ground: Ground) -> Ending:
    journal = releasing.journal
    releasing.tell(DeploymentCreated(deployment_id=deployment.id, revision=journal.revision, adopted=True))
    following = following_of(releasing, deployment.id, journal.revision, ground)
    with journal.stage("shift"):
        seen = follow(releasing, following, "traffic")
        confirm(releasing, following, seen, journal.revision, ground)
    return bake(releasing, following, seen, journal.revision, ground)


def note(releasing: Releasing, deployment: Deployment, told: Description, state: ServiceState) -> None:
    """What the release knew, from the line that it left and from what runs."""
    journal, spec, environment = releasing.journal, releasing.spec, releasing.environment
    journal.deployment_id = deployment.id
    journal.revision = arn(environment, "ecs", f"task-definition/{told.revision}")
    live = state.api.task_definition if state.api else ""
    # Once all traffic has shifted, the former revision is that of the task set beside.
    journal.previous_revision = live if live != journal.revision else beside(state, journal.revision)
    if told.worker is not None:
        journal.worker_revision = worker_revision(told.worker, spec, environment)
        journal.worker_rolled = state.worker is not None and state.worker.task_definition == journal.worker_revision
    if told.worker_before is not None:
        journal.worker_before = worker_revision(told.worker_before, spec, environment)
    elif is_placeholder(releasing, journal.previous_revision):
        journal.worker_before = journal.previous_revision


def beside(state: ServiceState, revision: str) -> str:
    sets = state.api.task_sets if state.api else ()
    return next((each.task_definition for each in sets if each.task_definition != revision), "")
