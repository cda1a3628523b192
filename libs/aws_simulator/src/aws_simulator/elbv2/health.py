"""Whether a load balancer finds a target healthy: a pure function of what the target does and for how long it has.

A new target is healthy after one passed check and unhealthy after `UnhealthyThresholdCount` failed ones
(docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from aws_simulator.elbv2.state import Target, TargetGroup

State = Literal["initial", "healthy", "unhealthy", "draining", "unused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    state: State
    reason: str | None = None
    description: str | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """TargetHealth of DescribeTargetHealth."""
        answer = {"State": self.state, "Reason": self.reason, "Description": self.description}
        return {key: value for key, value in answer.items() if value}


HEALTHY = Health(state="healthy")
REGISTERING = Health(
    state="initial", reason="Elb.RegistrationInProgress", description="Target registration is in progress"
)
FIRST_CHECKS = Health(
    state="initial", reason="Elb.InitialHealthChecking", description="Initial health checks in progress"
)
DRAINING = Health(
    state="draining", reason="Target.DeregistrationInProgress", description="Target deregistration is in progress"
)
NOT_IN_USE = Health(
    state="unused",
    reason="Target.NotInUse",
    description="Target group is not configured to receive traffic from the load balancer",
)
NOT_REGISTERED = Health(
    state="unused",
    reason="Target.NotRegistered",
    description="Target is not registered to the target group",
)
TIMEOUT = Health(state="unhealthy", reason="Target.Timeout", description="Request timed out")
REFUSES = Health(state="unhealthy", reason="Target.FailedHealthChecks", description="Health checks failed")


def health_of(target: Target, group: TargetGroup, *, in_use: bool, now: datetime) -> Health:
    interval = timedelta(seconds=group.request["HealthCheckIntervalSeconds"])
    if target.deregistered_at is not None:
        drained = now - target.deregistered_at >= timedelta(seconds=group.deregistration_delay_seconds)
        return NOT_REGISTERED if drained else DRAINING
    if not in_use:
        return NOT_IN_USE
    if now - target.registered_at < timedelta(seconds=2):
        return REGISTERING
    threshold = group.request["UnhealthyThresholdCount"]
    if target.gone_at is not None and now >= target.gone_at + interval * threshold:
        return REFUSES
    answers = target.ready_at <= now and passes(target)
    if answers and now >= target.registered_at + interval and now >= target.ready_at:
        return HEALTHY
    if now < target.registered_at + interval * threshold:
        return FIRST_CHECKS
    return REFUSES if target.ready_at > now else failure_of(target)


def passes(target: Target) -> bool:
    return target.behaviour.kind != "never_healthy" or target.behaviour.health_check == "container"


def failure_of(target: Target) -> Health:
    status = target.behaviour.health_status
    if status == 0:
        return TIMEOUT
    return Health(
        state="unhealthy",
        reason="Target.ResponseCodeMismatch",
        description=f"Health checks failed with these codes: [{status}]",
    )
