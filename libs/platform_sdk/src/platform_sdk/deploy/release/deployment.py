"""Follow a deployment of CodeDeploy, and its rollback, to their ends. traffic_shift, resume and rollback use it.

boto3's waiters cannot: they give up after half an hour, do not see the traffic, and fail without a reason. Only what
AWS says of this one deployment counts, found by its id.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NoReturn

from platform_sdk.deploy.aws import AwsUnavailable, Throttled, best_effort
from platform_sdk.deploy.config_errors import counted
from platform_sdk.deploy.release.context import ReleaseContext, ReleaseEnded
from platform_sdk.deploy.release.events import RollingBack, Shifting
from platform_sdk.deploy.release.outcome import Explanation, Until, Watched
from platform_sdk.deploy.release.serving import Serving, idle_tasks, serving_of
from platform_sdk.deploy.state import (
    Alarm,
    Deployment,
    DeploymentGroup,
    DeploymentTarget,
    EcsService,
    ScalableTarget,
    ServiceEvent,
    ServiceState,
    TargetGroup,
)

ENOUGH_FAILURES: Final = 3
"""New tasks that failed in the same way: the next one will, too, so the deployment is stopped."""

MAX_BLOCKED: Final = timedelta(minutes=15)
"""How long ECS may start no task before a deployment is stopped. Capacity and addresses often come back within minutes,
and users wait for nothing meanwhile. ECS does not repeat its reason, so the time counts and not the number of events.
"""

START_MINUTES: Final = 5
STEADY_MINUTES: Final = 60
HOOK_MINUTES: Final = 60
"""How long CodeDeploy itself waits for the first event, for the replacement to be steady, and for each hook
(docs.aws.amazon.com/codedeploy, "Quotas"): after these, it has ended by itself."""
END_MINUTES: Final = 10

WORTH_A_WARNING: Final = timedelta(minutes=1)
"""After which an event of an earlier deployment still says why no task starts."""

POLL_SECONDS: Final = 5
LATER_POLL_SECONDS: Final = 10
BAKE_POLL_SECONDS: Final = 15
SOON: Final = timedelta(minutes=2)
"""Most releases that fail do so within this time."""

MAX_SILENCE: Final = timedelta(minutes=5)
"""How long AWS may not answer before the release ends and says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """A deployment to follow. `watched` is None where no evidence about tasks is collected, as in a rollback.
    `keeps_revision`: original and replacement tasks run the same one. `may_stop`: it is stopped if its tasks keep
    failing.
    """

    deployment_id: str
    started_at: datetime
    deadline: datetime
    group: DeploymentGroup
    target_groups: tuple[TargetGroup, ...]
    watched: Watched | None = None
    keeps_revision: bool = False
    may_stop: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A deployment as one poll saw it. `target` is None before it has one, or if AWS did not answer."""

    deployment: Deployment
    target: DeploymentTarget | None

    @property
    def replacement_id(self) -> str:
        """The id of the replacement task set; empty until it is known."""
        replacement = self.target.task_set("Green") if self.target else None
        return replacement.id if replacement else ""

    @property
    def has_all_traffic(self) -> bool:
        """Whether the replacement has it all, and the events right after that have succeeded."""
        replacement = self.target.task_set("Green") if self.target else None
        if self.target is None or replacement is None or replacement.traffic_percent < 100:
            return False
        events = [self.target.event(name) for name in ("AllowTraffic", "AfterAllowTraffic")]
        return all(event is None or event.status in ("Succeeded", "Skipped") for event in events)


def fails_alike(signatures: Iterable[str]) -> bool:
    """Return whether some signature occurs often enough to stop waiting."""
    return any(count >= ENOUGH_FAILURES for count in Counter(signatures).values())


def follow(context: ReleaseContext, following: Following, until: Until) -> Seen:
    """Follow a deployment to its end, or with `traffic` until the replacement serves all users. One whose new tasks
    keep failing in the same way is stopped, and followed to its end.

    Raises:
        ReleaseEnded: it takes too long, or AWS does not answer.
    """
    stopped, shown = not following.may_stop, list[ServiceEvent]()
    while True:
        seen = look_with_retries(context, following)
        if seen.deployment.has_ended or (until == "traffic" and seen.has_all_traffic):
            return seen
        watched = watched_in(following, seen)
        if not stopped and watched is not None and not seen.has_all_traffic:
            service = service_of_unplaced(context, seen)
            stopped = _stop_if_hopeless(context, watched, reason_to_stop(context, watched, service, shown))
        if context.now() > following.deadline:
            explanation = None if watched is None else context.evidence.explain(watched)
            raise _still_running(context, following, "it takes longer than its own limits allow", explanation)
        context.pause(_interval(context, following, seen))


def watched_in(following: Following, seen: Seen) -> Watched | None:
    """Return what evidence is collected about: the deployment's own tasks, and the target group that they are in."""
    if following.watched is None:
        return None
    group = replacement_group(following, seen)
    watched = replace(following.watched, since=seen.deployment.created_at, target_group=group)
    return replace(watched, started_by=seen.replacement_id) if following.keeps_revision else watched


def reason_to_stop(
    context: ReleaseContext, watched: Watched, service: EcsService | None, shown: list[ServiceEvent]
) -> str | None:
    """Return why a deployment cannot succeed any more; None while it may. Warn where ECS starts no task.

    Args:
        service: as it is now; None where enough tasks have started.
        shown: the events that a person has read; each is shown once.
    """
    if fails_alike(context.evidence.observe(watched)):
        return "the new tasks fail again and again in the same way"
    blocked = service.blocked(watched.revision, watched.since) if service is not None else None
    if blocked is None:
        return None
    waited, limit = context.now() - blocked.since, counted(MAX_BLOCKED // timedelta(minutes=1), "minute")
    if blocked.event not in shown and (blocked.event.at >= watched.since or waited > WORTH_A_WARNING):
        shown.append(blocked.event)
        remedy = f"ECS keeps trying; a new version without a new task for {limit} is rolled back"
        context.warn(f"ECS starts no task: {blocked.event.reason}", remedy)
    return None if waited < MAX_BLOCKED else f"ECS has started no task for {limit}: {blocked.event.reason}"


def service_of_unplaced(context: ReleaseContext, seen: Seen) -> EcsService | None:
    """Read the ECS service, whose events say why, if the replacement has fewer tasks than it should."""
    replacement = seen.target.task_set("Green") if seen.target else None
    if replacement is None or replacement.running + replacement.pending >= replacement.desired:
        return None
    nothing: EcsService | None = None
    return best_effort(lambda: context.aws_once.ecs.service(context.cluster, context.api), nothing)


def _stop_if_hopeless(context: ReleaseContext, watched: Watched, because: str | None) -> bool:
    if because is None:
        return False
    context.emit(RollingBack(deployment_id=watched.deployment_id, because=because))
    context.aws.codedeploy.stop(watched.deployment_id, roll_back=True)
    return True


def _interval(context: ReleaseContext, following: Following, seen: Seen) -> float:
    if seen.has_all_traffic:
        return BAKE_POLL_SECONDS
    return POLL_SECONDS if context.now() - following.started_at < SOON else LATER_POLL_SECONDS


def look_with_retries(context: ReleaseContext, following: Following) -> Seen:
    """Read the deployment, and keep trying: it continues while AWS is busy, so following it does, too."""
    since = context.now()
    while True:
        try:
            return _look(context, following)
        except (Throttled, AwsUnavailable) as error:
            if context.now() - since > MAX_SILENCE:
                raise _still_running(context, following, error.because or error.what) from error
            context.warn(error.what, f"retrying in {LATER_POLL_SECONDS} s")
            context.pause(LATER_POLL_SECONDS)


def _look(context: ReleaseContext, following: Following) -> Seen:
    aws, id = context.aws_once, following.deployment_id
    deployment = aws.codedeploy.deployment(id)
    if deployment is None:
        raise ReleaseEnded("timed_out", f"CodeDeploy knows no deployment {id}")
    nothing: DeploymentTarget | None = None
    target = best_effort(lambda: aws.codedeploy.target(id, context.cluster, context.api), nothing)
    alarms: dict[str, Alarm] = {}
    if following.group.alarms:
        alarms = best_effort(lambda: aws.alarms.alarms(following.group.alarms), alarms)
    seen = Seen(deployment=deployment, target=target)
    context.emit(
        Shifting(
            deployment=deployment,
            target=target,
            alarms=tuple(alarms.values()),
            healthy_tasks=healthy_tasks(context, following, seen),
            at=context.now(),
            started_at=following.started_at,
            deadline=following.deadline,
            rolls_back=following.watched is None,
        )
    )
    return seen


def healthy_tasks(context: ReleaseContext, following: Following, seen: Seen) -> int | None:
    """Count the replacement's healthy tasks while they start. Later the traffic says more."""
    arn = replacement_group(following, seen)
    if not arn or seen.has_all_traffic:
        return None
    health = best_effort(lambda: context.aws_once.load_balancing.health(arn), None)
    return None if health is None else sum(1 for each in health if each.state == "healthy")


def replacement_group(following: Following, seen: Seen) -> str:
    """Return the ARN of the replacement's target group; empty until it is known."""
    replacement = seen.target.task_set("Green") if seen.target else None
    found = (each.arn for each in following.target_groups if replacement and each.name == replacement.target_group)
    return next(found, "")


def _still_running(
    context: ReleaseContext, following: Following, because: str, explanation: Explanation | None = None
) -> ReleaseEnded:
    id = following.deployment_id
    what = f"the deployment {id} was still running when last seen: {because}"
    return ReleaseEnded("timed_out", what, explanation=explanation, resume=context.wait_command(id))


def of_rollback(following: Following, deployment_id: str, now: datetime) -> Following:
    """Follow the deployment that rolls back the one followed so far."""
    minutes = timedelta(minutes=START_MINUTES + STEADY_MINUTES + END_MINUTES)
    return replace(following, deployment_id=deployment_id, started_at=now, deadline=now + minutes, watched=None)


def who_serves(context: ReleaseContext, following: Following) -> Serving:
    """Read who has production traffic now."""
    service = context.aws.ecs.service(context.cluster, context.api)
    rules = context.aws.load_balancing.rules(following.group.production_listener)
    return serving_of(service, rules, following.target_groups)


ROLLBACK_APPEARS: Final = timedelta(seconds=60)
"""CodeDeploy rolls back by a deployment of its own, which it creates some seconds after the end of the other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficBaseline:
    """The traffic before the shift: what AWS has around the service, and the revision that serves (ARN)."""

    group: DeploymentGroup
    target_groups: tuple[TargetGroup, ...]
    scaling: ScalableTarget | None
    previous: str


def traffic_baseline(state: ServiceState, previous: str = "") -> TrafficBaseline:
    """Return the baseline of a service. `previous` is the revision that serves now, if left out."""
    assert state.deployment_group is not None, "preflight refuses a service without one"
    assert state.api is not None, "preflight refuses a service that does not exist"
    return TrafficBaseline(
        group=state.deployment_group,
        target_groups=state.target_groups,
        scaling=state.scaling,
        previous=previous or state.api.task_definition,
    )


class DeploymentFailed(Exception):
    """The deployment ended as Failed or Stopped."""

    def __init__(self, following: Following, seen: Seen) -> None:
        super().__init__(following.deployment_id)
        self.following = following
        self.seen = seen


def await_rollback(context: ReleaseContext, failed: DeploymentFailed, baseline: TrafficBaseline) -> NoReturn:
    """Follow the rollback to its end, and end the release with who serves then. Evidence comes first: AWS forgets."""
    explanation = _explain(context, failed)
    with context.stage("roll back"):
        follow_rollback(context, failed)
    id, status = failed.following.deployment_id, failed.seen.deployment.status.lower()
    serving = who_serves(context, failed.following)
    other = began_since(context, failed.seen.deployment)
    if other is not None:
        what = f"the deployment {id} {status}, and another one, {other.id}, replaced it"
        raise ReleaseEnded("superseded", what, explanation=explanation) from failed
    # With one revision on both sides, only the task set tells who serves.
    still_replaced = failed.following.keeps_revision and serving.task_set == failed.seen.replacement_id
    if serving.is_all(baseline.previous) and not still_replaced:
        name = baseline.previous.rsplit("/", 1)[-1]
        what = f"{name} serves all users; the deployment {id} {status}"
        if failed.following.keeps_revision:
            version = context.release.version
            what = f"the original tasks serve all users, with {version} as {name}; the deployment {id} {status}"
        context.journal.idle_tasks = idle_tasks(serving)
        what += context.journal.idle_tasks
        raise ReleaseEnded("failed_rolled_back", what, explanation=explanation) from failed
    raise ReleaseEnded(
        "rollback_failed",
        f"{serving}; the deployment {id} {status} and was not rolled back",
        explanation=explanation,
        resume=context.rollback_command,
    ) from failed


def _explain(context: ReleaseContext, failed: DeploymentFailed) -> Explanation | None:
    watched = watched_in(failed.following, failed.seen)
    return None if watched is None else context.evidence.explain(watched)


def follow_rollback(context: ReleaseContext, failed: DeploymentFailed) -> None:
    """Return at once if there is none: before anything was installed, CodeDeploy has nothing to roll back."""
    deployment = await_rollback_started(context, failed.seen.deployment)
    if deployment is None:
        return
    id = deployment.rolled_back_by
    context.journal.rollback_deployment_id = id
    because = deployment.error_message or deployment.rollback_message or deployment.status
    context.emit(RollingBack(deployment_id=deployment.id, because=because))
    follow(context, of_rollback(failed.following, id, context.now()), "done")


def await_rollback_started(context: ReleaseContext, deployment: Deployment | None) -> Deployment | None:
    """Wait until a deployment names the one that rolls it back, and return it. None if it does not."""
    deadline = context.now() + ROLLBACK_APPEARS
    while deployment is not None and not deployment.rolled_back_by:
        if context.now() > deadline:
            return None
        context.pause(5)
        deployment = context.aws.codedeploy.deployment(deployment.id)
    return deployment


def began_since(context: ReleaseContext, deployment: Deployment) -> Deployment | None:
    """Return a newer deployment that is neither this one nor its rollback."""
    own = (deployment.id, context.journal.rollback_deployment_id)
    newest = context.aws.codedeploy.deployments(context.api, context.api, since=deployment.created_at)
    others = (each for each in newest if each.id not in own and each.created_at > deployment.created_at)
    return next(others, None)
