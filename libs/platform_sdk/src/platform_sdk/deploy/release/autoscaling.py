"""Suspend autoscaling while traffic shifts: tasks that start or stop meanwhile make CodeDeploy fail the deployment.

docs.aws.amazon.com/AmazonECS, "Blue/green deployments with CodeDeploy", considerations: a replacement task set that is
not steady within five minutes of a scaling event fails. The state before is written into the lock first, so that
the release that takes over from a killed one restores it: recovery.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from platform_sdk.deploy.aws import AwsCallFailed, best_effort
from platform_sdk.deploy.release.context import ReleaseContext
from platform_sdk.deploy.release.events import ScalingRestored, ScalingSuspended
from platform_sdk.deploy.release.lock import LockLost
from platform_sdk.deploy.state import ScalableTarget, Suspended

ALL: Final = Suspended(scale_in=True, scale_out=True, scheduled=True)


@contextmanager
def suspend_autoscaling(context: ReleaseContext, scaling: ScalableTarget | None) -> Iterator[None]:
    """Suspend all scaling of the service while the block runs, and restore exactly what was before. Desired counts and
    bounds are not touched.
    """
    if scaling is None:
        yield
        return
    try:
        suspend(context, scaling)
        yield
    except LockLost:
        # Whoever took the lock has read from it what to restore, and may be shifting traffic now.
        raise
    except BaseException:
        restore(context, scaling.resource, scaling.suspended)
        raise
    restore(context, scaling.resource, scaling.suspended)


def suspend(context: ReleaseContext, scaling: ScalableTarget) -> None:
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
