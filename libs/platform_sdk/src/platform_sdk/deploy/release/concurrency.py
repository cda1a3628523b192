"""Whose turn it is: takes the lock of a service by the order's policy, or does without it where it only looks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.context import Ending, Journal, Releasing, Tools
from platform_sdk.deploy.release.deployment import Seen, rolled_back
from platform_sdk.deploy.release.events import RollingBack, Waiting, Warned
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.lock import Locked, ReleaseLock, break_lock, lock_name, lock_table
from platform_sdk.deploy.release.options import Order, Release
from platform_sdk.deploy.release.preflight import refuse_unless_ready
from platform_sdk.deploy.release.preflight.stack import Asked
from platform_sdk.deploy.state import RUNNING, Deployment, LockItem, ServiceState, Suspended

ATTEMPTS: Final = 3


class NoLock:
    """Of who only looks, or only stops what another one has begun."""

    before: LockItem | None = None

    def __init__(self, scaling: Suspended | None = None) -> None:
        """`scaling` is as it was before the lock's holder suspended it."""
        self.scaling = scaling

    def renew_when_due(self) -> None:
        """Nothing to renew."""

    def renew(self) -> None:
        """Nothing to renew."""

    def note(self, *, deployment_id: str | None = None, scaling: Suspended | None = None) -> None:
        """Nobody takes over from here."""

    def stay(self) -> None:
        """Nothing is kept."""

    def forget_scaling(self) -> None:
        """Nobody takes over from here."""


def without_lock(
    release: Release, spec: ServiceSpec, environment: Environment, order: Order, tools: Tools
) -> Releasing:
    """A release as it begins."""
    journal = Journal(release=release, clock=tools.clock, tell=tools.tell, started_at=tools.clock.now())
    return Releasing(spec=spec, environment=environment, order=order, tools=tools, lock=NoLock(), journal=journal)


@contextmanager
def take_turn(looking: Releasing) -> Iterator[Releasing]:
    """
    Raises:
        Ending: somebody else holds the lock for longer than the order would wait.
        AwsCallFailed: the lock cannot be asked for.
    """
    order = looking.order
    if order.if_busy == "supersede":
        take_from_holder(looking)
    minutes = 0 if order.if_busy == "fail" else order.lock_wait_minutes
    with ExitStack() as held:
        try:
            lock = held.enter_context(lock_of(looking, minutes))
        except Locked as locked:
            raise Ending("locked", f"{locked.what}: {locked.because}", resume=locked.hint) from locked
        yield replace(looking, lock=lock)


@contextmanager
def if_free(looking: Releasing) -> Iterator[Releasing]:
    """With the lock where nobody holds it; without it otherwise, when its holder finishes what there is to finish."""
    with ExitStack() as held:
        releasing = looking
        with suppress(Locked):
            releasing = replace(looking, lock=held.enter_context(lock_of(looking, 0)))
        yield releasing


def lock_of(looking: Releasing, minutes: float) -> ReleaseLock:
    release = looking.release

    def waiting(holder: LockItem, until: datetime) -> None:
        looking.tools.interrupts.check()
        looking.tell(Waiting(subject=f"the {holder.purpose} by {holder.owner}", until=until))

    return ReleaseLock(
        looking.aws_once.locks,
        looking.tools.clock,
        looking.environment,
        looking.spec.name,
        owner=release.by,
        purpose=f"{release.kind} of {release.version}",
        wait_minutes=minutes,
        waiting=waiting,
    )


def take_from_holder(looking: Releasing) -> None:
    """Only for a release that would be let through. The holder notices that its lock is gone, and leaves what it began
    to whoever has taken it.
    """
    holder = holder_of(looking)
    if holder is None:
        return
    beside = replace(looking, lock=NoLock(holder.scaling))
    refuse_unless_ready(Asked(releasing=beside, state=beside.observe()))
    looking.journal.checks.clear()
    break_holder(looking)


def break_holder(looking: Releasing) -> None:
    """Whoever it is; also one that renews the lock between our looking and our taking."""
    for _ in range(ATTEMPTS):
        holder = holder_of(looking)
        if holder is None or broken(looking, holder):
            return


def broken(looking: Releasing, holder: LockItem) -> bool:
    looking.tell(Warned(what=f"the {holder.purpose} by {holder.owner} is superseded"))
    locks, owner, now = looking.aws.locks, looking.release.by, looking.now()
    return break_lock(locks, looking.environment, holder, owner=owner, now=now)


def holder_of(looking: Releasing) -> LockItem | None:
    """Who holds the lock now; None where it is free."""
    item = item_of(looking)
    return item if item is not None and item.expires_at > looking.now() else None


def item_of(looking: Releasing) -> LockItem | None:
    """The lock as it is kept, also when its time is over."""
    table, name = lock_table(looking.environment), lock_name(looking.spec.name)
    return looking.aws.locks.read(table, name)


# A deployment that is in progress when a release begins: waited for, or brought to its end.

POLL_SECONDS: Final = 10
LONGEST: Final = timedelta(hours=2)
"""For a deployment that was told to end."""


def after_running(releasing: Releasing) -> None:
    """Returns when there is none, or one of this version, which will be followed.

    Raises:
        Ending: it takes longer than the order would wait.
    """
    minutes = releasing.order.lock_wait_minutes
    until = releasing.now() + timedelta(minutes=minutes)
    while (running := running_of_others(releasing)) is not None:
        if releasing.now() >= until:
            raise Ending(
                "locked",
                f"{running.id} is still in progress after {minutes} minutes",
                resume=f"platform wait {running.id} --env {releasing.environment.name}",
            )
        releasing.tell(Waiting(subject=subject_of(running), until=until))
        releasing.pause(POLL_SECONDS)


def running_of_others(releasing: Releasing) -> Deployment | None:
    deployments = releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=1, statuses=RUNNING)
    return next((each for each in deployments if not is_of_this_version(releasing, each)), None)


def is_of_this_version(releasing: Releasing, deployment: Deployment) -> bool:
    told = parse_description(deployment.description)
    return told is not None and (told.version, told.kind) == (releasing.release.version, releasing.release.kind)


def subject_of(deployment: Deployment) -> str:
    told = parse_description(deployment.description)
    return f"{deployment.id} ({told.version} by {told.by})" if told else deployment.id


def superseded(releasing: Releasing, state: ServiceState) -> ServiceState:
    """Ends what is in progress: the bake time of one that has all the traffic, otherwise the deployment itself, which
    goes back. Answers the state after that.
    """
    running = state.running_deployment
    if running is None or is_of_this_version(releasing, running):
        return state
    id = running.id
    target = releasing.aws.codedeploy.target(id, releasing.cluster, releasing.api)
    if Seen(deployment=running, target=target).has_all_traffic:
        releasing.aws.codedeploy.end_bake(id)
    else:
        releasing.tell(RollingBack(deployment_id=id, because=f"superseded by {releasing.release.version}"))
        releasing.aws.codedeploy.stop(id, roll_back=True)
    ended = until_end(releasing, id)
    back = rolled_back(releasing, ended) if ended.status != "Succeeded" else None
    if back is not None:
        until_end(releasing, back.rolled_back_by)
    return releasing.observe()


def until_end(releasing: Releasing, id: str) -> Deployment:
    until = releasing.now() + LONGEST
    while True:
        deployment = releasing.aws.codedeploy.deployment(id)
        if deployment is None or releasing.now() > until:
            raise Ending("locked", f"the deployment {id} did not come to its end")
        if deployment.has_ended:
            return deployment
        releasing.tell(Waiting(subject=subject_of(deployment), until=until))
        releasing.pause(POLL_SECONDS)
