"""Load balancers, listeners, rules, target groups and targets, as this account has them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aws_simulator.behaviour import Behaviour


@dataclass(slots=True, kw_only=True)
class LoadBalancer:
    arn: str
    name: str
    created_at: datetime
    request: dict[str, Any]
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Listener:
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
    arn: str
    listener_arn: str
    priority: int
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class Target:
    """An address at which a task listens.

    Args:
        ready_at: from when on the app behind it answers as its image does; before that it refuses connections.
    """

    id: str
    port: int
    registered_at: datetime
    ready_at: datetime
    behaviour: Behaviour
    deregistered_at: datetime | None = None
    gone_at: datetime | None = None
    """When nothing listens there any more: from then on checks fail."""


@dataclass(slots=True, kw_only=True)
class TargetGroup:
    arn: str
    name: str
    request: dict[str, Any]
    attributes: dict[str, str]
    targets: dict[tuple[str, int], Target] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """As CloudWatch's dimension TargetGroup has it."""
        return self.arn.rpartition(":")[2]

    @property
    def deregistration_delay_seconds(self) -> int:
        return int(self.attributes["deregistration_delay.timeout_seconds"])


def weights_of(actions: list[dict[str, Any]]) -> dict[str, int]:
    """ARN of a target group to its weight in a forward action; empty where nothing is forwarded."""
    for action in actions:
        groups = action.get("ForwardConfig", {}).get("TargetGroups")
        if groups:
            return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups}
        if action.get("TargetGroupArn"):
            return {action["TargetGroupArn"]: 1}
    return {}


def forward(weights: dict[str, int]) -> dict[str, Any]:
    """The action as ELB returns it. With one group alone it names that in TargetGroupArn, too."""
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    only = {"TargetGroupArn": groups[0]["TargetGroupArn"]} if len(groups) == 1 else {}
    return {
        "Type": "forward",
        "Order": 1,
        **only,
        "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False}},
    }
