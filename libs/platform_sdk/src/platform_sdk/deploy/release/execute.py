"""A release from its start to its outcome. `execute` lists the stages; each of them is a file beside this one.

Every stage may be repeated: what it finds done already, it leaves unchanged. To finish a release that was killed, run
the same command again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final, NoReturn

from platform_sdk.deploy.aws import AwsCallFailed, best_effort
from platform_sdk.deploy.release.concurrency import acquire_lock, await_running_deployment, supersede_deployment
from platform_sdk.deploy.release.context import Interrupted, ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.deployment import (
    DeploymentFailed,
    TrafficBaseline,
    await_rollback,
    follow,
    traffic_baseline,
)
from platform_sdk.deploy.release.events import InterruptedBySignal, RollingBack
from platform_sdk.deploy.release.history import is_placeholder, paired_worker_revision
from platform_sdk.deploy.release.lock import LockLost, record_early_end
from platform_sdk.deploy.release.migrate import migrate
from platform_sdk.deploy.release.outcome import ExistingRevisions, NewImage, Outcome, Release, ended_early
from platform_sdk.deploy.release.preflight import refuse_unless_ready
from platform_sdk.deploy.release.recovery import recover_interrupted_release
from platform_sdk.deploy.release.register import register, register_tasks
from platform_sdk.deploy.release.rollback_target import restart_target, worker_to_restart
from platform_sdk.deploy.release.serving import serving_in
from platform_sdk.deploy.release.traffic_shift import created_by_us, following_of, shift_traffic
from platform_sdk.deploy.release.worker import (
    not_returned,
    return_worker,
    return_worker_on_failure,
    roll_worker,
    sentence,
    shown,
    state_now,
    what_runs,
)
from platform_sdk.deploy.render.names import health_check_path
from platform_sdk.deploy.render.task_definition import checked_path
from platform_sdk.deploy.state import Deployment, ServiceState

STARTS_WORK: Final = frozenset({"CreateDeployment", "RunTask", "UpdateService"})
"""Operations after which AWS works on without us."""


def execute(release: Release, context: ReleaseContext) -> Outcome:
    """Release a version and return the outcome, also where it fails."""
    context.start(release)
    context.report_start()
    with conclude(context), acquire_lock(context), rescue(context):
        recover_interrupted_release(context)
        if context.options.if_busy == "wait":
            await_running_deployment(context)
            recover_interrupted_release(context)
        state = context.observe()
        keep_serving_revision(context, state)
        refuse_unless_ready(context, state)
        if context.options.if_busy == "supersede":
            state = supersede_deployment(context, state)
            keep_serving_revision(context, state)
        revisions = _register_revisions(context, state)
        if not context.starts_anew:
            end_if_live(context, state, revisions)
        migrate(context, revisions.api, state)
        # A deployment of this release that runs already came after its worker.
        anew = context.starts_anew and state.running_deployment is None
        roll_worker(context, revisions.worker, state.worker, anew=anew)
        with return_worker_on_failure(context):
            set_grace_period(context, state)
            set_health_check(context, revisions.api, state)
            shift_traffic(context, revisions.api, state)
    return context.outcome


@contextmanager
def conclude(context: ReleaseContext) -> Iterator[None]:
    """Turn whatever ends the block into the context's outcome."""
    try:
        yield
        raise AssertionError("every release ends with ReleaseEnded")
    except ReleaseEnded as error:
        ended = error
    except LockLost as lost:
        ended = ReleaseEnded("superseded", f"{lost.what}: {lost.because}", resume=context.look_command)
    except AwsCallFailed as error:
        # AWS does not say who holds the lock, or it fails during the rollback, too.
        if context.journal.stages:
            what = f"{what_runs(context)}: {sentence(error)}"
            ended = ReleaseEnded("timed_out", what, resume=context.look_command)
        else:
            what = f"nothing was changed: {sentence(error)}"
            ended = ReleaseEnded("failed_unchanged", what, resume=context.repeat_command)
    except Interrupted as interrupted:
        ended = ReleaseEnded(
            "interrupted", "nothing was changed", resume=context.repeat_command, signal_number=interrupted.signal_number
        )
    context.finish(ended)
    early = ended_early(context.outcome, context.journal.worker_revision if context.journal.worker_rolled else "")
    if early is not None:
        record = partial(record_early_end, context.aws_once.locks, context.environment, context.spec.name, early)
        best_effort(record, None)


@contextmanager
def rescue(context: ReleaseContext) -> Iterator[None]:
    """Leave a known state when a signal comes or AWS refuses: either something continues on AWS, or it is undone."""
    try:
        try:
            yield
        except Interrupted as interrupted:
            rolls_back = context.options.on_interrupt == "rollback"
            context.emit(InterruptedBySignal(signal_number=interrupted.signal_number, rolls_back=rolls_back))
            if rolls_back:
                roll_back_interrupted(context, interrupted)
            leave_running(context, interrupted)
    except AwsCallFailed as error:
        abort_on_aws_error(context, error)


def keep_serving_revision(context: ReleaseContext, state: ServiceState) -> None:
    """Let a restart keep what serves now: it may have waited for another release."""
    release, target = context.release, context.release.target
    if release.kind != "restart" or not isinstance(target, ExistingRevisions):
        return
    if state.api is None or state.api.task_definition != target.api:
        version, target = restart_target(context, state)
        context.release = replace(release, version=version, target=target)
    else:
        worker = worker_to_restart(context, state, release.version)
        context.release = replace(release, target=replace(target, worker=worker))


def _register_revisions(context: ReleaseContext, state: ServiceState) -> ExistingRevisions:
    journal = context.journal
    context.checkpoint()
    with context.stage("register"):
        revisions = register(context, state)
    journal.revision, journal.worker_revision = revisions.api, revisions.worker or ""
    journal.previous_revision = state.api.task_definition if state.api else ""
    journal.users_before = _users_before(context, state)
    if revisions.worker and state.worker:
        journal.worker_before = paired_worker_revision(context, state, revisions.worker)
    return revisions


def _users_before(context: ReleaseContext, state: ServiceState) -> str:
    """Return what was not as it should be before the release: users or the worker. Empty where one version ran."""
    serving, ends = serving_in(state), f"(`{context.rollback_command}` ends that)"
    if serving.revision and is_placeholder(context, serving.revision):
        return "nothing served before: the placeholder answers 503 to all users"
    if serving.percent != 100:
        share = f"{shown(state.api_revision)} with {serving.percent} % of the traffic"
        return f"users stay divided as they were, {share} {ends}"
    api, worker = shown(state.api_revision), shown(state.worker_revision)
    if state.worker is not None and api != worker:
        return f"{api} serves all users, and the worker stays at {worker} as it was {ends}"
    return ""


def end_if_live(context: ReleaseContext, state: ServiceState, revisions: ExistingRevisions) -> None:
    """Raise ReleaseEnded if both revisions run and no deployment could change that."""
    worker = state.worker.task_definition if state.worker else None
    serves = serving_in(state).is_all(revisions.api)
    if serves and revisions.worker in (None, worker) and state.running_deployment is None:
        register_tasks(context, state)
        what = f"{context.release.version} serves all users already; `{context.restart_command}` starts its tasks anew"
        raise ReleaseEnded("nothing_to_do", what)


def set_grace_period(context: ReleaseContext, state: ServiceState) -> None:
    """Set that of the ECS service: its text in the stack stays as it was created (decision 0014). A restart changes
    nothing of the service.
    """
    if context.release.kind == "restart":
        return
    seconds = context.spec.health_check.grace_period_seconds
    if state.api is not None and state.api.grace_period_seconds != seconds:
        context.confirm_lock()
        context.aws.ecs.set_grace_period(context.cluster, context.api, seconds)


def set_health_check(context: ReleaseContext, revision: str, state: ServiceState) -> None:
    """Let the idle target group ask the replacement tasks for the path that they answer (decision 0024).

    The group with the traffic keeps its check: the original tasks are judged by it, also after a rollback.
    """
    live = state.production_rule.live_target_group if state.production_rule is not None else None
    path = path_to_check(context, revision)
    if live is None or path is None or state.running_deployment is not None:
        return
    for group in state.target_groups:
        if group.arn != live and group.health_path != path:
            context.confirm_lock()
            context.aws.load_balancing.set_health_check_path(group.arn, path)


def path_to_check(context: ReleaseContext, revision: str) -> str | None:
    """Return the path of the revision: of one that is released again, by its document and not by platform.toml."""
    match context.release.target:
        case NewImage():
            return health_check_path(context.spec)
        case ExistingRevisions():
            found = context.aws.ecs.revision(revision)
            return None if found is None else checked_path(found.document)


def leave_running(context: ReleaseContext, interrupted: Interrupted) -> NoReturn:
    """End the release. What runs on AWS continues."""
    id, running = deployment_of(context), context.journal.running
    if id:
        what, resume = f"the deployment {id} continues without this command", context.wait_command(id)
    elif running:
        what, resume = f"{running} continues without this command", context.repeat_command
    else:
        what, resume = "nothing continues in the background", context.repeat_command
    raise ReleaseEnded("interrupted", what, resume=resume, signal_number=interrupted.signal_number)


def roll_back_interrupted(context: ReleaseContext, interrupted: Interrupted) -> NoReturn:
    """Bring users back to the original version and end the release, or say that they are not."""
    id, what = deployment_of(context), context.original_serves
    if id:
        try:
            stop_deployment(context, id, traffic_baseline(context.observe(), context.journal.previous_revision))
        except ReleaseEnded as ended:
            if ended.kind not in ("failed_rolled_back", "superseded"):
                raise
            what = ended.what
    return_worker(context)
    raise ReleaseEnded("interrupted", what, resume=context.repeat_command, signal_number=interrupted.signal_number)


def deployment_of(context: ReleaseContext) -> str:
    """Return the id of our deployment, also if its creation was interrupted before the id arrived."""
    return context.journal.deployment_id or created_by_us(context) or ""


def stop_deployment(context: ReleaseContext, id: str, baseline: TrafficBaseline) -> NoReturn:
    """Stop a deployment with rollback, and follow both to their ends."""
    context.emit(RollingBack(deployment_id=id, because="requested"))
    context.aws.codedeploy.stop(id, roll_back=True)
    following = following_of(context, id, context.journal.revision, baseline)
    seen = follow(context, following, "done")
    if seen.deployment.status == "Succeeded":
        raise ReleaseEnded("released", f"too late to roll back: the deployment {id} has succeeded")
    await_rollback(context, DeploymentFailed(following, seen), baseline)


def abort_on_aws_error(context: ReleaseContext, error: AwsCallFailed) -> NoReturn:
    """End the release because AWS keeps refusing. What runs on AWS now continues without us."""
    journal = context.journal
    if journal.deployment_id:
        leave_if_running(context, error)
    elif journal.running or (error.may_have_happened and error.operation in STARTS_WORK):
        what = f"{journal.running or 'the last request'} may continue, unobserved: {sentence(error)}"
        raise ReleaseEnded("timed_out", what, resume=context.repeat_command) from error
    elif not journal.worker_rolled:
        # Registered task definitions run only where somebody starts them, but they exist.
        registered = isinstance(context.release.target, NewImage) and bool(journal.revision)
        unchanged = "no task was replaced; its task definitions are registered" if registered else "nothing was changed"
        what = f"{unchanged}: {sentence(error)}"
        raise ReleaseEnded("failed_unchanged", what, resume=context.repeat_command) from error
    try:
        return_worker(context)
    except AwsCallFailed as refused:
        raise not_returned(context, refused) from error
    if journal.deployment_id:
        what = f"{what_runs(context)}; the deployment {journal.deployment_id} failed: {sentence(error)}"
        raise ReleaseEnded("failed_rolled_back", what, resume=context.look_command) from error
    what = f"{context.original_serves}: {sentence(error)}"
    raise ReleaseEnded("failed_rolled_back", what, resume=context.repeat_command) from error


def leave_if_running(context: ReleaseContext, error: AwsCallFailed) -> None:
    """Raise ReleaseEnded unless our deployment, and the one that rolls it back, have ended and users are back."""
    journal = context.journal
    id = journal.rollback_deployment_id or journal.deployment_id
    nothing: Deployment | None = None
    deployment = best_effort(lambda: context.aws_once.codedeploy.deployment(id), nothing)
    resume = context.wait_command(journal.deployment_id)
    if deployment is None or not deployment.has_ended:
        how = "continues" if deployment else "may continue"
        raise ReleaseEnded("timed_out", f"the deployment {id} {how}, unobserved: {sentence(error)}", resume=resume)
    if deployment.status == "Succeeded" and not journal.rollback_deployment_id:
        what = f"the deployment {id} has succeeded, but who serves could not be confirmed: {sentence(error)}"
        raise ReleaseEnded("timed_out", what, resume=resume)
    state = state_now(context)
    if state is None or not serving_in(state).is_all(journal.previous_revision):
        what = f"{what_runs(context)}; the deployment {id} {deployment.status.lower()}: {sentence(error)}"
        raise ReleaseEnded("rollback_failed", what, resume=context.rollback_command)
