"""Load balancers, listeners, rules, target groups and targets, as this account has them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where the app of a task listens: its port, and SERVICE_PATH; an app without one answers every path."""

    port: int
    path: str = ""


def is_at_or_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


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
    listening: Listening
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
    previous_checks: dict[str, Any] = field(default_factory=dict)
    checks_changed_at: datetime | None = None

    def change_checks(self, changed: dict[str, Any], now: datetime) -> None:
        """Change how targets are checked. Those that exist keep their health until enough checks have failed."""
        if any(self.request.get(key) != value for key, value in changed.items()):
            self.previous_checks, self.checks_changed_at = dict(self.request), now
            self.request |= changed

    def checks_of(self, target: Target, now: datetime) -> dict[str, Any]:
        """Return the settings by which a target is judged."""
        changed = self.checks_changed_at
        if changed is None or target.registered_at >= changed or now >= self.checks_settle_at:
            return self.request
        return self.previous_checks

    @property
    def checks_settle_at(self) -> datetime:
        """When targets that were there before the last change of the checks have been judged by it."""
        seconds = self.request["HealthCheckIntervalSeconds"] * self.request["UnhealthyThresholdCount"]
        return (self.checks_changed_at or datetime.min.replace(tzinfo=UTC)) + timedelta(seconds=seconds)

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
    checks = group.checks_of(target, now)
    interval = timedelta(seconds=checks["HealthCheckIntervalSeconds"])
    if target.deregistered_at is not None:
        drained = now - target.deregistered_at >= timedelta(seconds=group.deregistration_delay_seconds)
        return NOT_REGISTERED if drained else DRAINING
    if not in_use:
        return NOT_IN_USE
    if now - target.registered_at < timedelta(seconds=2):
        return REGISTERING
    threshold = checks["UnhealthyThresholdCount"]
    if target.gone_at is not None and now >= target.gone_at + interval * threshold:
        return REFUSES
    failure = REFUSES if target.ready_at > now else failure_of(target, checks)
    if failure is None and now >= target.registered_at + interval:
        return HEALTHY
    if failure is None or now < target.registered_at + interval * threshold:
        return FIRST_CHECKS
    return failure


def failure_of(target: Target, checks: dict[str, Any]) -> Health | None:
    """Return how the check of an app fails that answers; None where it passes.

    The port, the protocol, the path and the expected codes are those of
    docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html.
    """
    port = checks["HealthCheckPort"]
    if (target.port if port == "traffic-port" else int(port)) != target.listening.port:
        return REFUSES
    if checks["HealthCheckProtocol"] != "HTTP":
        return REFUSES
    status = status_of_check(target, checks["HealthCheckPath"])
    if status == 0:
        return TIMEOUT
    if matches(status, checks["Matcher"]["HttpCode"]):
        return None
    return Health("unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]")


def status_of_check(target: Target, path: str) -> int:
    """Return the status that the app answers a health check with; 0 is no answer."""
    behaviour, root = target.behaviour, target.listening.path
    if behaviour.kind == "never_healthy" and behaviour.health_check == "load_balancer":
        return behaviour.health_status
    answered = not root or path in {f"{root}{below}" for below in behaviour.health_paths}
    return 200 if answered else 404


def matches(status: int, codes: str) -> bool:
    """Return whether a status is one of a matcher such as `200`, `200,204` or `200-299`."""
    ranges = (each.partition("-") for each in codes.split(","))
    return any(int(first) <= status <= int(last or first) for first, _, last in ranges)


# What users get, from the targets of one group.


def answers_of(targets: list[tuple[Target, Health]], path: str, now: datetime) -> set[int]:
    """Return the statuses that requests of users to a path get.

    Only healthy targets get requests; where none is healthy, all of them do ("fail open", on the same page). Without a
    target the load balancer answers 503, and 502 for one that does not answer.
    """
    registered = [(target, health) for target, health in targets if target.deregistered_at is None]
    healthy = [target for target, health in registered if health.state == "healthy"]
    asked = healthy or [target for target, _ in registered]
    return {status_of_request(target, path, now) for target in asked} or {503}


def status_of_request(target: Target, path: str, now: datetime) -> int:
    behaviour = target.behaviour
    if target.ready_at > now or target.gone_at is not None or target.port != target.listening.port:
        return 502
    if behaviour.kind == "answers_500":
        return 500
    roots = (target.listening.path, *behaviour.also_answers)
    return 200 if any(not root or is_at_or_below(path, root) for root in roots) else 404
