"""Whose turn it is: takes the lock of a service by the order's policy, or does without it where it only looks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.events import Waiting, Warned
from platform_sdk.deploy.release.journal import Ending, Journal
from platform_sdk.deploy.release.lock import Locked, ReleaseLock, break_lock, lock_name, lock_table
from platform_sdk.deploy.release.order import Order
from platform_sdk.deploy.release.preflight import refuse_unless_ready
from platform_sdk.deploy.release.preflight.asked import Asked
from platform_sdk.deploy.release.releasing import Releasing, Tools
from platform_sdk.deploy.release.target import Release
from platform_sdk.deploy.state import LockItem, Suspended

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
        looking.aws.locks,
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
    return looking.patiently(lambda: break_lock(locks, looking.environment, holder, owner=owner, now=now))


def holder_of(looking: Releasing) -> LockItem | None:
    """Who holds the lock now; None where it is free."""
    item = item_of(looking)
    return item if item is not None and item.expires_at > looking.now() else None


def item_of(looking: Releasing) -> LockItem | None:
    """The lock as it is kept, also when its time is over."""
    table, name = lock_table(looking.environment), lock_name(looking.spec.name)
    return looking.patiently(lambda: looking.aws.locks.read(table, name))
