"""The last stage: shift the API's traffic to a revision by a deployment of CodeDeploy, and confirm the result."""

from datetime import timedelta
from typing import Final, NoReturn

from platform_sdk.deploy.aws import DeploymentRunning
from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.deployment import (
    END_MINUTES,
    HOOK_MINUTES,
    START_MINUTES,
    STEADY_MINUTES,
    DeploymentFailed,
    Following,
    Seen,
    TrafficBaseline,
    await_rollback,
    follow,
    traffic_baseline,
    who_serves,
)
from platform_sdk.deploy.release.events import DeploymentCreated, TrafficShifted
from platform_sdk.deploy.release.history import Description, parse_description
from platform_sdk.deploy.release.outcome import Watched
from platform_sdk.deploy.release.recovery import suspend_autoscaling
from platform_sdk.deploy.release.register import register_tasks
from platform_sdk.deploy.release.serving import Serving
from platform_sdk.deploy.render.codedeploy import AT_ONCE, deployment_request, render_appspec
from platform_sdk.deploy.state import RUNNING, Deployment, DeploymentConfiguration, DeploymentGroup, ServiceState

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far this machine's clock may be from AWS's: a request that is signed with more is refused
(docs.aws.amazon.com/IAM, "Signature Version 4 request is expired")."""

CONFIRM_SECONDS: Final = 60
"""From CodeDeploy's report that all traffic has shifted until ECS and the load balancer agree."""


def shift_traffic(context: ReleaseContext, revision: str, state: ServiceState) -> None:
    """Create the deployment and follow it until all users are on the revision, or to the end of the bake time.

    Raises:
        ReleaseEnded: in any case, with how far it came.
    """
    baseline = traffic_baseline(state)
    desired = state.api.desired if state.api else 0
    if context.options.detach:
        _detach(context, revision, baseline)
    try:
        with suspend_autoscaling(context, baseline.scaling, desired=desired), context.stage("shift"):
            following = begin(context, revision, baseline)
            seen = follow(context, following, "traffic")
            confirm(context, following, seen, revision)
        bake_minutes = baseline.group.bake_minutes
        context.emit(TrafficShifted(deployment_id=following.deployment_id, bake_minutes=bake_minutes))
        end_with_bake(context, following, seen, revision, state)
    except DeploymentFailed as failed:
        await_rollback(context, failed, baseline)


def _detach(context: ReleaseContext, revision: str, baseline: TrafficBaseline) -> NoReturn:
    with context.stage("shift"):
        id = begin(context, revision, baseline).deployment_id
    what = f"the deployment {id} continues without this command; scaling is not suspended"
    raise ReleaseEnded("detached", what, resume=context.wait_command(id))


def end_with_bake(
    context: ReleaseContext, following: Following, seen: Seen, revision: str, state: ServiceState
) -> NoReturn:
    """Wait for the end of the bake time, if that is requested, and end the release. Until then an alarm still rolls
    the deployment back to the original tasks.
    """
    served = _served_words(context)
    if context.options.until == "traffic" and not seen.deployment.has_ended:
        ended = ReleaseEnded(
            "traffic_shifted",
            f"{served}; during the bake time an alarm still rolls it back",
            resume=context.wait_command(following.deployment_id),
        )
    else:
        with context.stage("bake"):
            seen = follow(context, following, "done")
            confirm(context, following, seen, revision)
        ended = ReleaseEnded("released", served)
    register_tasks(context, state)
    raise ended


def _served_words(context: ReleaseContext) -> str:
    new_tasks = " with new tasks" if context.keeps_revision else ""
    return f"{context.release.version} serves all users{new_tasks}"


def begin(context: ReleaseContext, revision: str, baseline: TrafficBaseline) -> Following:
    """Create the deployment, unless one of this version is running already, from a release that did not see its end."""
    context.checkpoint()
    running = _running_deployment_of(context, revision)
    id = running.id if running else create(context, revision)
    context.journal.deployment_id = id
    context.emit(DeploymentCreated(deployment_id=id, revision=revision, adopted=running is not None))
    context.retry.run(lambda: context.lock.renew(deployment_id=id))
    return following_of(context, id, revision, baseline)


def following_of(context: ReleaseContext, id: str, revision: str, baseline: TrafficBaseline) -> Following:
    """Return what to watch, with a deadline from the deployment group's own waits."""
    group, now = baseline.group, context.now()
    name = AT_ONCE if shifts_at_once(context) else group.configuration
    configuration = context.aws.codedeploy.configuration(name)
    minutes = minutes_of(group, configuration, len(context.appspec.hooks))
    watched = Watched(
        stage="api", cluster=context.cluster, revision=revision, since=now, service=context.api, deployment_id=id
    )
    return Following(
        deployment_id=id,
        started_at=now,
        deadline=now + timedelta(minutes=minutes),
        group=group,
        target_groups=baseline.target_groups,
        watched=watched,
        keeps_revision=context.keeps_revision,
    )


def minutes_of(group: DeploymentGroup, configuration: DeploymentConfiguration, hooks: int) -> int:
    """Return the longest time that a deployment can take before CodeDeploy ends it."""
    steps = -(-100 // configuration.percent) - 1 if configuration.type == "linear" else 1
    shift = steps * configuration.interval_minutes
    return START_MINUTES + STEADY_MINUTES + hooks * HOOK_MINUTES + shift + group.bake_minutes + END_MINUTES


def create(context: ReleaseContext, revision: str) -> str:
    """Create a deployment, never twice, and return its id."""
    appspec = render_appspec(context.appspec_template, context.appspec, revision)
    description = _describe(context, revision)
    at_once = shifts_at_once(context)
    request = deployment_request(appspec, context.spec, context.environment, description, at_once=at_once)
    if context.options.ignore_alarms:
        request["overrideAlarmConfiguration"] = {"enabled": False, "alarms": []}
    context.confirm_lock()
    try:
        return context.retry.run(
            lambda: context.aws.codedeploy.create(request), find_result=lambda: created_by_us(context)
        )
    except DeploymentRunning as running:
        ours = created_by_us(context, running.deployment_id)
        if ours is not None:
            return ours
        raise ReleaseEnded(
            "superseded",
            f"another deployment of {context.api} began meanwhile: {running.deployment_id or running.because}",
            resume=context.status_command,
        ) from running


def shifts_at_once(context: ReleaseContext) -> bool:
    """Return whether all traffic shifts at once. A version that served well needs no canary, and its users wait."""
    return context.release.kind == "rollback"


def _describe(context: ReleaseContext, revision: str) -> str:
    release, journal = context.release, context.journal
    return Description(
        kind=release.kind,
        version=release.version,
        commit=release.commit,
        revision=revision.rsplit("/", 1)[-1],
        by=release.by,
        id=release.id,
        worker=number_of(journal.worker_revision, context.worker),
        worker_before=number_of(journal.worker_before, context.worker),
    ).text()


def number_of(revision: str, family: str) -> int | None:
    """Return None for the placeholder that a service is created with: its family is another one."""
    found, _, number = revision.rsplit("/", 1)[-1].partition(":")
    return int(number) if found == family and number else None


def created_by_us(context: ReleaseContext, running_id: str = "") -> str | None:
    """Return the id of the deployment that this release created; None where there is none.

    Args:
        running_id: of a deployment that is known to run. The list of deployments can miss a new one for some seconds.
    """
    codedeploy = context.aws.codedeploy
    running = codedeploy.deployment(running_id) if running_id else None
    since = context.journal.started_at - CLOCKS_DIFFER
    for each in (*([running] if running else []), *codedeploy.deployments(context.api, context.api, since=since)):
        description = parse_description(each.description)
        if description is not None and description.id == context.release.id:
            return each.id
    return None


def _running_deployment_of(context: ReleaseContext, revision: str) -> Deployment | None:
    name = revision.rsplit("/", 1)[-1]
    for each in context.aws.codedeploy.deployments(context.api, context.api, most=1, statuses=RUNNING):
        description = parse_description(each.description)
        if description is not None and description.revision == name:
            return each
    return None


def confirm(context: ReleaseContext, following: Following, seen: Seen, revision: str) -> None:
    """Check that the deployment succeeded and that its revision serves.

    Raises:
        DeploymentFailed: CodeDeploy says so.
        ReleaseEnded: it succeeded, but another revision serves.
    """
    if seen.deployment.status in ("Failed", "Stopped"):
        context.confirm_lock()
        raise DeploymentFailed(following, seen)
    until = context.now() + timedelta(seconds=CONFIRM_SECONDS)
    while not is_served_by(serving := who_serves(context, following), following, seen, revision):
        if context.now() > until:
            what = f"the deployment {following.deployment_id} ended, but {serving}"
            raise ReleaseEnded("superseded", what)
        context.pause(5)


def is_served_by(serving: Serving, following: Following, seen: Seen, revision: str) -> bool:
    """Return whether the replacement serves all users. Where the revision stays, its task set says so."""
    is_replaced = not following.keeps_revision or seen.replacement_id in ("", serving.task_set)
    return serving.is_all(revision) and is_replaced
