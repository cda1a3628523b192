"""CloudWatch alarms: set by hand, or by what the tasks behind a target group answer to their users."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aws_simulator.account import Account
from aws_simulator.elbv2.service import ElbV2
from aws_simulator.elbv2.state import TargetGroup
from aws_simulator.service import Answer, Paging, Request, Service, find_or_refuse

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Missing = Literal["missing", "ignore", "breaching", "notBreaching"]
"""TreatMissingData of PutMetricAlarm."""

MORE_POINTS: Final = 2
"""How many more datapoints CloudWatch reads than the alarm evaluates, as in the examples of the guide."""

PAGE_SIZE: Final = 50
PAGES: Final = Paging(marker="NextToken", next_marker="NextToken", size="MaxRecords", invalid="InvalidNextToken")

WATCHED: Final[Mapping[str, str]] = {
    "HTTPCode_Target_5XX_Count": "answers_500",
    "TargetResponseTime": "slow",
    "UnHealthyHostCount": "unhealthy",
    "HTTPCode_ELB_5XX_Count": "no_answer",
}
"""Metrics that can breach, and why: of a target group, or what a load balancer answers itself. Alarms on other metrics
never change by themselves."""
OF_A_LOAD_BALANCER: Final = "no_answer"


@dataclass(slots=True, kw_only=True)
class Alarm:
    """An alarm with its state.

    Args:
        request: as PutMetricAlarm got it.
        watched: what of which target group or load balancer, by ARN, makes it breach.
        is_set_manually: whether a test has set the state, which no evaluation then changes.
        points: by the number of the period since 1970: whether the metric breached at any time in it, because metrics
            are sums and maxima.
        is_breaching: whether the metric breached when it was last looked at.
    """

    arn: str
    name: str
    request: dict[str, Any]
    configured_at: datetime
    state: State = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    changed_at: datetime
    watched: tuple[tuple[str, str], ...]
    is_set_manually: bool = False
    points: dict[int, bool] = field(default_factory=dict)
    is_breaching: bool = False

    @property
    def period(self) -> timedelta:
        metrics = self.request.get("Metrics", [])
        periods = [one["MetricStat"]["Period"] for one in metrics if "MetricStat" in one]
        return timedelta(seconds=self.request.get("Period") or max(periods, default=60))

    @property
    def window(self) -> timedelta:
        """How long its metric must breach: all its periods."""
        return self.period * self.periods

    @property
    def periods(self) -> int:
        return int(self.request["EvaluationPeriods"])

    @property
    def is_sparse(self) -> bool:
        """Whether the metric has no datapoints without traffic or errors: no expression fills them in."""
        return "MetricName" in self.request and bool(self.watched) and self.watched[0][0] != "unhealthy"

    def note(self, now: datetime, breaches: bool) -> None:
        """Note what the metric shows now. In periods that were skipped it showed the same as before them."""
        current = self.number_of(now)
        for number in range(max(self.points, default=current) + 1, current):
            self.points[number] = self.is_breaching
        self.points[current] = self.points.get(current, False) or breaches
        self.is_breaching = breaches

    def number_of(self, moment: datetime) -> int:
        return int(moment.timestamp() // self.period.total_seconds())

    def state_at(self, now: datetime, delay: timedelta) -> State:
        """Return the state by the datapoints that have arrived. Those that nothing needs any more are dropped."""
        end = self.number_of(now - delay)
        numbers = range(end - self.periods - MORE_POINTS, end)
        self.points = {number: point for number, point in self.points.items() if number >= numbers.start}
        points = [self.points.get(number) for number in numbers]
        return evaluate(
            [None if self.is_sparse and not point else point for point in points],
            periods=self.periods,
            datapoints=int(self.request.get("DatapointsToAlarm", self.periods)),
            missing=self.request.get("TreatMissingData", "missing"),
            current=self.state,
        )

    def is_settled(self, breaches: bool) -> bool:
        """Return whether it stays as it is while the metric shows this."""
        expected = "ALARM" if breaches else "OK"
        if self.is_sparse and not breaches:
            expected = {"notBreaching": "OK", "missing": "INSUFFICIENT_DATA"}.get(
                self.request.get("TreatMissingData", "missing"), self.state
            )
        return self.state == expected and breaches == self.is_breaching and set(self.points.values()) <= {breaches}


def watched_by(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what an alarm breaches on, and the resource in its ARN, for each metric that the simulator moves."""
    single = [request] if "MetricName" in request else []
    several = [one["MetricStat"]["Metric"] for one in request.get("Metrics", []) if "MetricStat" in one]
    for metric in (*single, *several):
        for dimension in metric.get("Dimensions", []):
            what = WATCHED.get(metric["MetricName"])
            if dimension["Name"] == "LoadBalancer" and what == OF_A_LOAD_BALANCER:
                yield what, f"loadbalancer/{dimension['Value']}"
            elif dimension["Name"] == "TargetGroup" and what is not None:
                yield what, dimension["Value"]


class CloudWatch(Service):
    """Alarms and dashboards. Metrics have no values: a target group's behaviour decides whether an alarm breaches.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.alarms: dict[str, Alarm] = {}
        self.dashboards: dict[str, str] = {}

    # What a deployment asks, and a test does.

    def in_alarm(self, names: list[str]) -> list[str]:
        """Return the names of those alarms that are in the state ALARM."""
        return [name for name in names if name in self.alarms and self.alarms[name].state == "ALARM"]

    def window(self, names: list[str]) -> timedelta:
        """Return the longest window of the alarms: for so long ECS watches a finished deployment."""
        windows = [self.alarms[name].window for name in names if name in self.alarms]
        return max(windows, default=timedelta())

    def set_alarm(self, name: str, state: State, *, reason: str = "Set by hand") -> None:
        """Set a state by hand; it stays, whatever the metric does. A missing alarm is created."""
        if name not in self.alarms:
            request = {"AlarmName": name, "EvaluationPeriods": 1, "Threshold": 1.0, "Period": 60}
            self.put_metric_alarm({**request, "ComparisonOperator": "GreaterThanOrEqualToThreshold"})
        alarm = self.alarms[name]
        alarm.is_set_manually = True
        self._change(alarm, state, reason)

    # Time

    @property
    def quiet(self) -> bool:
        return all(self._is_settled(alarm) for alarm in self.alarms.values())

    def _is_settled(self, alarm: Alarm) -> bool:
        return alarm.is_set_manually or alarm.is_settled(self._breaches(alarm))

    def step(self) -> None:
        for alarm in self.alarms.values():
            if not self._is_settled(alarm):
                self._evaluate(alarm)

    def _evaluate(self, alarm: Alarm) -> None:
        """Note the metric, and evaluate the alarm by what has arrived of it."""
        now = self.account.now()
        alarm.note(now, self._breaches(alarm))
        state = alarm.state_at(now, timedelta(seconds=self.account.conditions.metric_delay_seconds))
        periods = alarm.periods
        reasons: dict[State, str] = {
            "OK": "Threshold Crossed: no datapoints were breaching",
            "ALARM": f"Threshold Crossed: {periods} out of the last {periods} datapoints",
            "INSUFFICIENT_DATA": f"Insufficient Data: {periods} datapoints were unknown.",
        }
        self._change(alarm, state, reasons[state])

    def _change(self, alarm: Alarm, state: State, reason: str) -> None:
        if alarm.state == state:
            return
        alarm.state, alarm.reason, alarm.changed_at = state, reason, self.account.now()

    def _breaches(self, alarm: Alarm) -> bool:
        load_balancing = self.account.service(ElbV2)
        groups = load_balancing.target_groups
        return any(
            load_balancing.refuses_users(arn)
            if what == OF_A_LOAD_BALANCER
            else arn in groups and self._shows(groups[arn], what)
            for what, arn in alarm.watched
        )

    def _shows(self, group: TargetGroup, what: str) -> bool:
        """Return whether any registered task breaches; only answers to users count."""
        load_balancing = self.account.service(ElbV2)
        if what == "unhealthy":
            return any(health.state == "unhealthy" for _, health in load_balancing.targets(group))
        if all(target.behaviour.kind != what for target in group.targets.values()):
            return False
        targets = load_balancing.targets(group)
        answering = any(target.behaviour.kind == what and health.state == "healthy" for target, health in targets)
        return answering and load_balancing.weight_of(group.arn) > 0

    # Operations

    def put_metric_alarm(self, request: Request) -> Answer:
        """Create or change an alarm; a changed one keeps its state."""
        name, now, watched = request["AlarmName"], self.account.now(), self._watched(request)
        new = Alarm(
            arn=self._arn(name), name=name, request=dict(request), watched=watched, configured_at=now, changed_at=now
        )
        alarm = self.alarms.setdefault(name, new)
        alarm.request, alarm.watched, alarm.configured_at = dict(request), watched, now
        return {}

    def _watched(self, request: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        return tuple((what, self.account.arn("elasticloadbalancing", name)) for what, name in watched_by(request))

    def _arn(self, name: str) -> str:
        return self.account.arn("cloudwatch", f"alarm:{name}")

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        names = request.get("AlarmNames") or ([request["AlarmName"]] if "AlarmName" in request else [])
        if operation == "DescribeAlarms" and not names:
            return (self._arn("*"),)
        return tuple(self._arn(name) for name in names)

    def delete_alarms(self, request: Request) -> Answer:
        for name in request["AlarmNames"]:
            self.alarms.pop(name, None)
        return {}

    def describe_alarms(self, request: Request) -> Answer:
        names, prefix = request.get("AlarmNames"), request.get("AlarmNamePrefix", "")
        state = request.get("StateValue")
        found = [
            self._description(alarm)
            for name, alarm in sorted(self.alarms.items())
            if (names is None or name in names) and name.startswith(prefix) and state in (None, alarm.state)
        ]
        return PAGES.answer("MetricAlarms", found, request, PAGE_SIZE) | {"CompositeAlarms": []}

    def put_dashboard(self, request: Request) -> Answer:
        self.dashboards[request["DashboardName"]] = request["DashboardBody"]
        return {"DashboardValidationMessages": []}

    def delete_dashboards(self, request: Request) -> Answer:
        for name in request["DashboardNames"]:
            self.dashboards.pop(name, None)
        return {}

    def get_dashboard(self, request: Request) -> Answer:
        name = request["DashboardName"]
        body = find_or_refuse(self.dashboards, name, "ResourceNotFound", f"Dashboard {name} does not exist", status=404)
        arn = self.account.arn("cloudwatch", f"dashboard/{name}", regional=False)
        return {"DashboardArn": arn, "DashboardBody": body, "DashboardName": name}

    def _description(self, alarm: Alarm) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "ActionsEnabled": True,
            "OKActions": [],
            "AlarmActions": [],
            "InsufficientDataActions": [],
            "Dimensions": [],
        }
        given = {key: value for key, value in alarm.request.items() if key != "Tags"}
        return {
            **defaults,
            **given,
            "AlarmArn": alarm.arn,
            "AlarmConfigurationUpdatedTimestamp": alarm.configured_at,
            "StateValue": alarm.state,
            "StateReason": alarm.reason,
            "StateUpdatedTimestamp": alarm.changed_at,
            "StateTransitionedTimestamp": alarm.changed_at,
        }


def evaluate(
    points: Sequence[bool | None], *, periods: int, datapoints: int, missing: Missing, current: State
) -> State:
    """Return the state that the datapoints of an alarm make.

    Where there are enough datapoints, the newest ones decide, whatever is missing between them. Otherwise the missing
    ones are treated as the alarm says, and as few of them as possible.

    Args:
        points: of the evaluation range, the newest last: whether it breaches; None where it is missing.
        periods: how many the alarm evaluates: EvaluationPeriods.
        datapoints: how many of them must breach: DatapointsToAlarm.
        current: the state that it has.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
    """
    real = [point for point in points if point is not None]
    breaching = sum(real[-periods:])
    lacking = periods - len(real)
    if lacking <= 0 or breaching >= datapoints:
        return "ALARM" if breaching >= datapoints else "OK"
    if missing == "notBreaching":
        return "OK"
    if not real and missing == "missing":
        return "INSUFFICIENT_DATA"
    if not real:
        return "ALARM" if missing == "breaching" else current
    if not all(real):
        return "ALARM" if missing == "breaching" and breaching + lacking >= datapoints else "OK"
    if missing == "ignore":
        return current
    # All that there is breaches. It must be old enough, so that a first datapoint alone makes no alarm.
    return "ALARM" if len(points) - points.index(True) >= datapoints else "OK"
