"""What is around the tasks: load balancing, scaling, alarms, logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerRule:
    """`weights` maps ARNs of target groups to weights; CodeDeploy leaves both of a pair in the rule."""

    arn: str
    listener: str
    priority: str
    paths: tuple[str, ...]
    weights: Mapping[str, int]

    @property
    def live_target_group(self) -> str | None:
        """The one with most of the traffic, if any has some."""
        group = max(self.weights, key=lambda arn: self.weights[arn], default=None)
        return group if group is not None and self.weights[group] > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    name: str
    arn: str
    port: int
    health_path: str
    load_balancers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    address: str
    port: int
    state: str
    """healthy, unhealthy, initial, draining, unused or unavailable."""
    reason: str
    """AWS's code, such as Target.ResponseCodeMismatch."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """Which kinds of scaling are suspended."""

    scale_in: bool = False
    scale_out: bool = False
    scheduled: bool = False

    @property
    def any(self) -> bool:
        return self.scale_in or self.scale_out or self.scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalableTarget:
    """`resource` is `service/<cluster>/<service>`; bounds are tasks."""

    resource: str
    min_tasks: int
    max_tasks: int
    suspended: Suspended


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    name: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    reason: str
    description: str
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    at: datetime
    stream: str
    text: str
