"""`platform rollback`: back to a version that served well, whatever the service is doing.

a deployment runs, or bakes   it is stopped with rollback: users are back at once
none does                     a release of a revision that exists
"""

from dataclasses import replace

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.release.choose import NoWayBack, choose
from platform_sdk.deploy.release.description import parse_description
from platform_sdk.deploy.release.events import Started
from platform_sdk.deploy.release.execute import concluded, execute, unbroken
from platform_sdk.deploy.release.former import version_of
from platform_sdk.deploy.release.journal import Ending
from platform_sdk.deploy.release.order import Order
from platform_sdk.deploy.release.outcome import Outcome
from platform_sdk.deploy.release.releasing import Releasing, Tools
from platform_sdk.deploy.release.resume import note
from platform_sdk.deploy.release.serving import serving_in
from platform_sdk.deploy.release.settle import ground_of
from platform_sdk.deploy.release.target import ExistingRevisions, Release
from platform_sdk.deploy.release.turn import if_free, without_lock
from platform_sdk.deploy.release.undo import stopped
from platform_sdk.deploy.release.worker import return_worker
from platform_sdk.deploy.spec.types import ServiceSpec
from platform_sdk.deploy.state import Deployment, ServiceState


def roll_back(
    spec: ServiceSpec, environment: Environment, *, to: str | None, by: str, id: str, order: Order, tools: Tools
) -> Outcome:
    """
    Args:
        to: a tag or a revision; where the service was before, if it is None.
        by, id: of the release that this is.

    Raises:
        NoWayBack: before anything was changed.
        AwsCallFailed: as NoWayBack.
    """
    release = Release(
        id=id,
        kind="rollback",
        service=spec.name,
        environment=environment.name,
        version="",
        target=ExistingRevisions(api="", worker=None),
        commit=None,
        committed_at=None,
        by=by,
    )
    looking = without_lock(release, spec, environment, order, tools)
    state = looking.observe()
    if state.running_deployment is not None and to is None:
        return take_back(replace(looking, order=replace(order, on_interrupt="leave")), state, state.running_deployment)
    if state.api is None:
        raise NoWayBack(f"{spec.name} does not run in {environment.name}")
    chosen = choose(looking, revision_to_leave(state), to)
    release = replace(release, version=chosen.version, target=chosen.target)
    busy = "supersede" if state.running_deployment is not None else order.if_busy
    # An alarm that fires because of what runs must not keep the cure from it.
    order = replace(order, if_busy=busy, ignore_alarms=True, allow_older=True)
    return execute(release, spec, environment, order, tools)


def revision_to_leave(state: ServiceState) -> str:
    """What serves all users now. Where two revisions share them, the one that was there before is a way back, too."""
    serving = serving_in(state)
    return serving.revision if serving.percent == 100 else ""


def take_back(looking: Releasing, state: ServiceState, running: Deployment) -> Outcome:
    """Does not wait for the lock: whoever releases sees the deployment stop, and says so."""
    told = parse_description(running.description)
    if told is not None:
        note(looking, running, told, state)
        name_former(looking)
    looking.tell(Started(release=looking.release))
    return concluded(looking.journal, lambda: back_at_once(looking, state, running.id))


def name_former(looking: Releasing) -> None:
    """What this releases is known only now that it is known what is taken back."""
    journal = looking.journal
    if journal.previous_revision:
        revision = looking.patiently(lambda: looking.aws.ecs.revision(journal.previous_revision))
        target = ExistingRevisions(api=journal.previous_revision, worker=journal.worker_before or None)
        journal.release = replace(looking.release, version=version_of(revision), target=target)


def back_at_once(looking: Releasing, state: ServiceState, id: str) -> Ending:
    with if_free(looking) as releasing:
        return unbroken(releasing, lambda held: taken_back(held, state, id))


def taken_back(releasing: Releasing, state: ServiceState, id: str) -> Ending:
    journal = releasing.journal
    ending = stopped(releasing, id, ground_of(state, journal.previous_revision))
    if ending.kind != "failed_rolled_back":
        return ending
    return_worker(releasing)
    journal.revision, journal.previous_revision = journal.previous_revision, journal.revision
    version = releasing.release.version or journal.revision.rsplit("/", 1)[-1]
    return Ending("released", f"{version} serves all users again")
