"""`platform unlock`: takes the release lock of a service from a holder that is dead."""

import json
import os
from typing import TYPE_CHECKING

import click

from platform_sdk.cli.options import complete_environments, complete_services, errors_as_json, on_aws, outside, root
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from platform_sdk.deploy.state import LockItem


class NotAgreed(PlatformError):
    """Whoever was asked did not agree."""


class HolderLives(PlatformError):
    """The lock was renewed while we looked."""

    exit_code = 16


@click.command()
@click.argument("service", shell_complete=complete_services)
@click.option("--env", "environment_name", required=True, metavar="NAME", shell_complete=complete_environments,
              help="The environment in which the service is locked.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print who held it as JSON.")
def unlock(service: str, environment_name: str, yes: bool, as_json: bool) -> None:
    """Take the release lock of a service from its holder.

    A release that was killed loses its lock by itself within three minutes, and the next one goes on from there: wait
    for that if you can. A release that still lives notices that its lock is gone, stops where it is, and says so; what
    it has begun in CodeDeploy goes on.
    """
    with errors_as_json(as_json):
        holder = unlocked(service, environment_name, yes=yes)
    tell(service, environment_name, holder, as_json)


def unlocked(service: str, environment_name: str, *, yes: bool) -> "LockItem | None":
    """Who held it; None where nobody did.

    Raises:
        NotAgreed, HolderLives, NotOnAws, UnknownName, AwsCallFailed
    """
    from platform_sdk.deploy.release.lock import break_lock, lock_name, lock_table, owner_of
    from platform_sdk.deploy.repository import refuse_unknown, service_names

    refuse_unknown("service", [service], service_names(root()))
    environment, world = on_aws(environment_name), outside()
    locks = world.connect(environment).locks
    holder = locks.read(lock_table(environment), lock_name(service))
    if holder is None or holder.expires_at <= world.clock.now():
        return None
    if not yes:
        ask(service, environment_name, holder)
    if not break_lock(locks, environment, holder, owner=owner_of(os.environ), now=world.clock.now()):
        raise HolderLives(
            f"{holder.owner} has just renewed the lock of {service} in {environment_name}",
            because="it is alive",
            hint="end it where it runs, or give the same command again to take the lock all the same",
        )
    return holder


def ask(service: str, environment_name: str, holder: "LockItem") -> None:
    click.echo(holder_words(holder), err=True)
    question = f"take the lock of {service} in {environment_name} from {holder.owner}?"
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        raise NotAgreed("nobody answered whether it may be done", hint="say --yes where nobody can be asked") from None
    if not agreed:
        raise NotAgreed(f"the lock of {service} in {environment_name} was left to {holder.owner}")


def holder_words(holder: "LockItem") -> str:
    return (
        f"held by {holder.owner} for its {holder.purpose} since {holder.since:%Y-%m-%d %H:%M:%S} UTC, free at "
        f"{holder.expires_at:%H:%M:%S} UTC without a sign of life"
    )


def tell(service: str, environment: str, holder: "LockItem | None", as_json: bool) -> None:
    if as_json:
        found = None if holder is None else {"owner": holder.owner, "purpose": holder.purpose}
        click.echo(json.dumps({"service": service, "environment": environment, "taken_from": found}, indent=2))
    elif holder is None:
        click.echo(f"{service} in {environment} is not locked")
    else:
        click.echo(f"{service} in {environment} is unlocked; it was locked by {holder.owner}")
