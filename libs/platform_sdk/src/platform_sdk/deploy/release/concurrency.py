"""Other releases of the same service: wait for their lock and their deployment, or supersede them.

execute enters `acquire_lock` before its first stage.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.aws import best_effort
from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.deployment import Seen, await_rollback_started
from platform_sdk.deploy.release.events import RollingBack, Waiting
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.lock import Locked, NoLock, ReleaseLock, break_lock, lock_name, lock_table
from platform_sdk.deploy.release.outcome import OutcomeKind
from platform_sdk.deploy.release.preflight import refuse_unless_ready
from platform_sdk.deploy.release.preflight.stack import is_of_this_version
from platform_sdk.deploy.release.recovery import recover_interrupted_release
from platform_sdk.deploy.state import RUNNING, Deployment, LockItem, ServiceState

CONTINUES_ON_AWS: Final[tuple[OutcomeKind, ...]] = (
    "detached",
    "traffic_shifted",
    "interrupted",
    "timed_out",
    "rollback_failed",
)
"""Outcomes after which AWS works on, or something is left that the next holder must know of."""

UNFINISHED: Final[tuple[OutcomeKind, ...]] = ("detached", "interrupted", "timed_out")
"""Outcomes of a command that does not wait for the end of what it follows."""

ATTEMPTS: Final = 3
POLL_SECONDS: Final = 10
MAX_WAIT: Final = timedelta(hours=2)
"""For a deployment that was stopped to end."""


@contextmanager
def acquire_lock(context: ReleaseContext) -> Iterator[None]:
    """Hold the lock of the service while the block runs.

    Raises:
        ReleaseEnded: somebody else holds the lock for longer than the options allow to wait.
        AwsCallFailed: the lock cannot be read.
    """
    options = context.options
    if options.if_busy == "supersede":
        supersede_holder(context)
    minutes = 0 if options.if_busy == "fail" else options.lock_wait_minutes
    with ExitStack() as stack:
        try:
            _hold(context, stack, minutes)
        except Locked as locked:
            raise ReleaseEnded("locked", f"{locked.what}: {locked.because}", resume=locked.hint) from locked
        yield


@contextmanager
def acquire_lock_if_free(context: ReleaseContext) -> Iterator[None]:
    """Hold the lock if nobody else does. Otherwise go on without it: its holder finishes what there is to finish. What
    one that died has left is recovered in the end: users come first.
    """
    with ExitStack() as stack:
        with suppress(Locked):
            _hold(context, stack, 0)
        is_held = isinstance(context.lock, ReleaseLock)
        try:
            yield
        except ReleaseEnded as ended:
            if ended.kind not in UNFINISHED:
                recover = recover_interrupted_release if is_held else _recover_from_dead_holder
                best_effort(lambda: recover(context), None)
            raise


def _recover_from_dead_holder(context: ReleaseContext) -> None:
    """Restore the scaling that the holder of the lock has suspended, if it died: its lock expires then. One that lives
    renews it, and restores by itself.
    """
    holder = lock_item(context)
    while holder is not None and holder.scaling is not None and holder.expires_at > context.now():
        context.clock.sleep(POLL_SECONDS)
        found = lock_item(context)
        if found is None or found.expires_at != holder.expires_at:
            return
    if holder is not None and holder.scaling is not None:
        with suppress(Locked), ExitStack() as stack:
            _hold(context, stack, 0)
            recover_interrupted_release(context)


def _hold(context: ReleaseContext, stack: ExitStack, wait_minutes: float) -> None:
    lock = stack.enter_context(_lock_of(context, wait_minutes))
    context.lock = lock
    stack.push(lambda _kind, error, _trace: _release_lock(context, error))


def _release_lock(context: ReleaseContext, error: BaseException | None) -> None:
    journal = context.journal
    continues = journal.deployment_id or journal.running
    if isinstance(error, ReleaseEnded) and error.kind in CONTINUES_ON_AWS and continues:
        context.lock.keep()
    context.lock = NoLock()


def _lock_of(context: ReleaseContext, wait_minutes: float) -> ReleaseLock:
    def on_wait(holder: LockItem, until: datetime) -> None:
        context.interrupts.check()
        context.emit(Waiting(subject=f"the {holder.purpose} by {holder.owner}", until=until))

    return ReleaseLock(
        context.aws_once.locks,
        context.clock,
        context.environment,
        context.spec.name,
        owner=context.release.by,
        purpose=f"{context.release.kind} of {context.release.version}",
        wait_minutes=wait_minutes,
        on_wait=on_wait,
    )


def supersede_holder(context: ReleaseContext) -> None:
    """Take the lock from its holder, if preflight would let this release pass. The holder notices that its lock is
    gone, and leaves what it began to the current holder of the lock.
    """
    holder = holder_of(context)
    if holder is None:
        return
    context.lock = NoLock(holder.scaling)
    refuse_unless_ready(context, context.observe())
    context.journal.checks.clear()
    context.lock = NoLock()
    break_holder(context)


def break_holder(context: ReleaseContext) -> None:
    """Break the lock of its holder, also of one that renews it between our reading and our writing."""
    for _ in range(ATTEMPTS):
        holder = holder_of(context)
        if holder is None:
            return
        context.warn(f"the {holder.purpose} by {holder.owner} is superseded", "")
        if break_lock(context.aws.locks, context.environment, holder, owner=context.release.by, now=context.now()):
            return


def holder_of(context: ReleaseContext) -> LockItem | None:
    """Return who holds the lock now; None where it is free."""
    item = lock_item(context)
    return item if item is not None and item.expires_at > context.now() else None


def lock_item(context: ReleaseContext) -> LockItem | None:
    """Return the lock as it is stored, also when it has expired."""
    return context.aws.locks.read(lock_table(context.environment), lock_name(context.spec.name))


# A deployment that is in progress when a release begins.


def await_running_deployment(context: ReleaseContext) -> None:
    """Wait until no deployment is in progress, other than one of this version, which will be followed.

    Raises:
        ReleaseEnded: it takes longer than the options allow to wait.
    """
    minutes = context.options.lock_wait_minutes
    until = context.now() + timedelta(minutes=minutes)
    while (running := _running_deployment_of_others(context)) is not None:
        if context.now() >= until:
            what = f"{running.id} is still in progress after {minutes} minutes"
            raise ReleaseEnded("locked", what, resume=context.wait_command(running.id))
        context.emit(Waiting(subject=_subject_of(running), until=until))
        context.pause(POLL_SECONDS)


def _running_deployment_of_others(context: ReleaseContext) -> Deployment | None:
    deployments = context.aws.codedeploy.deployments(context.api, context.api, most=1, statuses=RUNNING)
    return next((each for each in deployments if not is_of_this_version(context.release, each)), None)


def _subject_of(deployment: Deployment) -> str:
    description = parse_description(deployment.description)
    return f"{deployment.id} ({description.version} by {description.by})" if description else deployment.id


def supersede_deployment(context: ReleaseContext, state: ServiceState) -> ServiceState:
    """End what is in progress and return the state after that. One that has all the traffic only loses the rest of its
    bake time; any other is rolled back. A rollback by CodeDeploy itself is not stopped: it ends soon.
    """
    running = state.running_deployment
    if running is None or is_of_this_version(context.release, running):
        return state
    id = running.id
    target = context.aws.codedeploy.target(id, context.cluster, context.api)
    if Seen(deployment=running, target=target).has_all_traffic:
        context.aws.codedeploy.end_bake(id)
    elif not running.rolls_back:
        context.emit(RollingBack(deployment_id=id, because=f"superseded by {context.release.version}"))
        context.aws.codedeploy.stop(id, roll_back=True)
    ended = _await_end(context, id)
    rolled_back = await_rollback_started(context, ended) if ended.status != "Succeeded" else None
    if rolled_back is not None:
        _await_end(context, rolled_back.rolled_back_by)
    return context.observe()


def _await_end(context: ReleaseContext, id: str) -> Deployment:
    until = context.now() + MAX_WAIT
    while True:
        deployment = context.aws.codedeploy.deployment(id)
        if deployment is None or context.now() > until:
            raise ReleaseEnded("locked", f"the deployment {id} did not end")
        if deployment.has_ended:
            return deployment
        context.emit(Waiting(subject=_subject_of(deployment), until=until))
        context.pause(POLL_SECONDS)
