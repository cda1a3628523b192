"""`platform rollback`: back to a version that served well, whatever the service is doing.

a deployment runs, or bakes        it is stopped with rollback: users are back at once
a release has not come so far yet  it is stopped, and the worker goes back
neither                            a release of a revision that exists
"""

from dataclasses import replace

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from platform_sdk.deploy.release.concurrency import break_holder, if_free, item_of, take_turn, without_lock
from platform_sdk.deploy.release.context import Ending, Releasing, Tools
from platform_sdk.deploy.release.deployment import ground_of, serving_in
from platform_sdk.deploy.release.events import Started
from platform_sdk.deploy.release.execute import concluded, execute, stopped, unbroken
from platform_sdk.deploy.release.history import is_placeholder, parse_description, served, version_of, worker_beside
from platform_sdk.deploy.release.options import ExistingRevisions, Order, Release
from platform_sdk.deploy.release.outcome import Outcome
from platform_sdk.deploy.release.recovery import put_right
from platform_sdk.deploy.release.resume import beside, note
from platform_sdk.deploy.release.rollback_target import NoWayBack, choose, named
from platform_sdk.deploy.release.worker import return_worker
from platform_sdk.deploy.render.names import arn
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
    release = not_chosen(spec, environment, by, id)
    # An alarm that fires because of what runs must not keep the cure from it.
    order = replace(order, ignore_alarms=True, allow_older=True)
    looking = without_lock(release, spec, environment, order, tools)
    state = looking.observe()
    if state.api is None:
        raise NoWayBack(f"{spec.name} does not run in {environment.name}")
    running = state.running_deployment
    if running is not None and to is None:
        # A second rollback means what the first one meant.
        to = goal_of_rollback(running)
    if running is not None and leads_to(looking, state, running, to):
        return take_back(looking, state, running)
    begun = running is None and order.if_busy != "fail" and has_begun(looking, state)
    if begun and leads_to(looking, state, None, to):
        return stop_release(looking, state)
    chosen = choose(looking, revision_to_leave(state), to)
    release = replace(release, version=chosen.version, target=chosen.target)
    if begun or (running is not None and goal_of_rollback(running) is None):
        order = replace(order, if_busy="supersede")
    return execute(release, spec, environment, order, tools)


def not_chosen(spec: ServiceSpec, environment: Environment, by: str, id: str) -> Release:
    """A rollback, before it is known to which version."""
    return Release(
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


def goal_of_rollback(running: Deployment) -> str | None:
    """The revision (`family:number`) to which a rollback of ours brings users; None of any other deployment."""
    told = parse_description(running.description)
    return told.revision if told is not None and told.kind == "rollback" else None


def leads_to(looking: Releasing, state: ServiceState, running: Deployment | None, to: str | None) -> bool:
    """Whether what was meant is where users are once what is under way is stopped."""
    if to is None:
        return True
    live = state.api.task_definition if state.api else ""
    told = parse_description(running.description) if running else None
    new = "" if told is None else arn(looking.environment, "ecs", f"task-definition/{told.revision}")
    former = live if live != new else beside(state, new)
    wanted = named(looking, to, served(looking)).rsplit("/", 1)[-1]
    return wanted == former.rsplit("/", 1)[-1]


def has_begun(looking: Releasing, state: ServiceState) -> bool:
    """Whether a release is at work that has made no deployment yet, or was killed after it had moved the worker."""
    item = item_of(looking)
    if item is None or not item.purpose.startswith("release of "):
        return False
    return item.expires_at > looking.now() or not runs_one_version(state)


def runs_one_version(state: ServiceState) -> bool:
    return state.worker is None or version_of(state.worker_revision) == version_of(state.api_revision)


def stop_release(looking: Releasing, state: ServiceState) -> Outcome:
    """Before its deployment a release has changed nothing for users: they stay, and the worker goes back.
    Its holder notices that the lock is gone before its next write.
    """
    assert state.api is not None, "it runs"
    looking.journal.previous_revision = state.api.task_definition
    name_former(looking)
    looking.tell(Started(release=looking.release))
    item = item_of(looking)
    stopped = item.purpose if item else "release"

    def story() -> Ending:
        break_holder(looking)
        with take_turn(looking) as releasing:
            return unbroken(releasing, lambda held: release_stopped(held, stopped))

    return concluded(looking.journal, story)


def release_stopped(releasing: Releasing, stopped: str) -> Ending:
    put_right(releasing)
    state, journal = releasing.observe(), releasing.journal
    running = state.running_deployment
    if running is not None:
        told = parse_description(running.description)
        if told is not None:
            note(releasing, running, told, state)
        return taken_back(releasing, state, running.id)
    assert state.api is not None, "it ran a moment ago"
    journal.revision, journal.previous_revision = state.api.task_definition, ""
    if not runs_one_version(state) and state.worker is not None:
        journal.worker_before, journal.worker_rolled = (
            worker_beside(releasing, state, state.worker.task_definition),
            True,
        )
        return_worker(releasing)
    if is_placeholder(releasing, journal.revision):
        what = f"the {stopped} was stopped; nothing served before: the placeholder answers 503 to all users"
        return Ending("failed_rolled_back", what)
    return Ending("released", f"{releasing.release.version} serves all users; the {stopped} was stopped")


def revision_to_leave(state: ServiceState) -> str:
    """What serves all users now. Where two revisions share them, the one that was there before is a way back, too."""
    serving = serving_in(state)
    return serving.revision if serving.percent == 100 else ""


def take_back(looking: Releasing, state: ServiceState, running: Deployment) -> Outcome:
    """Does not wait for the lock: whoever releases sees the deployment stop, and says so."""
    told = parse_description(running.description)
    looking = replace(looking, order=replace(looking.order, on_interrupt="leave"))
    if told is not None:
        note(looking, running, told, state)
        name_former(looking)
    looking.tell(Started(release=looking.release))
    return concluded(looking.journal, lambda: back_at_once(looking, state, running.id))


def name_former(looking: Releasing) -> None:
    """What this releases is known only now that it is known what is taken back."""
    journal = looking.journal
    if journal.previous_revision:
        revision = looking.aws.ecs.revision(journal.previous_revision)
        target = ExistingRevisions(api=journal.previous_revision, worker=journal.worker_before or None)
        placeholder = is_placeholder(looking, journal.previous_revision)
        version = "the placeholder" if placeholder else version_of(revision)
        journal.release = replace(looking.release, version=version, target=target)


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
    if is_placeholder(releasing, journal.revision):
        return Ending("failed_rolled_back", "nothing served before: the placeholder answers 503 to all users")
    version = releasing.release.version or journal.revision.rsplit("/", 1)[-1]
    return Ending("released", f"{version} serves all users again")
