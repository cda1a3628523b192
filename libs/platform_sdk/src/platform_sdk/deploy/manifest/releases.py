"""Tables that define how a new version reaches the users, and what rolls it back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from platform_sdk.deploy.manifest.keys import (
    FUNCTION_NAME,
    HEALTH_PATH,
    Boolean,
    Choice,
    Group,
    Integer,
    Key,
    Number,
    Text,
    key,
)
from platform_sdk.deploy.manifest.resources import Queue
from platform_sdk.deploy.toml_document import Document, Table

TrafficShiftType = Literal["canary", "linear", "all_at_once"]
AlarmKind = Literal["error_rate", "latency_p99", "unhealthy_tasks", "dead_letters", "queue_age"]
LifecycleEvent = Literal[
    "BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"
]
LIFECYCLE_EVENTS: Final[Mapping[str, LifecycleEvent]] = {
    "before_install": "BeforeInstall",
    "after_install": "AfterInstall",
    "after_allow_test_traffic": "AfterAllowTestTraffic",
    "before_allow_traffic": "BeforeAllowTraffic",
    "after_allow_traffic": "AfterAllowTraffic",
}
"""Keys of `[hooks]` to the lifecycle events of CodeDeploy that may carry a hook, in the order in which they happen."""

STEPS_OF_CODEDEPLOY: Final = {
    "install": "after_install",
    "allowtesttraffic": "after_allow_test_traffic",
    "allowtraffic": "before_allow_traffic",
}
"""Lifecycle events that cannot have a hook, to the one that a team may have meant."""

SMOKE_TEST: Final = "smoke_test"
"""The hook function of the platform, in place of a function's name."""

# CodeDeploy's quotas (docs.aws.amazon.com/codedeploy, "CodeDeploy limits"; the API's own text says 10 alarms).
MAX_SHIFT_MINUTES: Final = 2880
MAX_ALARMS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShift:
    """How production traffic moves to a new version, and for how long the old one stays beside it."""

    type: TrafficShiftType = key(
        Choice(("canary", "linear", "all_at_once")),
        default="canary",
        becomes="`TrafficRoutingConfig.Type` of the deployment configuration",
    )
    """"canary" sends a part first, and after an interval all the rest; "linear" sends one part more at every interval;
    "all_at_once" sends everything at once."""
    percent: int = key(
        Integer(1, 99), default=10, becomes="`CanaryPercentage` or `LinearPercentage` of the deployment configuration"
    )
    """The part: the first of a canary, or each of linear."""
    interval_minutes: int = key(
        Integer(1, MAX_SHIFT_MINUTES),
        default=5,
        becomes="`CanaryInterval` or `LinearInterval` of the deployment configuration",
    )
    """Minutes between two shifts. All intervals together take two days at most."""
    bake_minutes: int = key(
        Integer(0, 2800), default=15, becomes="`TerminationWaitTimeInMinutes` of the deployment group"
    )
    """Minutes for which the tasks of the old version stay after all requests have moved, so that they can move back at
    once. Both versions are paid for meanwhile."""

    def check(self, table: Table) -> None:
        """Report steps that the type does not have, and steps that together exceed CodeDeploy's limit."""
        if not table.are_sound("type", "percent", "interval_minutes"):
            return
        if self.type == "all_at_once":
            # The steps may be for other environments, if this environment overrides the type.
            for name in ("percent", "interval_minutes"):
                if name in table.values and (table.is_overridden(name) or not table.is_overridden("type")):
                    table.error(name, "all_at_once has no steps", f"remove {name}, or choose another type")
            return
        intervals = 1 if self.type == "canary" else -(-100 // self.percent) - 1
        if intervals * self.interval_minutes > MAX_SHIFT_MINUTES:
            reason = (
                f"{intervals} intervals of {self.interval_minutes} minutes are more than {MAX_SHIFT_MINUTES}, "
                "CodeDeploy's limit"
            )
            table.error("interval_minutes", reason, f"did you mean {MAX_SHIFT_MINUTES // intervals}?")

    def without_steps(self) -> "TrafficShift":
        """Return the same shift; if it is all at once, with 100 percent and no interval."""
        return replace(self, percent=100, interval_minutes=0) if self.type == "all_at_once" else self


def refuse_steps_in_percent(table: Table) -> None:
    """Report a list in `percent` with a reason of its own, before the reader reports its type."""
    if isinstance(table.values.get("percent"), list):
        reason = "a canary has exactly two steps: one part, and then all the rest"
        table.error("percent", reason, 'give one number, or choose type = "linear"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A CloudWatch alarm: at `threshold` or above for `minutes` minutes in a row.

    The threshold counts percent (error_rate), milliseconds (latency_p99), tasks, messages or seconds (queue_age).
    `queue` is a name of platform.toml for the alarms of queues, which exist once for each.
    """

    kind: AlarmKind
    threshold: float
    minutes: int
    roll_back: bool
    queue: str | None = None


def alarm(meaning: str, threshold: Mapping[str, Key], *, minutes: int, roll_back: bool = True) -> Group:
    """Declare `[alarms.<kind>]`. Its threshold has a key of its own, which names the unit."""
    enabled = Key(
        Boolean(), default=True, becomes="a resource AWS::CloudWatch::Alarm", meaning="Whether there is such an alarm."
    )
    duration = Key(
        Integer(1, 60),
        default=minutes,
        becomes="`EvaluationPeriods` and `DatapointsToAlarm` of the alarm, with a `Period` of 60",
        meaning="Minutes in a row for which the threshold must be reached.",
    )
    rolls_back = Key(
        Boolean(),
        default=roll_back,
        becomes="`AlarmConfiguration` of the deployment group, `DeploymentConfiguration.Alarms` of the worker",
        meaning="Whether a release is rolled back when it fires.",
    )
    return Group({"enabled": enabled, **threshold, "minutes": duration, "roll_back": rolls_back}, meaning=meaning)


def threshold(kind: Integer | Number, meaning: str, default: int, becomes: str) -> Key:
    """Declare the threshold of an alarm. `becomes` says which metric the alarm reads."""
    return Key(kind, default=default, becomes=f"`Threshold` of an alarm on {becomes}", meaning=meaning)


ALARMS: Final[Mapping[str, Group]] = {
    "error_rate": alarm(
        "responses with a server error (5xx)",
        {
            "threshold_percent": threshold(
                Number(0.1, 100),
                "Percent of all requests, in a minute that has at least 20.",
                1,
                "HTTPCode_Target_5XX_Count / RequestCount",
            )
        },
        minutes=2,
    ),
    "latency_p99": alarm(
        "how long requests take, except for the slowest 1 %",
        {"threshold_ms": threshold(Integer(1, 60_000), "Milliseconds.", 2000, "TargetResponseTime, p99")},
        minutes=3,
    ),
    "unhealthy_tasks": alarm(
        "tasks that do not pass the health check",
        {"threshold_tasks": threshold(Integer(1, 1000), "Unhealthy tasks.", 1, "UnHealthyHostCount")},
        minutes=2,
    ),
    "dead_letters": alarm(
        "messages that no worker could handle, for each queue",
        {
            "threshold_messages": threshold(
                Integer(1, 1_000_000),
                "Messages that have arrived in a minute; older ones do not count, or a release that fixes the cause "
                "would be rolled back.",
                1,
                "DIFF(ApproximateNumberOfMessagesVisible) of the dead-letter queue",
            )
        },
        minutes=1,
    ),
    "queue_age": alarm(
        "messages that have waited longer than alarm_age_seconds of their queue", {}, minutes=5, roll_back=False
    ),
}


def alarms_of(settings: Mapping[AlarmKind, Mapping[str, Any]], queues: Sequence[Queue]) -> Iterator[Alarm]:
    """Yield one of each kind that is not switched off, or one for each queue."""
    for kind, values in settings.items():
        if not values["enabled"]:
            continue
        threshold = next((value for name, value in values.items() if name.startswith("threshold")), 0.0)
        own = Alarm(kind=kind, threshold=threshold, minutes=values["minutes"], roll_back=values["roll_back"])
        if kind == "dead_letters":
            yield from (replace(own, queue=queue.name) for queue in queues)
        elif kind == "queue_age":
            yield from (replace(own, queue=one.name, threshold=float(one.alarm_age_seconds)) for one in queues)
        else:
            yield own


def check_alarms(document: Document, alarms: Sequence[Alarm]) -> None:
    """Report more alarms than CodeDeploy watches, at a table that the file has."""
    watched = sum(alarm.roll_back for alarm in alarms)
    if watched > MAX_ALARMS:
        reason = f"{watched} alarms would roll back, and CodeDeploy watches at most {MAX_ALARMS}"
        beside = ("alarms",) if document.values.get("alarms") else ("queues",)
        document.error(("alarms",), reason, "set roll_back = false below [alarms.dead_letters]", beside=beside)


MEANINGS_OF_HOOKS: Final = {
    "before_install": "Called before the new tasks start.",
    "after_install": "Called when the new tasks are healthy.",
    "after_allow_test_traffic": "Called when the test listener reaches the new tasks, before users do.",
    "before_allow_traffic": "Called before the first user's request reaches the new tasks.",
    "after_allow_traffic": "Called when all requests have moved.",
}
HOOKS: Final = {
    event: Key(
        Text(FUNCTION_NAME),
        default=SMOKE_TEST if event == "after_allow_test_traffic" else None,
        example="" if event == "after_allow_test_traffic" else f'"orders-{event.replace("_", "-")}"',
        becomes=f"`Hooks[].{LIFECYCLE_EVENTS[event]}` of the AppSpec",
        meaning=f'{meaning} The name of a Lambda function; "{SMOKE_TEST}", the platform\'s own; or "none".',
    )
    for event, meaning in MEANINGS_OF_HOOKS.items()
}


def refuse_events_of_aws(table: Table) -> None:
    """Suggest our name for an event of CodeDeploy. Some of its events cannot have a hook."""
    ours = {event.lower(): name for name, event in LIFECYCLE_EVENTS.items()}
    for name, value in table.values.items():
        plain = name.replace("_", "").lower()
        if name in LIFECYCLE_EVENTS:
            if isinstance(value, str) and value.startswith("arn:"):
                table.error(name, "must be a name, not an ARN", "the environment adds account and region")
        elif plain in STEPS_OF_CODEDEPLOY:
            reason = "is a step of CodeDeploy that cannot have a hook"
            table.error(name, reason, f"did you mean {STEPS_OF_CODEDEPLOY[plain]}?")
        elif plain in ours:
            table.error(name, "unknown key", f"did you mean {ours[plain]}?")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How the load balancer asks a task, and what time a new task has: in the container and in the ECS service."""

    path: str = key(
        Text(HEALTH_PATH),
        default="/readyz",
        becomes="`HealthCheckPath` of the target groups, as <service.path><path>",
    )
    """Answers 200 as long as the task can serve. Below the service's own path."""
    interval_seconds: int = key(
        Integer(5, 300), default=10, becomes="`HealthCheckIntervalSeconds` of the target groups"
    )
    """Seconds from one check to the next."""
    timeout_seconds: int = key(Integer(2, 120), default=5, becomes="`HealthCheckTimeoutSeconds` of the target groups")
    """Seconds to wait for the answer; less than the interval."""
    healthy_threshold: int = key(Integer(2, 10), default=2, becomes="`HealthyThresholdCount` of the target groups")
    """Passed checks in a row that make a task healthy."""
    unhealthy_threshold: int = key(Integer(2, 10), default=3, becomes="`UnhealthyThresholdCount` of the target groups")
    """Failed checks in a row that make it unhealthy."""
    start_period_seconds: int = key(Integer(0, 300), default=60, becomes="`healthCheck.startPeriod` of the container")
    """Seconds after its start in which a container may fail its own health check."""
    grace_period_seconds: int = key(
        Integer(0, 7200), default=60, becomes="`HealthCheckGracePeriodSeconds` of the ECS service"
    )
    """Seconds after its start in which ECS does not stop a task that the load balancer finds unhealthy. Long enough to
    become healthy."""

    def check(self, table: Table) -> None:
        """Report a timeout that is not below the interval (as ELBv2 demands), and too short a grace period."""
        if not table.is_sound():
            return
        if self.timeout_seconds >= self.interval_seconds:
            reason = f"{self.timeout_seconds} is not below interval_seconds, which is {self.interval_seconds}"
            table.error("timeout_seconds", reason, f"did you mean {max(2, self.interval_seconds // 2)}?")
        needed = self.interval_seconds * self.healthy_threshold
        if self.grace_period_seconds < needed:
            reason = f"{self.grace_period_seconds} is below the {needed} s that {self.healthy_threshold} checks take"
            table.error("grace_period_seconds", reason, f"did you mean {max(60, needed)}?")
