"""Before the API: update the worker by ECS's own rolling update, which ECS rolls back when tasks fail.

Workers come first: consumers must be able to read what a new API emits, and a worker that fails costs no user a
request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.aws import VISIBLE_WITHIN, AwsCallFailed, best_effort
from platform_sdk.deploy.observe import observe_service
from platform_sdk.deploy.plan.diff import VERSION_TAG
from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.deployment import reason_to_stop
from platform_sdk.deploy.release.events import RollingBack, WorkerProgress
from platform_sdk.deploy.release.outcome import Explanation, OutcomeKind, Watched
from platform_sdk.deploy.release.serving import serving_in
from platform_sdk.deploy.state import (
    EcsService,
    RollingDeployment,
    ServiceDeployment,
    ServiceEvent,
    ServiceState,
    TaskDefinition,
)

DEADLINE_MINUTES: Final = 60
POLL_SECONDS: Final = 10
STOPPED_WITHIN: Final = timedelta(minutes=3)
"""From the stop of an update until ECS goes back."""
ROLLBACK_APPEARS: Final = timedelta(minutes=3)
"""From the failure of an update to the update that rolls it back."""


def roll_worker(
    context: ReleaseContext, revision: str | None, service: EcsService | None, *, anew: bool = False
) -> None:
    """Update the worker's ECS service to a revision and follow the rolling update.

    Args:
        revision: the ARN of the one to run; None where the version has no worker.
        service: as observed.
        anew: replace the tasks also if they run this revision.

    Raises:
        ReleaseEnded: it was rolled back, or did not end; the API was not touched.
    """
    if revision is None or service is None:
        context.skip("worker", f"{context.spec.name} has no worker")
        return
    context.checkpoint()
    with context.stage("worker"):
        own = begin(context, revision, anew=anew)
        primary = follow(context, own)
        reached = primary.task_definition
        if reached == revision and (not anew or primary.id == own.id):
            return
        context.confirm_lock()
        before = context.journal.worker_before
        if before and reached not in (before, service.task_definition):
            raise _changed_by_others(context, reached)
        if before and reached != before:
            return_worker(context)
        raise ReleaseEnded(
            "failed_rolled_back",
            _rolled_back_words(context),
            explanation=context.evidence.explain(_watched_of(context, own)),
        )


def _rolled_back_words(context: ReleaseContext) -> str:
    if context.release.kind == "restart":
        return f"{what_runs(context)}; the worker's new tasks failed, the API stayed"
    how = "the update of the worker failed and was rolled back, and the API was not touched"
    return f"{context.original_serves}: {how}"


def return_worker(context: ReleaseContext) -> None:
    """Return the worker to the revision that belongs to the original API."""
    before = context.journal.worker_before
    if not before or not context.journal.worker_rolled:
        return
    name = before.rsplit("/", 1)[-1]
    context.emit(RollingBack(deployment_id="", because=f"it returns to {name}"))
    stop_update_from(context, before)
    reached = follow(context, begin(context, before), returns=True).task_definition
    if reached != before:
        what = f"the worker could not be returned to {name}"
        raise ReleaseEnded("rollback_failed", f"{what_runs(context)}; {what}", resume=context.rollback_command)
    context.journal.worker_rolled = False


def stop_update_from(context: ReleaseContext, before: str) -> None:
    """Stop an update that runs, so that ECS goes back to the tasks of `before` that still run. An update of our own
    would start new ones, which may be what cannot be done now.
    """
    deployments = _current(context).deployments
    primary = next((each for each in deployments if each.status == "PRIMARY"), None)
    kept = any(each.task_definition == before and each.running for each in deployments if each is not primary)
    if primary is None or primary.rollout_state != "IN_PROGRESS" or primary.task_definition == before or not kept:
        return
    stop(context, primary.task_definition, "the update is stopped")
    until = context.now() + STOPPED_WITHIN
    while primary_of(context, before) is None and context.now() < until:
        context.pause(POLL_SECONDS)


@contextmanager
def return_worker_on_failure(context: ReleaseContext) -> Iterator[None]:
    """Return the worker if the API is rolled back in the block: they are one version."""
    try:
        yield
    except ReleaseEnded as ended:
        # Another release that superseded our deployment updates the worker, too. One that came before ours does not.
        if ended.kind in ("failed_rolled_back", "rollback_failed") or not context.journal.deployment_id:
            try:
                return_worker(context)
            except AwsCallFailed as error:
                raise not_returned(context, error, ended.explanation) from error
        raise


def not_returned(context: ReleaseContext, error: AwsCallFailed, explanation: Explanation | None = None) -> ReleaseEnded:
    """Return the end of a release whose worker AWS does not let return: who serves, what is mixed, what to run."""
    before, state = context.journal.worker_before, state_now(context)
    if state is not None and _is_back(context, state):
        what = f"{runs_in(state)}: {sentence(error)}"
        return ReleaseEnded("failed_rolled_back", what, explanation=explanation, resume=context.look_command)
    nothing: TaskDefinition | None = None
    revision = best_effort(lambda: context.aws.ecs.revision(before), nothing)
    version = version_of_api(context)
    is_gone = revision is None or not revision.active
    name = before.rsplit("/", 1)[-1]
    failed = (
        f"the worker may not have returned to {name}"
        if state is None
        else f"the worker could not be returned to {name}"
    )
    return ReleaseEnded(
        "rollback_failed",
        f"{runs_in(state)}; {failed}: {sentence(error)}",
        explanation=explanation,
        resume=context.release_command(version) if is_gone and version else context.rollback_command,
    )


def _is_back(context: ReleaseContext, state: ServiceState) -> bool:
    """Return whether API and worker are what they were, although a call of the way back failed."""
    returned = state.worker is not None and state.worker.task_definition == context.journal.worker_before
    return returned and not is_updating(state) and serving_in(state).is_all(context.journal.previous_revision)


def is_updating(state: ServiceState) -> bool:
    """Return whether ECS replaces tasks of the worker."""
    return state.worker is not None and any(
        each.status == "PRIMARY" and each.rollout_state == "IN_PROGRESS" for each in state.worker.deployments
    )


def sentence(error: AwsCallFailed) -> str:
    """Return what failed and why, on one line."""
    return f"{error.what}: {error.because}" if error.because else error.what


def _changed_by_others(context: ReleaseContext, revision: str) -> ReleaseEnded:
    return ReleaseEnded(
        "superseded",
        f"somebody else updated the worker to {revision.rsplit('/', 1)[-1]}",
        resume=context.status_command,
    )


def follow(context: ReleaseContext, own: RollingDeployment, *, returns: bool = False) -> RollingDeployment:
    """Wait for the end of an update. Return what the worker runs then: another update's tasks if ECS rolled this one
    back, or somebody started another one.

    Args:
        returns: whether it leads back. Such an update is never stopped: that would lead forward again.

    Raises:
        ReleaseEnded: it does not end.
    """
    revision = own.task_definition
    deadline = context.now() + timedelta(minutes=DEADLINE_MINUTES)
    watched = _watched_of(context, own)
    visible_at = context.now() + VISIBLE_WITHIN
    stopped, failed_at, shown_events = False, None, list[ServiceEvent]()
    while True:
        service = _current(context)
        # For some seconds, ECS may answer as before the update, also after an answer that shows it.
        appeared = context.now() >= visible_at or own.id in {each.id for each in service.deployments}
        primary = next((each for each in service.deployments if each.status == "PRIMARY"), None)
        _report_progress(context, service, own, deadline)
        # A rollback becomes the primary deployment, so in both cases its end is the end.
        if appeared and primary is not None and primary.rollout_state == "COMPLETED":
            context.journal.running = ""
            return primary
        failed_at = failed_at or context.now() if primary and primary.rollout_state == "FAILED" else None
        resume = context.status_command if returns else context.rollback_command
        end_if_stuck(context, watched, deadline, failed_at, resume)
        because = None if stopped else reason_to_stop(context, watched, service, shown_events)
        if because is not None and not returns:
            stopped = stop(context, revision, because)
        context.pause(POLL_SECONDS)


def end_if_stuck(
    context: ReleaseContext, watched: Watched, deadline: datetime, failed_at: datetime | None, resume: str
) -> None:
    """Raise ReleaseEnded if the update, or its rollback, does not end."""
    name = watched.revision.rsplit("/", 1)[-1]
    kind: OutcomeKind
    if failed_at is not None and context.now() - failed_at > ROLLBACK_APPEARS:
        kind, what = "rollback_failed", f"the update of the worker to {name} failed, and ECS did not roll it back"
    elif context.now() > deadline:
        kind, what = "timed_out", f"the update of the worker to {name} still runs after {DEADLINE_MINUTES} minutes"
    else:
        return
    explanation = context.evidence.explain(watched)
    what = f"{what_runs(context)}; {what}"
    raise ReleaseEnded(kind, what, explanation=explanation, resume=resume)


def begin(context: ReleaseContext, revision: str, *, anew: bool = False) -> RollingDeployment:
    """Start the update and return it. An update to this revision that runs already is kept, and so is one that has
    ended unless it is to be made `anew`.
    """
    found = primary_of(context, revision)
    begun = None if found is not None and anew and found.rollout_state == "COMPLETED" else found
    if begun is None:
        before = found.id if found is not None else ""
        context.confirm_lock()
        begun = context.retry.run(
            lambda: context.aws.ecs.roll(context.cluster, context.worker, task_definition=revision, anew=anew),
            find_result=lambda: primary_of(context, revision, but=before),
        )
    context.journal.running, context.journal.worker_rolled = "the worker's update", True
    return begun


def primary_of(context: ReleaseContext, revision: str, *, but: str = "") -> RollingDeployment | None:
    """Return the update of a revision that ECS carries out or has carried out; None for the one with the id `but`."""
    deployments = _current(context).deployments
    found = (each for each in deployments if each.status == "PRIMARY" and each.task_definition == revision)
    return next((each for each in found if each.rollout_state != "FAILED" and each.id != but), None)


def _current(context: ReleaseContext) -> EcsService:
    service = context.aws.ecs.service(context.cluster, context.worker)
    if service is None:
        raise ReleaseEnded("rollback_failed", f"the ECS service {context.worker} is gone")
    return service


def stop(context: ReleaseContext, revision: str, because: str) -> bool:
    """Stop an update whose failures are enough. If ECS refuses, its circuit breaker stops it later."""
    nothing: tuple[ServiceDeployment, ...] = ()
    ecs = context.aws_once.ecs
    newest = best_effort(lambda: ecs.service_deployments(context.cluster, context.worker, most=1), nothing)
    arn = next((each.arn for each in newest if each.target_revision == revision), "")
    if arn:
        context.emit(RollingBack(deployment_id="", because=because))
        best_effort(lambda: ecs.stop_service_deployment(arn), None)
    return True


def _report_progress(context: ReleaseContext, service: EcsService, own: RollingDeployment, deadline: datetime) -> None:
    context.emit(
        WorkerProgress(
            service=service.name,
            revision=own.task_definition,
            deployment=next((each for each in service.deployments if each.id == own.id), None),
            others=tuple(each for each in service.deployments if each.id != own.id),
            at=context.now(),
            deadline=deadline,
        )
    )


def _watched_of(context: ReleaseContext, own: RollingDeployment) -> Watched:
    return Watched(
        stage="worker",
        cluster=context.cluster,
        revision=own.task_definition,
        since=own.created_at,
        service=context.worker,
        started_by=own.id if context.starts_anew else "",
    )


# What runs, for a person: an outcome that leaves API and worker on two versions says so first.


def what_runs(context: ReleaseContext) -> str:
    """Return who serves the users and what the worker runs, as AWS shows it now."""
    return runs_in(state_now(context))


def runs_in(state: ServiceState | None) -> str:
    """Return who serves the users and what the worker runs in an observed state. None where AWS did not answer."""
    if state is None or state.api is None:
        return "it is not known what runs now"
    serving, api = serving_in(state), shown(state.api_revision)
    users = f"{api} serves all users" if serving.percent == 100 else f"{api} serves {serving.percent} % of the traffic"
    if state.worker is None:
        return users
    worker = shown(state.worker_revision)
    if is_updating(state):
        return f"{users}; the worker is being updated to {worker}"
    return f"{users}, and the worker runs it too" if worker == api else f"{users}, but the worker runs {worker}"


def state_now(context: ReleaseContext) -> ServiceState | None:
    """Read the state once, without waiting: a release ends. None where AWS does not answer."""
    nothing: ServiceState | None = None
    return best_effort(lambda: observe_service(context.spec, context.environment, context.aws_once), nothing)


def version_of_api(context: ReleaseContext) -> str:
    """Return the version that the API runs; empty where it is unknown."""
    state = state_now(context)
    revision = state.api_revision if state else None
    return revision.tags.get(VERSION_TAG, "") if revision else ""


def shown(revision: TaskDefinition | None) -> str:
    """Return the version of a revision, or its name where it has none."""
    if revision is None:
        return "an unknown revision"
    return revision.tags.get(VERSION_TAG) or f"{revision.family}:{revision.revision}"
