"""One release at a time for a service and environment: the lock that whoever changes a service holds meanwhile.

It is kept in AWS with an end, so that a build that was cancelled or a laptop that was closed holds it for three minutes
at the most. As long as its holder lives it is renewed each minute: two minutes are left for calls that fail and for
clocks that differ. Whoever takes over an expired one finds what the former holder left undone.
"""

import getpass
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from platform_sdk.deploy.aws import AwsCallFailed, Retry
from platform_sdk.deploy.aws.dynamodb_locks import Locks
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.state import Held, LockItem, Suspended, Taken
from platform_sdk.errors import PlatformError

LIFETIME: Final = timedelta(seconds=180)
RENEWAL: Final = timedelta(seconds=60)
"""How old a renewal may be before the next one is due."""
RETRY: Final = timedelta(seconds=5)
"""Between attempts to renew."""
POLL_SECONDS: Final = 5.0


class Locked(PlatformError):
    """Somebody else changes the service: `by` says who."""

    exit_code = 16

    def __init__(self, what: str, *, by: LockItem, because: str, hint: str) -> None:
        super().__init__(what, because=because, hint=hint)
        self.by = by


class LockLost(PlatformError):
    """The lock is no longer ours: nothing more may be changed."""

    exit_code = 15


Waiting = Callable[[LockItem, datetime], None]


def nobody_listens(_holder: LockItem, _until: datetime) -> None:
    """For callers that need not hear of the wait."""


class ReleaseLock:
    """Held from entering to leaving the block; `renew_when_due` belongs into every loop that waits.

    Args:
        owner: for people, as `owner_of` tells.
        purpose: for people, such as `release of 4f2a9c1`.
        wait_minutes: how long to wait for another holder.
        waiting: told of the holder, and until when to wait, before each wait of a few seconds; what it raises ends it.

    Raises:
        Locked: on entering, when the wait is over.
        AwsCallFailed: on entering.
    """

    def __init__(
        self,
        locks: Locks,
        clock: Clock,
        environment: Environment,
        service: str,
        *,
        owner: str,
        purpose: str,
        wait_minutes: float = 0,
        waiting: Waiting = nobody_listens,
    ) -> None:
        self.locks = locks
        self.clock = clock
        self.table = lock_table(environment)
        self.environment = environment
        self.service = service
        self.wait = timedelta(minutes=wait_minutes)
        self.waiting = waiting
        now = clock.now()
        self.item = LockItem(
            name=lock_name(service), token=uuid4().hex, owner=owner, purpose=purpose, since=now, expires_at=now
        )
        self.before: LockItem | None = None
        """What a holder left whose time was over."""
        self.stays = False
        self.next_renewal = now
        self.retry = Retry(lambda _error, pause: clock.sleep(pause))

    @property
    def scaling(self) -> Suspended | None:
        """How scaling was suspended before it was suspended for a release, and is to be restored; None if it is not."""
        return self.item.scaling

    @property
    def deployment_id(self) -> str:
        """CodeDeploy's, of this release or of the one that was taken over; empty if there is none."""
        return self.item.deployment_id

    def __enter__(self) -> Self:
        until = self.clock.now() + self.wait
        while isinstance(answer := self.retry.run(self.ask), Taken):
            if self.clock.now() >= until:
                raise locked(answer.by, self.service, self.environment, self.clock.now())
            self.waiting(answer.by, until)
            self.clock.sleep(POLL_SECONDS)
        self.item, self.before = answer.item, answer.before
        self.next_renewal = self.clock.now() + RENEWAL
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is still to be restored or looked at stays for the next holder, in a lock that is free. Where AWS cannot
        be reached, the lock ends by itself.
        """
        if not isinstance(error, LockLost):
            with suppress(AwsCallFailed):
                self.retry.run(self.give_back)

    def ask(self) -> Held | Taken:
        """The token makes one that is asked again the same question."""
        now = self.clock.now()
        return self.locks.take(self.table, replace(self.item, since=now, expires_at=now + LIFETIME), now=now)

    def give_back(self) -> None:
        if self.item.scaling is None and not self.stays:
            self.locks.release(self.table, self.item.name, token=self.item.token)
        else:
            self.locks.renew(self.table, self.item.name, token=self.item.token, expires_at=self.clock.now())

    def renew_when_due(self) -> None:
        """A renewal that fails is tried again some seconds later, until the lock's time is over.

        Raises:
            LockLost
        """
        if self.clock.now() < self.next_renewal:
            return
        try:
            self.renew()
        except AwsCallFailed as error:
            self.next_renewal = self.clock.now() + RETRY
            if self.clock.now() >= self.item.expires_at:
                raise LockLost(
                    f"the lock of {self.service} in {self.environment.name} is over: it could not be renewed in time",
                    because=str(error),
                    hint="give the same command again: it goes on where this one stopped",
                ) from error

    def note(self, *, deployment_id: str | None = None, scaling: Suspended | None = None) -> None:
        """Writes into the lock what whoever takes it over must know.

        Raises:
            LockLost
            AwsCallFailed
        """
        self.renew(deployment_id=deployment_id, scaling=scaling)

    def stay(self) -> None:
        """What is under way ends without its holder: the next one looks at how, before anything else."""
        self.stays = True

    def forget_scaling(self) -> None:
        """Scaling is as it was before.

        Raises:
            LockLost
            AwsCallFailed
        """
        self.renew(forget_scaling=True)

    def renew(
        self, *, deployment_id: str | None = None, scaling: Suspended | None = None, forget_scaling: bool = False
    ) -> None:
        now = self.clock.now()
        is_ours = self.locks.renew(
            self.table,
            self.item.name,
            token=self.item.token,
            expires_at=now + LIFETIME,
            deployment_id=deployment_id,
            scaling=scaling,
            forget_scaling=forget_scaling,
        )
        if not is_ours:
            raise self.lost()
        self.item = replace(
            self.item,
            expires_at=now + LIFETIME,
            deployment_id=self.item.deployment_id if deployment_id is None else deployment_id,
            scaling=None if forget_scaling else scaling or self.item.scaling,
        )
        self.next_renewal = now + RENEWAL

    def lost(self) -> LockLost:
        try:
            holder = self.locks.read(self.table, self.item.name)
        except AwsCallFailed:
            holder = None
        return LockLost(
            f"the lock of {self.service} in {self.environment.name} was taken over",
            because=f"{holder.owner} holds it for its {holder.purpose} since {moment(holder.since)}"
            if holder
            else "it is nobody's any more",
            hint="this machine stood still for minutes, or somebody unlocked the service; "
            f"`platform status {self.service} --env {self.environment.name}` tells what runs",
        )


def lock_table(environment: Environment) -> str:
    return f"platform-{environment.name}-locks"


def lock_name(service: str) -> str:
    return f"release/{service}"


def owner_of(variables: Mapping[str, str] = os.environ) -> str:
    """The build that this is, or user and machine."""
    build = variables.get("CODEBUILD_BUILD_ID")
    if build:
        return f"CodeBuild {build}"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def locked(holder: LockItem, service: str, environment: Environment, now: datetime) -> Locked:
    minutes = max(0, round((now - holder.since).total_seconds() / 60))
    return Locked(
        f"{service} in {environment.name} is locked by {holder.owner}",
        by=holder,
        because=f"its {holder.purpose} runs since {moment(holder.since)}, for {minutes} min; without a sign of life "
        f"the lock is free at {moment(holder.expires_at)}",
        hint=f"wait until it is done; if it is dead and must not be waited for, `platform unlock {service} "
        f"--env {environment.name}`",
    )


def moment(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"


def break_lock(locks: Locks, environment: Environment, holder: LockItem, *, owner: str, now: datetime) -> bool:
    """Takes the lock from the holder that was seen, and frees it. False where that one has renewed it meanwhile: it
    lives. What it left to be restored stays for the next holder.
    """
    ours = replace(holder, token=uuid4().hex, owner=owner, purpose="unlock", since=now, expires_at=now)
    table = lock_table(environment)
    # For whom the lock's time is over, it is free: so this succeeds only if the time is still the one that was seen.
    answer = locks.take(table, ours, now=holder.expires_at)
    if isinstance(answer, Held) and answer.item.scaling is None:
        locks.release(table, ours.name, token=ours.token)
    return isinstance(answer, Held)
