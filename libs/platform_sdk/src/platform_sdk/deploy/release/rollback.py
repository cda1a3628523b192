"""`platform rollback`: return to a version that served well, whatever the service is doing. And `platform restart`.

a deployment runs, or its bake time       it is stopped with rollback: users are back at once
a release has not created one yet         it is stopped, and the worker returns
neither                                   a release of revisions that exist
"""

from dataclasses import replace

from platform_sdk.deploy.release.concurrency import (
    acquire_lock,
    acquire_lock_if_free,
    break_holder,
    holder_of,
    lock_item,
)
from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.deployment import traffic_baseline
from platform_sdk.deploy.release.execute import conclude, execute, rescue, stop_deployment
from platform_sdk.deploy.release.history import (
    is_placeholder,
    paired_worker_revision,
    parse_description,
    served,
    version_of,
)
from platform_sdk.deploy.release.outcome import ExistingRevisions, Outcome, Release, ReleaseKind
from platform_sdk.deploy.release.recovery import recover_interrupted_release
from platform_sdk.deploy.release.resume import original_revision, replacement_revision, restore_journal
from platform_sdk.deploy.release.rollback_target import (
    NoRollbackTarget,
    restart_target,
    revision_named,
    rollback_target,
)
from platform_sdk.deploy.release.serving import idle_tasks, serving_in
from platform_sdk.deploy.release.worker import is_updating, return_worker, what_runs
from platform_sdk.deploy.state import Deployment, LockItem, ServiceState


def roll_back(context: ReleaseContext, *, to: str | None, by: str, id: str) -> Outcome:
    """Roll back and return the outcome.

    Args:
        to: a tag or a revision; None for the last one that served well.
        by, id: of this release.

    Raises:
        NoRollbackTarget, AwsCallFailed: before anything was changed.
    """
    # A rollback must not be refused because of an alarm that fires for what it rolls back.
    context.options = options = replace(context.options, ignore_alarms=True, allow_older=True)
    context.start(release_without_target(context, "rollback", by, id))
    state = context.observe()
    if state.api is None:
        raise NoRollbackTarget(f"{context.spec.name} does not run in {context.environment.name}")
    running = deployment_to_roll_back(context, state)
    if running is not None and to is None:
        # A second rollback means what the first one meant.
        to = target_of_rollback(running)
    if running is not None and stopping_leads_to(context, state, running, to):
        return stop_running_deployment(context, state, running)
    holder = holder_of(context) if running is None else None
    held = holder if options.if_busy != "fail" and holder is not None and _is_release(holder) else None
    begun = None if held is None or _has_reached(held, state) else held
    partial = running is None and (begun is not None or is_left_partial(context, state, holder))
    if partial and stopping_leads_to(context, state, None, to):
        return stop_release(context, state, begun)
    version, target = rollback_target(context, revision_to_leave(state), to)
    if held is not None or (running is not None and target_of_rollback(running) is None):
        context.options = replace(options, if_busy="supersede")
    return execute(replace(context.release, version=version, target=target), context)


def restart(context: ReleaseContext, *, by: str, id: str) -> Outcome:
    """Replace all tasks by new ones of the same revision and return the outcome.

    Args:
        by, id: of this release.

    Raises:
        NothingToRestart, AwsCallFailed: before anything was changed.
    """
    context.options = replace(context.options, allow_older=True)
    context.start(release_without_target(context, "restart", by, id))
    version, target = restart_target(context, context.observe())
    return execute(replace(context.release, version=version, target=target), context)


def release_without_target(context: ReleaseContext, kind: ReleaseKind, by: str, id: str) -> Release:
    """Return a release whose version is not known yet."""
    return Release(
        id=id,
        kind=kind,
        service=context.spec.name,
        environment=context.environment.name,
        version="",
        target=ExistingRevisions(api="", worker=None),
        commit=None,
        committed_at=None,
        by=by,
    )


def deployment_to_roll_back(context: ReleaseContext, state: ServiceState) -> Deployment | None:
    """Return the deployment in progress. If CodeDeploy is rolling another one back, return that one: its rollback must
    not be stopped.
    """
    running = state.running_deployment
    if running is None or not running.rolls_back:
        return running
    return context.aws.codedeploy.deployment(running.rolls_back) or running


def target_of_rollback(running: Deployment) -> str | None:
    """Return the revision (`family:number`) that a rollback of ours leads to; None for any other deployment."""
    description = parse_description(running.description)
    return description.revision if description is not None and description.kind == "rollback" else None


def stopping_leads_to(context: ReleaseContext, state: ServiceState, running: Deployment | None, to: str | None) -> bool:
    """Return whether stopping what runs brings users to the wanted version."""
    if to is None:
        return True
    replacement = replacement_revision(context, running) if running else ""
    original = original_revision(state, replacement)
    wanted = revision_named(context, to, served(context)).rsplit("/", 1)[-1]
    return wanted == original.rsplit("/", 1)[-1]


def _is_release(item: LockItem) -> bool:
    return item.purpose.startswith(("release of ", "restart of "))


def _has_reached(holder: LockItem, state: ServiceState) -> bool:
    """Return whether users are on the version that a release was to bring: its rollback takes them back, then."""
    version = version_of(state.api_revision)
    return holder.purpose == f"release of {version}" and serving_in(state).percent == 100


def is_left_partial(context: ReleaseContext, state: ServiceState, holder: LockItem | None) -> bool:
    """Return whether a release ended with only its worker updated, or with an update of the worker that runs on.
    Its users are where they were, so they stay, and the worker returns to them. A rollback that ended so continues to
    where it was going.
    """
    item = lock_item(context)
    if (item is not None and item.purpose.startswith("rollback of ")) or not version_of(state.worker_revision):
        return False
    return not _runs_one_version(state) or (holder is None and is_updating(state))


def _runs_one_version(state: ServiceState) -> bool:
    return state.worker is None or version_of(state.worker_revision) == version_of(state.api_revision)


def revision_to_leave(state: ServiceState) -> str:
    """Return what serves all users now. Empty where two revisions share them: both are rollback targets then."""
    serving = serving_in(state)
    return serving.revision if serving.percent == 100 else ""


def stop_release(context: ReleaseContext, state: ServiceState, holder: LockItem | None) -> Outcome:
    """Stop a release without a deployment: users stay where they are, and the worker returns.

    Its holder notices that the lock is gone before its next write. None where it has ended already.
    """
    assert state.api is not None, "it runs"
    context.journal.previous_revision = state.api.task_definition
    target_original(context)
    context.report_start()
    stopped = f"the {holder.purpose} was stopped" if holder else "the worker returned to it"
    with conclude(context):
        if holder is not None:
            break_holder(context)
        with acquire_lock(context), rescue(context):
            _end_stopped_release(context, stopped)
    return context.outcome


def _end_stopped_release(context: ReleaseContext, stopped: str) -> None:
    recover_interrupted_release(context)
    state, journal = context.observe(), context.journal
    running = deployment_to_roll_back(context, state)
    if running is not None:
        restore_journal(context, running, parse_description(running.description), state)
        roll_back_deployment(context, state, running.id)
    assert state.api is not None, "it ran a moment ago"
    journal.revision, journal.previous_revision = state.api.task_definition, ""
    if state.worker is not None and (is_updating(state) or not _runs_one_version(state)):
        worker = state.worker.task_definition
        one = _runs_one_version(state)
        journal.worker_before = worker if one else paired_worker_revision(context, state, worker)
        journal.worker_rolled = True
        if not journal.worker_before:
            what = f"{what_runs(context)}; no revision of the worker is known that belongs to the API"
            command = context.release_command(context.release.version)
            raise ReleaseEnded("rollback_failed", what, resume=command)
        return_worker(context)
    if is_placeholder(context, journal.revision):
        what = f"{stopped}; nothing served before: the placeholder answers 503 to all users"
        raise ReleaseEnded("failed_rolled_back", what)
    left = idle_tasks(serving_in(state))
    raise ReleaseEnded("released", f"{context.release.version} serves all users; {stopped}{left}")


def stop_running_deployment(context: ReleaseContext, state: ServiceState, running: Deployment) -> Outcome:
    """Stop a deployment without waiting for the lock: its release sees the deployment stop, and reports that."""
    context.options = replace(context.options, on_interrupt="leave")
    restore_journal(context, running, parse_description(running.description), state)
    target_original(context)
    context.report_start()
    with conclude(context), acquire_lock_if_free(context), rescue(context):
        roll_back_deployment(context, state, running.id)
    return context.outcome


def target_original(context: ReleaseContext) -> None:
    """Set the version and revisions of this rollback: the original ones."""
    previous = context.journal.previous_revision
    if previous:
        revision = context.aws.ecs.revision(previous)
        target = ExistingRevisions(api=previous, worker=context.journal.worker_before or None)
        version = "the placeholder" if is_placeholder(context, previous) else version_of(revision)
        context.release = replace(context.release, version=version, target=target)


def roll_back_deployment(context: ReleaseContext, state: ServiceState, id: str) -> None:
    """Raise ReleaseEnded with who serves after the deployment was stopped with rollback."""
    journal = context.journal
    try:
        stop_deployment(context, id, traffic_baseline(state, journal.previous_revision))
    except ReleaseEnded as ended:
        if ended.kind != "failed_rolled_back":
            raise
    return_worker(context)
    journal.revision, journal.previous_revision = journal.previous_revision, journal.revision
    if is_placeholder(context, journal.revision):
        what = "nothing served before: the placeholder answers 503 to all users"
        raise ReleaseEnded("failed_rolled_back", what)
    version = context.release.version or journal.revision.rsplit("/", 1)[-1]
    raise ReleaseEnded("released", f"{version} serves all users again{journal.idle_tasks}")
