"""Load balancers, listeners, rules, target groups and targets, as this account has them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aws_simulator.service import without_none
from aws_simulator.world import Behaviour


@dataclass(slots=True, kw_only=True)
class LoadBalancer:
    """A load balancer; `request` holds what CreateLoadBalancer got."""

    arn: str
    name: str
    created_at: datetime
    request: dict[str, Any]
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Listener:
    """A listener. A request that none of its rules matches takes the default actions."""

    arn: str
    load_balancer_arn: str
    port: int
    protocol: str
    default_actions: list[dict[str, Any]]
    request: dict[str, Any]
    tests_only: bool = False
    """Whether a deployment group uses it for test traffic, so that no user comes this way."""


@dataclass(slots=True, kw_only=True)
class Rule:
    """A rule of a listener: requests that meet the conditions take the actions."""

    arn: str
    listener_arn: str
    priority: int
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class Target:
    """An address at which a task listens.

    Args:
        ready_at: when the app behind it starts to answer; before that it refuses connections.
    """

    id: str
    port: int
    registered_at: datetime
    ready_at: datetime
    behaviour: Behaviour
    deregistered_at: datetime | None = None
    gone_at: datetime | None = None
    """When it stops listening: from then on checks fail."""


@dataclass(slots=True, kw_only=True)
class TargetGroup:
    """A target group; its targets are found by address and port."""

    arn: str
    name: str
    request: dict[str, Any]
    attributes: dict[str, str]
    targets: dict[tuple[str, int], Target] = field(default_factory=dict)

    @property
    def deregistration_delay_seconds(self) -> int:
        return int(self.attributes["deregistration_delay.timeout_seconds"])


def weights_of(actions: list[dict[str, Any]]) -> dict[str, int]:
    """Return the weight per target group ARN in a forward action; empty where nothing is forwarded."""
    for action in actions:
        groups = action.get("ForwardConfig", {}).get("TargetGroups")
        if groups:
            return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups}
        if action.get("TargetGroupArn"):
            return {action["TargetGroupArn"]: 1}
    return {}


def forward(weights: dict[str, int]) -> dict[str, Any]:
    """Return the action as ELB does. With a single group it names that in TargetGroupArn, too."""
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    only = {"TargetGroupArn": groups[0]["TargetGroupArn"]} if len(groups) == 1 else {}
    return {
        "Type": "forward",
        "Order": 1,
        **only,
        "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False}},
    }


# The health of a target: a pure function of its behaviour and of time.
#
# A new target is healthy after one passed check and unhealthy after `UnhealthyThresholdCount` failed ones
# (docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html).

State = Literal["initial", "healthy", "unhealthy", "draining", "unused"]


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a target, with ELB's code and sentence for the reason."""

    state: State
    reason: str | None = None
    description: str | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """TargetHealth of DescribeTargetHealth."""
        return without_none({"State": self.state, "Reason": self.reason, "Description": self.description})


HEALTHY: Final = Health("healthy")
REGISTERING: Final = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
FIRST_CHECKS: Final = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING: Final = Health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
NOT_IN_USE: Final = Health(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)
NOT_REGISTERED: Final = Health("unused", "Target.NotRegistered", "Target is not registered to the target group")
TIMEOUT: Final = Health("unhealthy", "Target.Timeout", "Request timed out")
REFUSES: Final = Health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def health_of(target: Target, group: TargetGroup, *, in_use: bool, now: datetime) -> Health:
    """Return what the load balancer knows of a target; `in_use` says whether a rule forwards to the group."""
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
    """Return whether the load balancer's check passes once the app answers."""
    return target.behaviour.kind != "never_healthy" or target.behaviour.health_check == "container"


def failure_of(target: Target) -> Health:
    """Return how the check of an app fails that never becomes healthy."""
    status = target.behaviour.health_status
    if status == 0:
        return TIMEOUT
    message = f"Health checks failed with these codes: [{status}]"
    return Health("unhealthy", "Target.ResponseCodeMismatch", message)
