"""Keeps scaling still while traffic shifts: tasks that come or go meanwhile make CodeDeploy fail the deployment.

docs.aws.amazon.com/AmazonECS, "Blue/green deployments with CodeDeploy", considerations: a replacement task set that is
not steady within five minutes of a scaling event fails. What was suspended before is written into the lock first, so
that whoever takes over from a release that was killed restores it: left_over.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from platform_sdk.deploy.aws import AwsCallFailed, best_effort
from platform_sdk.deploy.release.context import Releasing
from platform_sdk.deploy.release.events import ScalingHeld, ScalingRestored, Warned
from platform_sdk.deploy.release.lock import LockLost
from platform_sdk.deploy.state import ScalableTarget, Suspended

ALL: Final = Suspended(scale_in=True, scale_out=True, scheduled=True)


@contextmanager
def scaling_held(releasing: Releasing, scaling: ScalableTarget | None) -> Iterator[None]:
    """Suspends all scaling of the service and restores exactly what was before, however the block ends. Desired counts
    and bounds are not touched.
    """
    if scaling is None:
        yield
        return
    try:
        hold(releasing, scaling)
        yield
    except LockLost:
        # Whoever took the lock has read from it what to restore, and may be shifting traffic now.
        raise
    except BaseException:
        restore(releasing, scaling.resource, scaling.suspended)
        raise
    restore(releasing, scaling.resource, scaling.suspended)


def hold(releasing: Releasing, scaling: ScalableTarget) -> None:
    releasing.retry.run(lambda: releasing.lock.note(scaling=scaling.suspended))
    releasing.aws.scaling.suspend(scaling.resource, ALL)
    releasing.tell(ScalingHeld(resource=scaling.resource, before=scaling.suspended))


def restore(releasing: Releasing, resource: str, before: Suspended) -> None:
    """Says how to do it by hand where AWS does not let us; then the lock goes on telling it to whoever is next."""
    releasing.check_turn()
    try:
        releasing.aws.scaling.suspend(resource, before)
    except AwsCallFailed as error:
        command = by_hand(resource, before)
        releasing.journal.still_suspended = command
        releasing.tell(Warned(what=f"scaling of {resource} is still suspended: {error.what}", hint=command))
        return
    releasing.tell(ScalingRestored(resource=resource, now=before))
    # What is restored twice is the same.
    best_effort(releasing.lock.forget_scaling, None)


def by_hand(resource: str, wanted: Suspended) -> str:
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
