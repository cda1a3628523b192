"""The story of a release: one version's way to all users, told top-down.

Every stage may be repeated: what it finds done already it leaves alone. So a release that was killed is finished by
giving the same command again.
"""

from collections.abc import Callable
from typing import Final

from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.concurrency import after_running, superseded, take_turn, without_lock
from platform_sdk.deploy.release.context import Ending, Interrupted, Journal, Releasing, Tools
from platform_sdk.deploy.release.deployment import (
    DeploymentFailed,
    Ground,
    follow,
    ground_of,
    resume_command,
    serving_in,
    settle,
)
from platform_sdk.deploy.release.events import InterruptedBySignal, RollingBack, Started
from platform_sdk.deploy.release.history import worker_beside
from platform_sdk.deploy.release.lock import LockLost
from platform_sdk.deploy.release.migrate import migrate
from platform_sdk.deploy.release.options import ExistingRevisions, NewImage, Order, Release
from platform_sdk.deploy.release.outcome import Outcome
from platform_sdk.deploy.release.preflight import refuse_unless_ready
from platform_sdk.deploy.release.preflight.stack import Asked
from platform_sdk.deploy.release.recovery import put_right
from platform_sdk.deploy.release.register import Revisions, register, with_tasks
from platform_sdk.deploy.release.traffic_shift import begin, created_by_us, following_of, shift_traffic
from platform_sdk.deploy.release.worker import return_worker, roll_worker
from platform_sdk.deploy.state import ServiceState

# When a release cannot go on: a signal, or an AWS that refuses. Leaves what goes on by itself, or takes it back.

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
    releasing.aws.codedeploy.stop(id, roll_back=True)
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
    return releasing.journal.deployment_id or created_by_us(releasing) or ""


GOES_ON: Final = ("detached", "traffic_shifted", "interrupted", "timed_out")
"""Endings after which CodeDeploy may still take a deployment back, when nobody sees it."""


def execute(release: Release, spec: ServiceSpec, environment: Environment, order: Order, tools: Tools) -> Outcome:
    """The outcome, also where AWS cannot be asked whose turn it is."""
    looking = without_lock(release, spec, environment, order, tools)
    tools.tell(Started(release=release))

    def story() -> Ending:
        with take_turn(looking) as releasing:
            return unbroken(releasing, bring_to_users)

    return concluded(looking.journal, story)


def concluded(journal: Journal, story: Callable[[], Ending]) -> Outcome:
    try:
        ending = story()
    except LockLost as lost:
        ending = Ending("superseded", f"{lost.what}: {lost.because}", resume=journal.look)
    except AwsCallFailed as error:
        ending = unasked(journal, error)
    except Interrupted as interrupted:
        number = interrupted.signal_number
        ending = Ending("interrupted", "nothing was changed", resume=journal.again, signal_number=number)
    except Ending as ended:
        ending = ended
    return journal.outcome(ending)


def unasked(journal: Journal, error: AwsCallFailed) -> Ending:
    """AWS does not tell whose turn it is, or is away also for the way back."""
    said = f"{error.what}: {error.because}" if error.because else error.what
    if journal.stages:
        return Ending("timed_out", f"it is not known what runs now: {said}", resume=journal.look)
    return Ending("failed_unchanged", f"nothing was changed: {said}", resume=journal.again)


def unbroken(releasing: Releasing, story: Callable[[Releasing], Ending]) -> Ending:
    """What goes wrong in the middle ends as an outcome, never as a trace."""
    ending = ending_of(releasing, story)
    if ending.kind in GOES_ON and releasing.journal.deployment_id:
        releasing.lock.stay()
    return ending


def ending_of(releasing: Releasing, story: Callable[[Releasing], Ending]) -> Ending:
    try:
        return story(releasing)
    except Ending as ending:
        return ending
    except Interrupted as interrupted:
        return after_signal(releasing, interrupted)
    except AwsCallFailed as error:
        return broken_off(releasing, error)


def bring_to_users(releasing: Releasing) -> Ending:
    """
    Raises:
        Ending: the release ends early, and users are where it says.
    """
    put_right(releasing)
    if releasing.order.if_busy == "wait":
        after_running(releasing)
        put_right(releasing)
    state = releasing.observe()
    refuse_unless_ready(Asked(releasing=releasing, state=state))
    if releasing.order.if_busy == "supersede":
        state = superseded(releasing, state)
    revisions = register_all(releasing, state)
    if is_live(state, revisions):
        return with_tasks(
            releasing, state, Ending("nothing_to_do", f"{releasing.release.version} serves all users already")
        )
    migrate_with(releasing, revisions, state)
    roll_worker(releasing, revisions.worker, state.worker)
    return with_tasks(releasing, state, shift_with_worker(releasing, revisions, state))


def after_signal(releasing: Releasing, interrupted: Interrupted) -> Ending:
    rolls_back = releasing.order.on_interrupt == "rollback"
    releasing.tell(InterruptedBySignal(signal_number=interrupted.signal_number, rolls_back=rolls_back))
    try:
        return taken_back(releasing, interrupted) if rolls_back else left(releasing, interrupted)
    except Ending as ending:
        return ending
    except AwsCallFailed as error:
        return broken_off(releasing, error)


def register_all(releasing: Releasing, state: ServiceState) -> Revisions:
    journal = releasing.journal
    releasing.go_on()
    with journal.stage("register"):
        revisions = register(releasing, state)
    journal.revision, journal.worker_revision = revisions.api, revisions.worker or ""
    journal.previous_revision = state.api.task_definition if state.api else ""
    if revisions.worker and state.worker:
        journal.worker_before = worker_beside(releasing, state, revisions.worker)
    return revisions


def is_live(state: ServiceState, revisions: Revisions) -> bool:
    """All of it runs, and nothing is under way that could change that."""
    worker = state.worker.task_definition if state.worker else None
    serves = serving_in(state).is_all(revisions.api)
    return serves and revisions.worker in (None, worker) and state.running_deployment is None


def migrate_with(releasing: Releasing, revisions: Revisions, state: ServiceState) -> None:
    """A revision that served before has had its migrations."""
    assert state.api is not None, "preflight refuses a service that does not exist"
    if isinstance(releasing.release.target, ExistingRevisions):
        releasing.journal.skip("migrate", "the version has served before")
        return
    migrate(releasing, revisions.api, state.api)


def shift_with_worker(releasing: Releasing, revisions: Revisions, state: ServiceState) -> Ending:
    """The worker goes back with the API: they are one version."""
    ground = ground_of(state)
    set_grace_period(releasing, state)
    try:
        if releasing.order.detach:
            return detached(releasing, revisions.api, ground)
        return shift_traffic(releasing, revisions.api, ground)
    except Ending as ending:
        # Who superseded a deployment of ours brings a worker, too; who came before it knows nothing of ours.
        if ending.kind in ("failed_rolled_back", "rollback_failed") or not releasing.journal.deployment_id:
            return_worker(releasing)
        raise


def set_grace_period(releasing: Releasing, state: ServiceState) -> None:
    """Of the ECS service, whose text in the stack stays as it was created: decision 0014."""
    seconds = releasing.spec.health_check.grace_period_seconds
    if state.api is not None and state.api.grace_period_seconds != seconds:
        releasing.check_turn()
        releasing.aws.ecs.set_grace_period(releasing.cluster, releasing.api, seconds)


def detached(releasing: Releasing, revision: str, ground: Ground) -> Ending:
    with releasing.journal.stage("shift"):
        id = begin(releasing, revision, ground).deployment_id
    what = f"the deployment {id} goes on by itself, and nobody holds scaling still"
    return Ending("detached", what, resume=resume_command(id, releasing))
