"""The keys that say how a new version comes to the users, and what takes it back."""

from typing import Final

from platform_sdk.deploy.manifest.keys import key as forms
from platform_sdk.deploy.manifest.keys.key import Boolean, Choice, Group, Integer, Key, Number, Text
from platform_sdk.deploy.manifest.types import LIFECYCLE_EVENTS, SMOKE_TEST, TRAFFIC_SHIFTS

TRAFFIC_SHIFT: Final = Group(
    name="traffic_shift",
    meaning="how requests move from the tasks of the old version to those of the new one. Workers have no requests: "
    "ECS replaces them in turn",
    keys=(
        Key(
            name="type",
            kind=Choice(TRAFFIC_SHIFTS),
            meaning='"canary" sends a part first, and after an interval all the rest; "linear" sends one part more at '
            'every interval; "all_at_once" does not divide.',
            example='"canary"',
            default="canary",
            becomes="`TrafficRoutingConfig.Type` of the deployment configuration",
        ),
        Key(
            name="percent",
            kind=Integer(1, 99),
            meaning="The part: of a canary the first, of linear each.",
            example="10",
            default=10,
            becomes="`CanaryPercentage` or `LinearPercentage` of the deployment configuration",
        ),
        Key(
            name="interval_minutes",
            kind=Integer(1, 2880),
            meaning="Minutes between two shifts. All intervals together take two days at most.",
            example="5",
            default=5,
            becomes="`CanaryInterval` or `LinearInterval` of the deployment configuration",
        ),
        Key(
            name="bake_minutes",
            kind=Integer(0, 2800),
            meaning="Minutes for which the tasks of the old version stay after all requests have moved, so that they "
            "can move back at once. Both versions are paid for meanwhile.",
            example="15",
            default=15,
            becomes="`TerminationWaitTimeInMinutes` of the deployment group",
        ),
    ),
)


def alarm(name: str, meaning: str, threshold: Key | None, *, minutes: int, roll_back: bool = True) -> Group:
    own = () if threshold is None else (threshold,)
    return Group(
        name=name,
        meaning=meaning,
        keys=(
            Key(
                name="enabled",
                kind=Boolean(),
                meaning="Whether there is such an alarm.",
                example="true",
                default=True,
                becomes="a resource AWS::CloudWatch::Alarm",
            ),
            *own,
            Key(
                name="minutes",
                kind=Integer(1, 60),
                meaning="Minutes in a row for which it must be so.",
                example=str(minutes),
                default=minutes,
                becomes="`EvaluationPeriods` and `DatapointsToAlarm` of the alarm, with a `Period` of 60",
            ),
            Key(
                name="roll_back",
                kind=Boolean(),
                meaning="Whether it takes back a release during which it goes off.",
                example="true" if roll_back else "false",
                default=roll_back,
                becomes="`AlarmConfiguration` of the deployment group, `DeploymentConfiguration.Alarms` of the worker",
            ),
        ),
    )


def threshold(name: str, kind: Integer | Number, meaning: str, default: float, becomes: str) -> Key:
    return Key(
        name=name,
        kind=kind,
        meaning=meaning,
        example=str(default),
        default=default,
        becomes=f"`Threshold` of an alarm on {becomes}",
    )


ALARMS: Final = Group(
    name="alarms",
    meaning="what is watched; CodeDeploy takes a release back as soon as one of its alarms goes off",
    keys=(
        alarm(
            "error_rate",
            "answers that say that the service has failed (5xx)",
            threshold(
                "threshold_percent",
                Number(0.1, 100),
                "Percent of all requests, in a minute that has at least 20.",
                1,
                "HTTPCode_Target_5XX_Count / RequestCount",
            ),
            minutes=2,
        ),
        alarm(
            "latency_p99",
            "how long requests take, but for the slowest hundredth",
            threshold("threshold_ms", Integer(1, 60_000), "Milliseconds.", 2000, "TargetResponseTime, p99"),
            minutes=3,
        ),
        alarm(
            "unhealthy_tasks",
            "tasks that do not pass the health check",
            threshold("threshold_tasks", Integer(1, 1000), "That many tasks.", 1, "UnHealthyHostCount"),
            minutes=2,
        ),
        alarm(
            "dead_letters",
            "messages that nobody could handle, of each queue",
            threshold(
                "threshold_messages",
                Integer(1, 1_000_000),
                "Messages that have come in a minute; those that lie there already do not count, or a release that "
                "mends the cause would be taken back.",
                1,
                "DIFF(ApproximateNumberOfMessagesVisible) of the dead-letter queue",
            ),
            minutes=1,
        ),
        alarm(
            "queue_age",
            "messages that have waited longer than alarm_age_seconds of their queue",
            None,
            minutes=5,
            roll_back=False,
        ),
    ),
)

HOOKS: Final = Group(
    name="hooks",
    meaning="functions that CodeDeploy asks during a release, each an hour at most; one that says no takes it back",
    keys=tuple(
        Key(
            name=key,
            kind=Text(forms.FUNCTION_NAME),
            meaning=meaning + f' The name of a Lambda function; "{SMOKE_TEST}", the platform\'s own; or "none".',
            example=f'"{SMOKE_TEST if default else "orders-" + key.replace("_", "-")}"',
            default=default,
            becomes=f"`Hooks[].{LIFECYCLE_EVENTS[key]}` of the AppSpec",
        )
        for key, meaning, default in (
            ("before_install", "Asked before the new tasks start.", None),
            ("after_install", "Asked when the new tasks are healthy.", None),
            (
                "after_allow_test_traffic",
                "Asked when the test listener reaches the new tasks, and users do not yet.",
                SMOKE_TEST,
            ),
            ("before_allow_traffic", "Asked before the first user's request reaches the new tasks.", None),
            ("after_allow_traffic", "Asked when all requests have moved.", None),
        )
    ),
)

HEALTH_CHECK: Final = Group(
    name="health_check",
    meaning="how the load balancer finds out which tasks can serve",
    keys=(
        Key(
            name="path",
            kind=Text(forms.HEALTH_PATH),
            meaning="Answers 200 as long as the task can serve. Below the service's own path.",
            example='"/readyz"',
            default="/readyz",
            becomes="`HealthCheckPath` of the target groups, as <service.path><path>",
        ),
        Key(
            name="interval_seconds",
            kind=Integer(5, 300),
            meaning="Seconds from one check to the next.",
            example="10",
            default=10,
            becomes="`HealthCheckIntervalSeconds` of the target groups",
        ),
        Key(
            name="timeout_seconds",
            kind=Integer(2, 120),
            meaning="Seconds to wait for the answer; less than the interval.",
            example="5",
            default=5,
            becomes="`HealthCheckTimeoutSeconds` of the target groups",
        ),
        Key(
            name="healthy_threshold",
            kind=Integer(2, 10),
            meaning="Passed checks in a row that make a task healthy.",
            example="2",
            default=2,
            becomes="`HealthyThresholdCount` of the target groups",
        ),
        Key(
            name="unhealthy_threshold",
            kind=Integer(2, 10),
            meaning="Failed checks in a row that make it unhealthy.",
            example="3",
            default=3,
            becomes="`UnhealthyThresholdCount` of the target groups",
        ),
        Key(
            name="start_period_seconds",
            kind=Integer(0, 300),
            meaning="Seconds after its start in which a container may fail its own health check.",
            example="60",
            default=60,
            becomes="`healthCheck.startPeriod` of the container",
        ),
        Key(
            name="grace_period_seconds",
            kind=Integer(0, 7200),
            meaning="Seconds after its start in which ECS does not stop a task that the load balancer finds unhealthy. "
            "Long enough to become healthy.",
            example="60",
            default=60,
            becomes="`HealthCheckGracePeriodSeconds` of the ECS service",
        ),
    ),
)
