"""Brings the worker to a revision by ECS's own rolling update, which stops and goes back by itself when tasks fail.

Workers come before the API: consumers must be able to read what a new API emits, and one that fails costs no user a
request.
"""

from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.aws import best_effort
from platform_sdk.deploy.release.context import Ending, Releasing
from platform_sdk.deploy.release.deployment import fails_alike
from platform_sdk.deploy.release.events import RollingBack, WorkerProgress
from platform_sdk.deploy.release.outcome import Watched
from platform_sdk.deploy.state import EcsService, RollingDeployment, ServiceDeployment

DEADLINE_MINUTES: Final = 60
POLL_SECONDS: Final = 10
ROLLBACK_APPEARS: Final = timedelta(minutes=3)
"""From the failure of an update to the update that takes it back."""


def roll_worker(releasing: Releasing, revision: str | None, service: EcsService | None) -> None:
    """
    Args:
        revision: the ARN of the one to run; None where the version has no worker.
        service: as observed.

    Raises:
        Ending: it was taken back, or did not come to its end; the API was not touched.
    """
    if revision is None or service is None:
        releasing.journal.skip("worker", f"{releasing.spec.name} has no worker")
        return
    releasing.go_on()
    with releasing.journal.stage("worker"):
        began = releasing.now()
        reached = follow(releasing, revision, began)
        if reached == revision:
            return
        releasing.check_turn()
        before = releasing.journal.worker_before
        if before and reached not in (before, service.task_definition):
            raise brought_elsewhere(releasing, reached)
        if before and reached != before:
            return_worker(releasing)
        watched = watched_of(releasing, revision, began)
        raise Ending(
            "failed_rolled_back",
            "the worker's tasks failed and went back to the former version; the API was not touched",
            explanation=releasing.tools.evidence.explain(watched),
        )


def return_worker(releasing: Releasing) -> None:
    """After the API has gone back: the worker that goes with it."""
    before = releasing.journal.worker_before
    if not before or not releasing.journal.worker_rolled:
        return
    releasing.tell(RollingBack(deployment_id="", because=f"it goes back to {before.rsplit('/', 1)[-1]}"))
    if follow(releasing, before, releasing.now()) != before:
        raise Ending("rollback_failed", f"the worker could not be brought back to {before}")


def brought_elsewhere(releasing: Releasing, revision: str) -> Ending:
    return Ending(
        "superseded",
        f"somebody else brought the worker to {revision.rsplit('/', 1)[-1]}",
        resume=f"platform status {releasing.spec.name} --env {releasing.environment.name}",
    )


def follow(releasing: Releasing, revision: str, began: datetime) -> str:
    """Starts the update unless it runs already, and waits for its end. Answers what the worker runs then (ARN): another
    revision if ECS took the update back, or somebody made another one.

    Raises:
        Ending: it has no end.
    """
    id = begin(releasing, revision)
    releasing.journal.under_way, releasing.journal.worker_rolled = "the worker's update", True
    deadline = began + timedelta(minutes=DEADLINE_MINUTES)
    watched = watched_of(releasing, revision, began)
    stopped, failed_at = False, None
    while True:
        service = current(releasing)
        own = next((each for each in service.deployments if each.id == id), None)
        primary = next((each for each in service.deployments if each.status == "PRIMARY"), None)
        tell_progress(releasing, service, revision, own, deadline)
        # ECS makes the deployment that takes another one back the primary one, so either way the end is one's.
        if primary is not None and primary.rollout_state == "COMPLETED":
            releasing.journal.under_way = ""
            return primary.task_definition
        failed_at = failed_at or releasing.now() if primary and primary.rollout_state == "FAILED" else None
        refuse_without_end(releasing, revision, deadline, failed_at)
        if not stopped and fails_alike(releasing.tools.evidence.observe(watched)):
            stopped = stop(releasing, revision)
        releasing.pause(POLL_SECONDS)


def refuse_without_end(releasing: Releasing, revision: str, deadline: datetime, failed_at: datetime | None) -> None:
    """
    Raises:
        Ending
    """
    name = revision.rsplit("/", 1)[-1]
    if failed_at is not None and releasing.now() - failed_at > ROLLBACK_APPEARS:
        raise Ending("rollback_failed", f"the update of the worker to {name} failed, and ECS did not take it back")
    if releasing.now() > deadline:
        raise Ending("timed_out", f"the update of the worker to {name} still runs after {DEADLINE_MINUTES} minutes")


def begin(releasing: Releasing, revision: str) -> str:
    """The deployment's id: of the one that is there where it is of this revision."""
    found = primary_of(releasing, revision)
    if found is not None:
        return found
    releasing.check_turn()
    return releasing.retry.run(
        lambda: releasing.aws.ecs.roll(releasing.cluster, releasing.worker, task_definition=revision),
        find_result=lambda: primary_of(releasing, revision),
    )


def primary_of(releasing: Releasing, revision: str) -> str | None:
    deployments = current(releasing).deployments
    found = (each for each in deployments if each.status == "PRIMARY" and each.task_definition == revision)
    return next((each.id for each in found if each.rollout_state != "FAILED"), None)


def current(releasing: Releasing) -> EcsService:
    service = releasing.aws.ecs.service(releasing.cluster, releasing.worker)
    if service is None:
        raise Ending("rollback_failed", f"the ECS service {releasing.worker} is gone")
    return service


def stop(releasing: Releasing, revision: str) -> bool:
    """The circuit breaker would count on: these failures are enough. Left to it where ECS refuses."""
    nothing: tuple[ServiceDeployment, ...] = ()
    ecs = releasing.aws_once.ecs
    newest = best_effort(lambda: ecs.service_deployments(releasing.cluster, releasing.worker, most=1), nothing)
    arn = next((each.arn for each in newest if each.target_revision == revision), "")
    if arn:
        releasing.tell(RollingBack(deployment_id="", because="the worker's new tasks fail in the same way"))
        best_effort(lambda: ecs.stop_service_deployment(arn), None)
    return True


def tell_progress(
    releasing: Releasing, service: EcsService, revision: str, own: RollingDeployment | None, deadline: datetime
) -> None:
    former = tuple(each for each in service.deployments if each is not own)
    releasing.tell(
        WorkerProgress(
            service=service.name,
            revision=revision,
            deployment=own,
            former=former,
            at=releasing.now(),
            deadline=deadline,
        )
    )


def watched_of(releasing: Releasing, revision: str, since: datetime) -> Watched:
    return Watched(stage="worker", cluster=releasing.cluster, revision=revision, since=since, service=releasing.worker)
