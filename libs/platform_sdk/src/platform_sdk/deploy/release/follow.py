"""Looks at a deployment of CodeDeploy until it is where somebody waits for it to be.

Not by boto3's waiters: those give up after half an hour, know no traffic, and fail without a reason. Only what AWS says
of this one deployment counts, found by its id.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from platform_sdk.deploy.aws import AwsUnavailable, Throttled
from platform_sdk.deploy.release.events import RollingBack, Shifting, Warned
from platform_sdk.deploy.release.evidence import Watched
from platform_sdk.deploy.release.failing import fails_alike
from platform_sdk.deploy.release.journal import Ending
from platform_sdk.deploy.release.order import Until
from platform_sdk.deploy.release.releasing import Releasing
from platform_sdk.deploy.state import (
    Alarm,
    Deployment,
    DeploymentConfiguration,
    DeploymentGroup,
    DeploymentTarget,
    TargetGroup,
)

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
    releasing.patiently(lambda: releasing.aws.codedeploy.stop(watched.deployment_id, roll_back=True))
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
    aws, id = releasing.aws, following.deployment_id
    deployment = aws.codedeploy.deployment(id)
    if deployment is None:
        raise Ending("timed_out", f"CodeDeploy knows no deployment {id}")
    nothing: DeploymentTarget | None = None
    target = releasing.glance(lambda: aws.codedeploy.target(id, releasing.cluster, releasing.api), nothing)
    alarms: dict[str, Alarm] = {}
    if following.group.alarms:
        alarms = releasing.glance(lambda: aws.alarms.alarms(following.group.alarms), alarms)
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
    health = releasing.glance(lambda: releasing.aws.load_balancing.health(arn), None)
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
