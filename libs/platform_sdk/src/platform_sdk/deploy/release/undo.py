"""When a release cannot go on: a signal, or an AWS that refuses. Leaves what goes on by itself, or takes it back."""

from typing import Final

from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.release.events import RollingBack
from platform_sdk.deploy.release.follow import follow, resume_command
from platform_sdk.deploy.release.interrupts import Interrupted
from platform_sdk.deploy.release.journal import Ending
from platform_sdk.deploy.release.releasing import Releasing
from platform_sdk.deploy.release.settle import DeploymentFailed, Ground, ground_of, settle
from platform_sdk.deploy.release.shift import created_by_us, following_of
from platform_sdk.deploy.release.target import NewImage
from platform_sdk.deploy.release.worker import return_worker

CHANGING: Final = frozenset({"CreateDeployment", "RunTask", "UpdateService"})
"""Calls after which something goes on by itself."""


def left(releasing: Releasing, interrupted: Interrupted) -> Ending:
    """What is under way goes on at AWS."""
    id = deployment_of(releasing)
    journal = releasing.journal
    if id:
        what, resume = f"the deployment {id} goes on by itself", resume_command(id, releasing)
    elif journal.under_way:
        what, resume = f"{journal.under_way} goes on by itself", releasing.journal.again
    else:
        what, resume = "nothing of it goes on", releasing.journal.again
    return Ending("interrupted", what, resume=resume, signal_number=interrupted.signal_number)


def taken_back(releasing: Releasing, interrupted: Interrupted) -> Ending:
    """Users are on the former version when it returns, or it says that they are not."""
    id = deployment_of(releasing)
    ending = Ending("failed_rolled_back", "the former version serves all users")
    if id:
        ending = stopped(releasing, id, ground_of(releasing.observe(), releasing.journal.previous_revision))
    if ending.kind not in ("failed_rolled_back", "superseded"):
        return ending
    return_worker(releasing)
    return Ending("interrupted", ending.what, resume=releasing.journal.again, signal_number=interrupted.signal_number)


def stopped(releasing: Releasing, id: str, ground: Ground) -> Ending:
    """Stops a deployment with rollback, and follows both to their ends."""
    releasing.tell(RollingBack(deployment_id=id, because="asked to"))
    releasing.patiently(lambda: releasing.aws.codedeploy.stop(id, roll_back=True))
    following = following_of(releasing, id, releasing.journal.revision, ground)
    seen = follow(releasing, following, "done")
    if seen.deployment.status == "Succeeded":
        return Ending("released", f"too late to go back: the deployment {id} has succeeded")
    return settle(releasing, DeploymentFailed(following, seen), ground)


def broken_off(releasing: Releasing, error: AwsCallFailed) -> Ending:
    """AWS refused, and goes on refusing. What it does by itself now, it does without us."""
    journal = releasing.journal
    said = f"{error.what}: {error.because}" if error.because else error.what
    id = journal.deployment_id
    if id:
        what = f"the deployment {id} goes on by itself, unseen: {said}"
        return Ending("timed_out", what, resume=resume_command(id, releasing))
    if journal.under_way or (error.may_have_happened and error.operation in CHANGING):
        what = f"{journal.under_way or 'what was asked for last'} may go on by itself, unseen: {said}"
        return Ending("timed_out", what, resume=releasing.journal.again)
    if not journal.worker_rolled:
        return Ending("failed_unchanged", f"{unchanged(releasing)}: {said}", resume=journal.again)
    return_worker(releasing)
    return Ending("failed_rolled_back", f"the former version serves all users: {said}", resume=releasing.journal.again)


def unchanged(releasing: Releasing) -> str:
    """What is registered runs only where somebody starts it, but it is there."""
    registers = isinstance(releasing.release.target, NewImage) and bool(releasing.journal.revision)
    return "no task was replaced; its task definitions are registered" if registers else "nothing was changed"


def deployment_of(releasing: Releasing) -> str:
    """Also of one whose creation was interrupted before its id arrived."""
    return releasing.journal.deployment_id or releasing.patiently(lambda: created_by_us(releasing)) or ""
