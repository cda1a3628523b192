"""Looks at a deployment of CodeDeploy until it is where somebody waits for it to be.

Not by boto3's waiters: those give up after half an hour, know no traffic, and fail without a reason. Only what AWS says
of this one deployment counts, found by its id.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.aws import AwsUnavailable, Throttled, best_effort
from platform_sdk.deploy.release.context import Ending, Releasing
from platform_sdk.deploy.release.events import RollingBack, Shifting, Warned
from platform_sdk.deploy.release.options import Until
from platform_sdk.deploy.release.outcome import Explanation, Watched
from platform_sdk.deploy.state import (
    Alarm,
    Deployment,
    DeploymentConfiguration,
    DeploymentGroup,
    DeploymentTarget,
    EcsService,
    ListenerRule,
    ScalableTarget,
    ServiceState,
    TargetGroup,
)

# When enough is known to stop: the same failure of several new tasks will be the failure of the next one, too.

ENOUGH: Final = 3


def fails_alike(signatures: Iterable[str]) -> bool:
    return any(count >= ENOUGH for count in Counter(signatures).values())


START_MINUTES: Final = 5
STEADY_MINUTES: Final = 60
HOOK_MINUTES: Final = 60
"""How long CodeDeploy itself waits for the first event, for the replacement to be steady, and for each hook
(docs.aws.amazon.com/codedeploy, "Quotas"): after these, it has ended by itself."""
END_MINUTES: Final = 10

POLL_SECONDS: Final = 5
LATER_POLL_SECONDS: Final = 10
BAKE_POLL_SECONDS: Final = 15
SOON: Final = timedelta(minutes=2)
"""While most releases that fail do so."""

PATIENCE: Final = timedelta(minutes=5)
"""Without an answer of AWS, after which somebody should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What is followed. `watched` is None where nothing is to be found out about tasks, as in a rollback."""

    deployment_id: str
    started_at: datetime
    deadline: datetime
    group: DeploymentGroup
    target_groups: tuple[TargetGroup, ...]
    watched: Watched | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    deployment: Deployment
    target: DeploymentTarget | None

    @property
    def has_all_traffic(self) -> bool:
        """The replacement has, and what is done right after that has succeeded."""
        replacement = self.target.task_set("Green") if self.target else None
        if self.target is None or replacement is None or replacement.traffic_percent < 100:
            return False
        events = [self.target.event(name) for name in ("AllowTraffic", "AfterAllowTraffic")]
        return all(event is None or event.status in ("Succeeded", "Skipped") for event in events)


def minutes_of(group: DeploymentGroup, configuration: DeploymentConfiguration, hooks: int) -> int:
    """The longest that a deployment can take before CodeDeploy ends it, by the group's own figures."""
    steps = -(-100 // configuration.percent) - 1 if configuration.type == "linear" else 1
    shift = steps * configuration.interval_minutes
    return START_MINUTES + STEADY_MINUTES + hooks * HOOK_MINUTES + shift + group.bake_minutes + END_MINUTES


def follow(releasing: Releasing, following: Following, until: Until) -> Seen:
    """To the end, or with `traffic` to where the replacement serves everybody. A replacement whose tasks fail in the
    same way again and again is stopped, and followed to its end.

    Raises:
        Ending: it is not there yet, and it is not known when it will be.
    """
    stopped = False
    while True:
        seen = look_patiently(releasing, following)
        if seen.deployment.has_ended or (until == "traffic" and seen.has_all_traffic):
            return seen
        if not stopped and following.watched is not None and not seen.has_all_traffic:
            stopped = stop_if_hopeless(releasing, following.watched)
        if releasing.now() > following.deadline:
            raise still_running(releasing, following, "it takes longer than its own limits allow")
        releasing.pause(interval(releasing, following, seen))


def stop_if_hopeless(releasing: Releasing, watched: Watched) -> bool:
    if not fails_alike(releasing.tools.evidence.observe(watched)):
        return False
    because = "the new tasks fail again and again in the same way"
    releasing.tell(RollingBack(deployment_id=watched.deployment_id, because=because))
    releasing.aws.codedeploy.stop(watched.deployment_id, roll_back=True)
    return True


def interval(releasing: Releasing, following: Following, seen: Seen) -> float:
    if seen.has_all_traffic:
        return BAKE_POLL_SECONDS
    return POLL_SECONDS if releasing.now() - following.started_at < SOON else LATER_POLL_SECONDS


def look_patiently(releasing: Releasing, following: Following) -> Seen:
    """A deployment does not stop because AWS is busy, nor may who follows it."""
    since = releasing.now()
    while True:
        try:
            return look(releasing, following)
        except (Throttled, AwsUnavailable) as error:
            if releasing.now() - since > PATIENCE:
                raise still_running(releasing, following, error.because or error.what) from error
            releasing.tell(Warned(what=error.what, hint=f"asking again in {LATER_POLL_SECONDS} s"))
            releasing.pause(LATER_POLL_SECONDS)


def look(releasing: Releasing, following: Following) -> Seen:
    aws, id = releasing.aws_once, following.deployment_id
    deployment = aws.codedeploy.deployment(id)
    if deployment is None:
        raise Ending("timed_out", f"CodeDeploy knows no deployment {id}")
    nothing: DeploymentTarget | None = None
    target = best_effort(lambda: aws.codedeploy.target(id, releasing.cluster, releasing.api), nothing)
    alarms: dict[str, Alarm] = {}
    if following.group.alarms:
        alarms = best_effort(lambda: aws.alarms.alarms(following.group.alarms), alarms)
    seen = Seen(deployment=deployment, target=target)
    releasing.tell(
        Shifting(
            deployment=deployment,
            target=target,
            alarms=tuple(alarms.values()),
            healthy_tasks=healthy_tasks(releasing, following, seen),
            at=releasing.now(),
            started_at=following.started_at,
            deadline=following.deadline,
            rolls_back=following.watched is None,
        )
    )
    return seen


def healthy_tasks(releasing: Releasing, following: Following, seen: Seen) -> int | None:
    """Of the replacement, while they come up; later its traffic says more."""
    arn = replacement_group(following, seen)
    if not arn or seen.has_all_traffic:
        return None
    health = best_effort(lambda: releasing.aws_once.load_balancing.health(arn), None)
    return None if health is None else sum(1 for each in health if each.state == "healthy")


def replacement_group(following: Following, seen: Seen) -> str:
    """Its ARN; empty until it is known."""
    replacement = seen.target.task_set("Green") if seen.target else None
    found = (each.arn for each in following.target_groups if replacement and each.name == replacement.target_group)
    return next(found, "")


def still_running(releasing: Releasing, following: Following, because: str) -> Ending:
    id = following.deployment_id
    return Ending(
        "timed_out",
        f"the deployment {id} was still running when last seen: {because}",
        resume=resume_command(id, releasing),
    )


def resume_command(deployment_id: str, releasing: Releasing) -> str:
    return f"platform wait {deployment_id} --env {releasing.environment.name}"


def of_rollback(following: Following, deployment_id: str, now: datetime) -> Following:
    """The deployment that takes the one followed so far back."""
    minutes = timedelta(minutes=START_MINUTES + STEADY_MINUTES + END_MINUTES)
    return replace(following, deployment_id=deployment_id, started_at=now, deadline=now + minutes, watched=None)


# Who serves the users, asked of those who know: ECS of its primary task set, the load balancer of its rule.
#
# A deployment's status says what CodeDeploy did. This says what came of it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """`revision` is the primary task set's (ARN), empty where there is none; `percent` of the users that it gets."""

    revision: str
    percent: int
    task_sets: int

    def is_all(self, revision: str) -> bool:
        return self.revision == revision and self.percent == 100

    def __str__(self) -> str:
        name = self.revision.rsplit("/", 1)[-1] or "no revision"
        beside = f", beside {self.task_sets - 1} more" if self.task_sets > 1 else ""
        return f"{name} is the primary task set with {self.percent} % of the traffic{beside}"


def who_serves(releasing: Releasing, group: DeploymentGroup, target_groups: tuple[TargetGroup, ...]) -> Serving:
    service = releasing.aws.ecs.service(releasing.cluster, releasing.api)
    rules = releasing.aws.load_balancing.rules(group.production_listener)
    return serving_of(service, rules, target_groups)


def serving_in(state: ServiceState) -> Serving:
    """When it was observed."""
    rules = (state.production_rule,) if state.production_rule else ()
    return serving_of(state.api, rules, state.target_groups)


def serving_of(
    service: EcsService | None, rules: tuple[ListenerRule, ...], target_groups: tuple[TargetGroup, ...]
) -> Serving:
    primary = service.primary if service else None
    if service is None or primary is None:
        return Serving(revision="", percent=0, task_sets=0)
    pair = {group.arn for group in target_groups}
    weights = next((rule.weights for rule in rules if pair & set(rule.weights)), {})
    whole = sum(weights.values())
    percent = round(100 * weights.get(primary.target_group, 0) / whole) if whole else 0
    return Serving(revision=primary.task_definition, percent=percent, task_sets=len(service.task_sets))


# After a deployment that failed: follows what takes it back to its own end, and says who serves then.

ROLLBACK_APPEARS: Final = timedelta(seconds=60)
"""CodeDeploy makes the rollback a deployment of its own, some seconds after the end of the other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where traffic shifts: what AWS has around the service, and the revision that serves until then (ARN)."""

    group: DeploymentGroup
    target_groups: tuple[TargetGroup, ...]
    scaling: ScalableTarget | None
    previous: str


def ground_of(state: ServiceState, previous: str = "") -> Ground:
    """`previous` is what serves now, where nothing else is said."""
    assert state.deployment_group is not None, "preflight refuses a service without one"
    assert state.api is not None, "preflight refuses a service that does not exist"
    return Ground(
        group=state.deployment_group,
        target_groups=state.target_groups,
        scaling=state.scaling,
        previous=previous or state.api.task_definition,
    )


class DeploymentFailed(Exception):
    """It ended as Failed or Stopped."""

    def __init__(self, following: Following, seen: Seen) -> None:
        super().__init__(following.deployment_id)
        self.following = following
        self.seen = seen


def settle(releasing: Releasing, failed: DeploymentFailed, ground: Ground) -> Ending:
    """What came of it. Evidence is looked at first: AWS forgets."""
    explanation = explain(releasing, failed)
    with releasing.journal.stage("roll back"):
        follow_rollback(releasing, failed)
    id, status = failed.following.deployment_id, failed.seen.deployment.status.lower()
    serving = who_serves(releasing, ground.group, ground.target_groups)
    other = began_since(releasing, failed.seen.deployment)
    if other is not None:
        what = f"the deployment {id} {status}, and another one, {other.id}, took its place"
        return Ending("superseded", what, explanation=explanation)
    if serving.is_all(ground.previous):
        what = f"the deployment {id} {status}; {ground.previous.rsplit('/', 1)[-1]} serves all users"
        return Ending("failed_rolled_back", what, explanation=explanation)
    return Ending(
        "rollback_failed",
        f"the deployment {id} {status} and was not taken back: {serving}",
        explanation=explanation,
        resume=f"platform rollback {releasing.spec.name} --env {releasing.environment.name}",
    )


def explain(releasing: Releasing, failed: DeploymentFailed) -> Explanation | None:
    watched = failed.following.watched
    if watched is None:
        return None
    group = replacement_group(failed.following, failed.seen)
    return releasing.tools.evidence.explain(replace(watched, target_group=group))


def follow_rollback(releasing: Releasing, failed: DeploymentFailed) -> None:
    """Returns where there is none: before anything was installed, CodeDeploy has nothing to take back."""
    deployment = rolled_back(releasing, failed.seen.deployment)
    if deployment is None:
        return
    id = deployment.rolled_back_by
    releasing.journal.rollback_deployment_id = id
    because = deployment.error_message or deployment.rollback_message or deployment.status
    releasing.tell(RollingBack(deployment_id=deployment.id, because=because))
    follow(releasing, of_rollback(failed.following, id, releasing.now()), "done")


def rolled_back(releasing: Releasing, deployment: Deployment | None) -> Deployment | None:
    """The deployment, once it names the one that takes it back."""
    deadline = releasing.now() + ROLLBACK_APPEARS
    while deployment is not None and not deployment.rolled_back_by:
        if releasing.now() > deadline:
            return None
        releasing.pause(5)
        id = deployment.id
        deployment = releasing.aws.codedeploy.deployment(id)
    return deployment


def began_since(releasing: Releasing, deployment: Deployment) -> Deployment | None:
    """Somebody else's deployment that is newer than this one."""
    own = (deployment.id, releasing.journal.rollback_deployment_id)
    newest = releasing.aws.codedeploy.deployments(releasing.api, releasing.api, most=3)
    others = (each for each in newest if each.id not in own and each.created_at > deployment.created_at)
    return next(others, None)
