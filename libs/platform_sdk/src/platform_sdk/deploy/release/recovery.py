"""What a release left behind that was killed, or did not wait for the end of its deployment.

The next holder of the lock recovers it before anything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from platform_sdk.deploy.aws import AwsCallFailed, best_effort
from platform_sdk.deploy.release.context import ReleaseContext
from platform_sdk.deploy.release.events import ScalingRestored, ScalingSuspended
from platform_sdk.deploy.release.history import Description, parse_description, worker_revision
from platform_sdk.deploy.release.lock import LockLost
from platform_sdk.deploy.release.worker import return_worker
from platform_sdk.deploy.state import ScalableTarget, Suspended

# Suspend autoscaling while traffic shifts: tasks that start or stop meanwhile make CodeDeploy fail the deployment.
#
# docs.aws.amazon.com/AmazonECS, "Blue/green deployments with CodeDeploy", considerations: a replacement task set that
# is not steady within five minutes of a scaling event fails. The state before is written into the lock first, so that
# the release that takes over from a killed one restores it: recovery.py.

ALL: Final = Suspended(scale_in=True, scale_out=True, scheduled=True)


@contextmanager
def suspend_autoscaling(context: ReleaseContext, scaling: ScalableTarget | None, *, desired: int) -> Iterator[None]:
    """Suspend all scaling of the service while the block runs, and restore exactly what was before.

    Bounds are not touched. AWS moves a desired count that is outside of them into them, so a warning names it.

    Args:
        desired: the number of tasks before.
    """
    if scaling is None:
        yield
        return
    try:
        warn_of_bounds(context, scaling, desired)
        _suspend(context, scaling)
        yield
    except LockLost:
        # The process that took the lock has read from it what to restore, and may be shifting traffic now.
        raise
    except BaseException:
        restore(context, scaling.resource, scaling.suspended)
        raise
    restore(context, scaling.resource, scaling.suspended)


def warn_of_bounds(context: ReleaseContext, scaling: ScalableTarget, desired: int) -> None:
    """Warn if the service runs more or fewer tasks than its bounds allow: somebody scaled it by hand.

    RegisterScalableTarget, which alone suspends scaling, moves the capacity into the bounds at each call
    (docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html).
    """
    low, high = scaling.min_tasks, scaling.max_tasks
    if low <= desired <= high:
        return
    name, bounded = scaling.resource.rsplit("/", 1)[-1], min(max(desired, low), high)
    what = f"{name} runs {desired} tasks, outside of its bounds of {low} to {high}: AWS moves it to {bounded}"
    context.warn(what, f"`platform scale {context.spec.name} --env {context.environment.name}` changes the bounds")


def _suspend(context: ReleaseContext, scaling: ScalableTarget) -> None:
    context.retry.run(lambda: context.lock.renew(scaling=scaling.suspended))
    context.aws.scaling.suspend(scaling.resource, ALL)
    context.emit(ScalingSuspended(resource=scaling.resource, before=scaling.suspended))


def restore(context: ReleaseContext, resource: str, before: Suspended) -> None:
    """Restore scaling. If AWS refuses, warn with the command that does it; the lock keeps it for the next holder."""
    context.confirm_lock()
    try:
        context.aws.scaling.suspend(resource, before)
    except AwsCallFailed as error:
        command = restore_command(resource, before)
        context.journal.still_suspended = command
        context.warn(f"scaling of {resource} is still suspended: {error.what}", command)
        return
    context.emit(ScalingRestored(resource=resource, now=before))
    # Restoring twice does no harm.
    best_effort(lambda: context.lock.renew(forget_scaling=True), None)


def restore_command(resource: str, wanted: Suspended) -> str:
    """Return the command of the AWS CLI that restores autoscaling manually."""
    state = ",".join(
        f"{name}={str(value).lower()}"
        for name, value in (
            ("DynamicScalingInSuspended", wanted.scale_in),
            ("DynamicScalingOutSuspended", wanted.scale_out),
            ("ScheduledScalingSuspended", wanted.scheduled),
        )
    )
    return (
        "aws application-autoscaling register-scalable-target --service-namespace ecs "
        f"--scalable-dimension ecs:service:DesiredCount --resource-id {resource} --suspended-state {state}"
    )


def recover_interrupted_release(context: ReleaseContext) -> None:
    """Restore scaling that is suspended, and return a worker that stayed on a version that the API was rolled back
    from.
    """
    before = context.lock.scaling
    if before is not None:
        restore(context, f"service/{context.cluster}/{context.api}", before)
    if context.lock.before is None:
        return
    failed = newest_failure(context)
    if failed is not None and failed.worker is not None and failed.worker_before is not None:
        return_worker_of(context, failed, failed.worker, failed.worker_before)


def newest_failure(context: ReleaseContext) -> Description | None:
    """Return the newest release, if it failed. The lock may not name its deployment: its holder may have died between
    creating the deployment and writing that down.
    """
    for deployment in context.aws.codedeploy.newest(context.api, context.now(), most=5):
        description = parse_description(deployment.description)
        if description is not None:
            return description if deployment.status in ("Failed", "Stopped") else None
    return None


def return_worker_of(context: ReleaseContext, failed: Description, worker: int, before: int) -> None:
    """Return the worker if nobody has released since."""
    journal = context.journal
    services = context.aws.ecs.services(context.cluster, [context.api, context.worker])
    running = {name: service.task_definition.rsplit("/", 1)[-1] for name, service in services.items()}
    if running.get(context.worker) == f"{context.worker}:{worker}" and running.get(context.api) != failed.revision:
        journal.worker_before = worker_revision(before, context.spec, context.environment)
        journal.worker_rolled = True
        try:
            return_worker(context)
        except AwsCallFailed as error:
            # A revision that was deregistered cannot run: this release brings API and worker to one version.
            context.warn(f"the worker stays on {context.worker}:{worker}: {error.because or error.what}", "")
        journal.worker_before, journal.worker_rolled = "", False
