"""The release lock: one command at a time changes a service of an environment.

It is stored in AWS and expires, so that a build that was cancelled or a laptop that was closed holds it for at most
three minutes. Its holder renews it each minute: two minutes are left for failing calls and differing clocks. A lock
that has expired tells its next holder what the previous one left unfinished.
"""

import getpass
import json
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
from platform_sdk.deploy.release.outcome import EndedEarly, parse_ended_early
from platform_sdk.deploy.state import Held, LockItem, Suspended, Taken
from platform_sdk.errors import PlatformError

LIFETIME: Final = timedelta(seconds=180)
RENEWAL: Final = timedelta(seconds=60)
"""Age of a renewal at which the next one is due."""
RENEWAL_RETRY: Final = timedelta(seconds=5)
"""Between failed attempts to renew."""
POLL_SECONDS: Final = 5.0


class Locked(PlatformError):
    """Somebody else is changing the service: `by` says who."""

    exit_code = 16

    def __init__(self, what: str, *, by: LockItem, because: str, hint: str) -> None:
        super().__init__(what, because=because, hint=hint)
        self.by = by


class LockLost(PlatformError):
    """The lock is no longer ours. Nothing more may be changed."""

    exit_code = 15


OnWait = Callable[[LockItem, datetime], None]


def ignore(_holder: LockItem, _until: datetime) -> None:
    """Do nothing, for callers that do not report the wait."""


class ReleaseLock:
    """Held while the block runs. Every loop that waits must call `renew_when_due`.

    Args:
        locks: without retries, so that a renewal never delays its caller.
        owner: for people, from `owner_of`.
        purpose: for people, such as `release of 4f2a9c1`.
        wait_minutes: how long to wait for another holder.
        on_wait: called with the holder, and until when to wait, before each wait of a few seconds. What it raises
            ends the wait.

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
        on_wait: OnWait = ignore,
    ) -> None:
        self.locks = locks
        self.clock = clock
        self.table = lock_table(environment)
        self.environment = environment
        self.service = service
        self.wait = timedelta(minutes=wait_minutes)
        self.on_wait = on_wait
        now = clock.now()
        self.item = LockItem(
            name=lock_name(service), token=uuid4().hex, owner=owner, purpose=purpose, since=now, expires_at=now
        )
        self.before: LockItem | None = None
        """The expired lock that was taken over."""
        self.kept = False
        self.next_renewal = now
        self.retry = Retry(lambda _error, pause: clock.sleep(pause))

    @property
    def scaling(self) -> Suspended | None:
        """The state of scaling to restore; None if no release has suspended it."""
        return self.item.scaling

    @property
    def deployment_id(self) -> str:
        """Of this release or of the one that was taken over; empty if there is none."""
        return self.item.deployment_id

    def __enter__(self) -> Self:
        until = self.clock.now() + self.wait
        while isinstance(answer := self.retry.run(self.take), Taken):
            if self.clock.now() >= until:
                raise _locked(answer.by, self.service, self.environment, self.clock.now())
            self.on_wait(answer.by, until)
            self.clock.sleep(POLL_SECONDS)
        self.item, self.before = answer.item, answer.before
        self.next_renewal = self.clock.now() + RENEWAL
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock. It stays, expired, if the next holder must restore or check something. If AWS does not
        answer, it expires by itself.
        """
        if not isinstance(error, LockLost):
            with suppress(AwsCallFailed):
                self.retry.run(self.give_back)

    def take(self) -> Held | Taken:
        """Take the lock if it is free. With the same token this may be repeated."""
        now = self.clock.now()
        return self.locks.take(self.table, replace(self.item, since=now, expires_at=now + LIFETIME), now=now)

    def give_back(self) -> None:
        """Delete the lock, or let it expire now so that the next holder finds what it must finish."""
        if self.item.scaling is None and not self.kept:
            self.locks.release(self.table, self.item.name, token=self.item.token)
        else:
            self.locks.renew(self.table, self.item.name, token=self.item.token, expires_at=self.clock.now())

    def renew_when_due(self) -> None:
        """Renew the lock each minute. A renewal that fails is repeated some seconds later, until the lock expires.

        Raises:
            LockLost
        """
        if self.clock.now() < self.next_renewal:
            return
        try:
            self.renew()
        except AwsCallFailed as error:
            self.next_renewal = self.clock.now() + RENEWAL_RETRY
            if self.clock.now() >= self.item.expires_at:
                raise LockLost(
                    f"the lock of {self.service} in {self.environment.name} expired: it could not be renewed in time",
                    because=str(error),
                    hint="run the same command again: it resumes",
                ) from error

    def keep(self) -> None:
        """Leave the lock, expired, to the next holder: something continues on AWS, and it checks how that ended."""
        self.kept = True

    def renew(
        self, *, deployment_id: str | None = None, scaling: Suspended | None = None, forget_scaling: bool = False
    ) -> None:
        """Renew the lock and store in it what the next holder must know. None keeps what is stored.

        Raises:
            LockLost
            AwsCallFailed
        """
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
        """Return the error for a lock that someone else took, with their name if AWS answers."""
        try:
            holder = self.locks.read(self.table, self.item.name)
        except AwsCallFailed:
            holder = None
        return LockLost(
            f"the lock of {self.service} in {self.environment.name} was taken over",
            because=f"{holder.owner} holds it for its {holder.purpose} since {_moment(holder.since)}"
            if holder
            else "nobody holds it any more",
            hint="this machine was suspended for minutes, or somebody unlocked the service; "
            f"`platform status {self.service} --env {self.environment.name}` shows what runs",
        )


class NoLock:
    """Stands in for the lock in a command that only reads, or only stops what another one began.

    Args:
        scaling: as it was before the lock's holder suspended it.
    """

    before: LockItem | None = None

    def __init__(self, scaling: Suspended | None = None) -> None:
        self.scaling = scaling

    def renew_when_due(self) -> None:
        """Do nothing: there is nothing to renew."""

    def renew(
        self, *, deployment_id: str | None = None, scaling: Suspended | None = None, forget_scaling: bool = False
    ) -> None:
        """Do nothing: there is nothing to renew, and nobody to store anything for."""

    def keep(self) -> None:
        """Do nothing: there is nothing to keep."""


def lock_table(environment: Environment) -> str:
    """Return the name of the DynamoDB table that the environment's shared stack creates."""
    return f"platform-{environment.name}-locks"


def lock_name(service: str) -> str:
    """Return the key of a service's lock in the table."""
    return f"release/{service}"


def owner_of(variables: Mapping[str, str] = os.environ) -> str:
    """Return the CodeBuild build, or user and machine."""
    build = variables.get("CODEBUILD_BUILD_ID")
    if build:
        return f"CodeBuild {build}"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _locked(holder: LockItem, service: str, environment: Environment, now: datetime) -> Locked:
    minutes = max(0, round((now - holder.since).total_seconds() / 60))
    return Locked(
        f"{service} in {environment.name} is locked by {holder.owner}",
        by=holder,
        because=f"its {holder.purpose} runs since {_moment(holder.since)}, for {minutes} min; if it does not renew "
        f"the lock, it expires at {_moment(holder.expires_at)}",
        hint=f"wait until it is done; if it is dead, `platform unlock {service} --env {environment.name}`",
    )


def _moment(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"


# Beside the lock: releases that ended before they created a deployment. Nothing else on AWS keeps them.

MAX_ENDED_EARLY: Final = 25
ATTEMPTS: Final = 5
"""To write, against others who write at the same time."""


def _early_ends_name(service: str) -> str:
    return f"history/{service}"


def read_early_ends(locks: Locks, environment: Environment, service: str) -> tuple[EndedEarly, ...]:
    """Return the newest first. Raises AwsCallFailed."""
    return parse_ended_early(locks.text(lock_table(environment), _early_ends_name(service)))


def record_early_end(locks: Locks, environment: Environment, service: str, ended: EndedEarly) -> None:
    """Keep the newest. Raises AwsCallFailed."""
    table, name = lock_table(environment), _early_ends_name(service)
    for _ in range(ATTEMPTS):
        before = locks.text(table, name)
        known = [ended, *parse_ended_early(before)][:MAX_ENDED_EARLY]
        text = json.dumps([each.as_json() for each in known])
        if locks.replace_text(table, name, text, before=before):
            return


def break_lock(locks: Locks, environment: Environment, holder: LockItem, *, owner: str, now: datetime) -> bool:
    """Take the lock from the holder that was read, and free it. Return False if that one has renewed it meanwhile. What
    it left to be restored stays for the next holder.
    """
    ours = replace(holder, token=uuid4().hex, owner=owner, purpose="unlock", since=now, expires_at=now)
    table = lock_table(environment)
    # A lock whose time is over is free: so this succeeds only if the time is still the one that was read.
    answer = locks.take(table, ours, now=holder.expires_at)
    if isinstance(answer, Held) and answer.item.scaling is None:
        locks.release(table, ours.name, token=ours.token)
    return isinstance(answer, Held)
