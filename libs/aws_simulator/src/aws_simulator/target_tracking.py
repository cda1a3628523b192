"""Target tracking: once a minute, a policy compares what the running tasks carry with its target, and scales.

A policy has two alarms in CloudWatch, which it creates and deletes. Scaling out is proportional. The threshold of the
low alarm and the steps of scaling in are not documented; here they are 10 % below the target, and one task.
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aws_simulator.cloudwatch import MORE_POINTS, CloudWatch, State, evaluate
from aws_simulator.ecs.state import EcsService

MINUTE: Final = timedelta(minutes=1)
HIGH_PERIODS: Final = 3
LOW_PERIODS: Final = 15
LOW_SHARE: Final = 0.9
COOLDOWN_SECONDS: Final = 300
"""Of ECS services, in either direction, where the policy names none."""


def minute_of(moment: datetime) -> int:
    """Return the number of a minute since 1970."""
    return int(moment.timestamp() // MINUTE.total_seconds())


@dataclass(frozen=True, slots=True)
class Datapoint:
    """The average over the running tasks in one minute, and how many they were."""

    value: float
    running: int


@dataclass(slots=True, kw_only=True)
class Tracking:
    """One policy.

    Args:
        configuration: its TargetTrackingScalingPolicyConfiguration.
        high: the name of the alarm that scales out.
        low: the name of the alarm that scales in.
        points: by the number of the minute since 1970. A minute without data has none.
    """

    configuration: dict[str, Any]
    high: str
    low: str
    points: dict[int, Datapoint] = field(default_factory=dict)

    @property
    def target(self) -> float:
        return float(self.configuration["TargetValue"])

    @property
    def scales_in(self) -> bool:
        return not self.configuration.get("DisableScaleIn", False)

    def cooldown(self, direction: str) -> timedelta:
        """Return the cooldown of `ScaleOut` or `ScaleIn`."""
        return timedelta(seconds=self.configuration.get(f"{direction}Cooldown", COOLDOWN_SECONDS))

    def note(self, minute: int, total: float | None, running: int) -> None:
        """Note what a minute showed, and drop what is older than any alarm reads."""
        if total is not None and running:
            self.points[minute] = Datapoint(total / running, running)
        oldest = minute - LOW_PERIODS - 10
        self.points = {number: point for number, point in self.points.items() if number > oldest}

    def evaluate(self, cloudwatch: CloudWatch, newest: int) -> None:
        """Set both alarms by the datapoints up to a minute."""
        self._set(cloudwatch, self.high, self._recent(newest, HIGH_PERIODS, lambda value: value > self.target))
        self._set(cloudwatch, self.low, self._recent(newest, LOW_PERIODS, lambda value: value < self._low_threshold))

    @property
    def _low_threshold(self) -> float:
        return self.target * LOW_SHARE

    def _recent(self, newest: int, periods: int, breaches: Callable[[float], bool]) -> list[bool | None]:
        """Return whether each datapoint that an alarm reads breaches: of so many periods, and of some before them."""
        read = (self.points.get(number) for number in range(newest - periods - MORE_POINTS + 1, newest + 1))
        return [None if point is None else breaches(point.value) for point in read]

    def _set(self, cloudwatch: CloudWatch, name: str, points: list[bool | None]) -> None:
        """Set an alarm, unless somebody has deleted it. All its periods must breach."""
        if name not in cloudwatch.alarms:
            return
        periods = len(points) - MORE_POINTS
        current = cloudwatch.alarms[name].state
        state = evaluate(points, periods=periods, datapoints=periods, missing="missing", current=current)
        cloudwatch.set_alarm(name, state, reason=f"{periods} out of the last {periods} datapoints")

    def state(self, cloudwatch: CloudWatch, name: str) -> State:
        """Return the state of one of its alarms. A deleted alarm scales nothing."""
        return cloudwatch.alarms[name].state if name in cloudwatch.alarms else "INSUFFICIENT_DATA"

    def needed(self, newest: int) -> int:
        """Return how many tasks the newest datapoint needs to be on target."""
        point = self.points[max(number for number in self.points if number <= newest)]
        return math.ceil(point.running * point.value / self.target - 1e-9)

    def alarm_requests(self, resource_id: str) -> Iterable[dict[str, Any]]:
        """Yield the PutMetricAlarm of its two alarms."""
        above, below = "GreaterThanThreshold", "LessThanThreshold"
        for name, periods, comparison, threshold in (
            (self.high, HIGH_PERIODS, above, self.target),
            (self.low, LOW_PERIODS, below, self._low_threshold),
        ):
            yield {
                "AlarmName": name,
                "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy of {resource_id}.",
                "EvaluationPeriods": periods,
                "Period": 60,
                "Threshold": threshold,
                "ComparisonOperator": comparison,
            }


@dataclass(slots=True, kw_only=True)
class Activity:
    """What target tracking last did to one scalable target."""

    out_at: datetime | None = None
    out_to: int = 0
    in_at: datetime | None = None

    def scaled(self, now: datetime, before: int, after: int) -> None:
        """Note a change. A scale-out ends the cooldown of a scale-in."""
        if after > before:
            self.out_at, self.out_to, self.in_at = now, after, None
        else:
            self.in_at = now


def wanted_count(
    policies: Iterable[Tracking],
    activity: Activity,
    cloudwatch: CloudWatch,
    *,
    desired: int,
    newest: int,
    now: datetime,
    is_deploying: bool,
) -> int:
    """Return the desired count that the policies of a target want: out if any does, in only if all agree.

    During a scale-out's cooldown only a larger one passes. Nothing scales in while a deployment of the ECS service
    runs: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
    """
    every = list(policies)
    firing = [each for each in every if each.state(cloudwatch, each.high) == "ALARM"]
    if firing:
        most = max(firing, key=lambda each: each.needed(newest))
        wanted = most.needed(newest)
        cooling = activity.out_at is not None and now < activity.out_at + most.cooldown("ScaleOut")
        return wanted if wanted > max(desired, activity.out_to if cooling else 0) else desired
    able = [each for each in every if each.scales_in]
    agree = able and all(each.state(cloudwatch, each.low) == "ALARM" for each in able)
    if not agree or is_deploying:
        return desired
    cooldown = max(each.cooldown("ScaleIn") for each in able)
    if activity.in_at is not None and now < activity.in_at + cooldown:
        return desired
    return max(desired - 1, *(each.needed(newest) for each in able))


def is_deploying(service: EcsService) -> bool:
    """Return whether an ECS service has a deployment in progress: a second task set, or a rollout."""
    sets = [one for one in service.sets if one.status != "DRAINING"]
    rolls = service.controller == "ECS" and any(one.rollout_state == "IN_PROGRESS" for one in sets)
    return len(sets) > 1 or rolls
