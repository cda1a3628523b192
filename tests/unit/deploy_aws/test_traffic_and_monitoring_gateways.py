"""Load balancing, scaling, alarms, logs and functions: what is asked, and what is made of the answers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from platform_sdk.deploy.state import LogLine, Suspended
from tests.support.recorded_aws import RecordedAws, Refusal

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
RESOURCE = "service/platform-production/production-orders"


def forward(*groups: tuple[str, int], alone: str = "") -> list[dict[str, Any]]:
    config = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]}
    return [{"Type": "forward", **({"TargetGroupArn": alone} if alone else {"ForwardConfig": config})}]


def test_a_rule_says_which_target_group_has_the_traffic() -> None:
    aws = RecordedAws()
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/orders", "/orders/*"]}}
    shifted = {
        "RuleArn": "r1",
        "Priority": "10",
        "Conditions": [path, {"Field": "host-header", "Values": ["x"]}],
        "Actions": forward(("green", 90), ("blue", 10)),
    }
    old = {"RuleArn": "r2", "Priority": "20", "Conditions": [{"Field": "path-pattern", "Values": ["/a"]}]}
    default = {"RuleArn": "r3", "Priority": "default", "Actions": [{"Type": "fixed-response"}]}
    aws.answers(
        "elbv2.DescribeRules",
        {"Rules": [shifted], "NextMarker": "more"},
        {"Rules": [old | {"Actions": forward(alone="blue")}, default]},
    )

    first, second, last = aws.gateways.load_balancing.rules("listener")

    assert (first.paths, first.weights, first.live_target_group) == (
        ("/orders", "/orders/*"),
        {"green": 90, "blue": 10},
        "green",
    )
    assert (second.paths, second.weights, second.listener) == (("/a",), {"blue": 1}, "listener")
    assert (last.priority, last.weights, last.live_target_group) == ("default", {}, None)


def test_no_listener_has_no_rules_and_no_target_group_no_targets() -> None:
    aws = RecordedAws()
    aws.answers("elbv2.DescribeRules", Refusal(code="ListenerNotFound"))
    aws.answers("elbv2.DescribeTargetHealth", Refusal(code="TargetGroupNotFound"))

    assert aws.gateways.load_balancing.rules("listener") == ()
    assert aws.gateways.load_balancing.health("group") == ()


def target_group(name: str) -> dict[str, Any]:
    return {
        "TargetGroupName": name,
        "TargetGroupArn": f"arn-{name}",
        "Port": 8080,
        "HealthCheckPath": "/orders/health/ready",
        "LoadBalancerArns": ["balancer"],
    }


def test_one_unknown_target_group_hides_no_other() -> None:
    aws = RecordedAws()
    unknown = Refusal(code="TargetGroupNotFound")
    aws.answers("elbv2.DescribeTargetGroups", unknown, {"TargetGroups": [target_group("blue")]}, unknown)

    found = aws.gateways.load_balancing.target_groups(["blue", "green"])

    assert list(found) == ["blue"]
    assert (found["blue"].arn, found["blue"].port, found["blue"].load_balancers) == ("arn-blue", 8080, ("balancer",))
    assert [each["Names"] for each in aws.sent("elbv2.DescribeTargetGroups")] == [
        ["blue", "green"],
        ["blue"],
        ["green"],
    ]


def test_a_target_says_why_it_is_unhealthy() -> None:
    aws = RecordedAws()
    health = {
        "State": "unhealthy",
        "Reason": "Target.ResponseCodeMismatch",
        "Description": "Health checks failed with these codes: [500]",
    }
    targets = [
        {"Target": {"Id": "10.0.0.8", "Port": 8080}, "TargetHealth": health},
        {"Target": {"Id": "10.0.0.9"}, "TargetHealth": {"State": "healthy"}},
    ]
    aws.answers("elbv2.DescribeTargetHealth", {"TargetHealthDescriptions": targets})

    ill, well = aws.gateways.load_balancing.health("group")

    assert (ill.address, ill.port, ill.state, ill.reason) == (
        "10.0.0.8",
        8080,
        "unhealthy",
        "Target.ResponseCodeMismatch",
    )
    assert ill.description.endswith("[500]")
    assert (well.state, well.reason, well.description) == ("healthy", "", "")


def test_the_path_of_a_health_check_is_set_and_nothing_else_of_the_group() -> None:
    aws = RecordedAws()
    aws.answers("elbv2.ModifyTargetGroup", {"TargetGroups": [target_group("blue")]})

    aws.gateways.load_balancing.set_health_check_path("arn-blue", "/orders/healthy")

    assert aws.sent("elbv2.ModifyTargetGroup") == [{"TargetGroupArn": "arn-blue", "HealthCheckPath": "/orders/healthy"}]


def test_scaling_is_read_by_resource() -> None:
    aws = RecordedAws()
    found = {
        "ServiceNamespace": "ecs",
        "ResourceId": RESOURCE,
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 2,
        "MaxCapacity": 10,
        "RoleARN": "arn",
        "CreationTime": AT,
        "SuspendedState": {"DynamicScalingInSuspended": True},
    }
    aws.answers("application-autoscaling.DescribeScalableTargets", {"ScalableTargets": [found]})

    read = aws.gateways.scaling.targets([RESOURCE, "service/x/y"])

    assert list(read) == [RESOURCE]
    assert (read[RESOURCE].min_tasks, read[RESOURCE].max_tasks) == (2, 10)
    assert read[RESOURCE].suspended == Suspended(scale_in=True)


def test_suspending_keeps_the_bounds_and_setting_bounds_keeps_what_is_suspended() -> None:
    aws = RecordedAws()
    aws.answers("application-autoscaling.RegisterScalableTarget", {})
    what = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE, "ScalableDimension": "ecs:service:DesiredCount"}

    aws.gateways.scaling.suspend(RESOURCE, Suspended(scale_in=True, scale_out=True, scheduled=True))
    aws.gateways.scaling.suspend(RESOURCE, Suspended())
    aws.gateways.scaling.set_bounds(RESOURCE, 4, 20)

    keys = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
    assert aws.sent("application-autoscaling.RegisterScalableTarget") == [
        {**what, "SuspendedState": dict.fromkeys(keys, True)},
        {**what, "SuspendedState": dict.fromkeys(keys, False)},
        {**what, "MinCapacity": 4, "MaxCapacity": 20},
    ]


def test_alarms_are_read_with_composite_ones() -> None:
    aws = RecordedAws()
    metric = {"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "5 > 1", "StateUpdatedTimestamp": AT}
    aws.answers(
        "cloudwatch.DescribeAlarms",
        {"MetricAlarms": [metric], "CompositeAlarms": [{"AlarmName": "all", "StateValue": "OK"}]},
    )

    found = aws.gateways.alarms.alarms(["errors", "all", "unknown"])

    assert {name: alarm.state for name, alarm in found.items()} == {"errors": "ALARM", "all": "OK"}
    assert (found["errors"].reason, found["errors"].updated_at) == ("5 > 1", AT)
    assert aws.requests[0][1]["AlarmTypes"] == ["MetricAlarm", "CompositeAlarm"]


def milliseconds(seconds: float) -> int:
    return int((AT + timedelta(seconds=seconds)).timestamp() * 1000)


def event(seconds: float, text: str, stream: str = "app/1", id: str = "") -> dict[str, Any]:
    return {"timestamp": milliseconds(seconds), "message": text, "logStreamName": stream, "eventId": id or text}


def test_the_last_lines_of_streams_come_from_their_ends_in_order_of_time() -> None:
    aws = RecordedAws()

    def kept(*events: dict[str, Any]) -> dict[str, Any]:
        return {"events": [{"timestamp": each["timestamp"], "message": each["message"]} for each in events]}

    aws.answers("logs.GetLogEvents", kept(event(1, "a\n"), event(4, "d")), kept(event(2, "b"), event(3, "c")))

    lines = aws.gateways.logs.lines("/platform/x", streams=["app/1", "app/2"], since=AT, most=3)

    assert [(line.text, line.stream) for line in lines] == [("b", "app/2"), ("c", "app/2"), ("d", "app/1")]
    assert aws.requests[0][1] == {
        "logGroupName": "/platform/x",
        "logStreamName": "app/1",
        "startFromHead": False,
        "limit": 3,
        "startTime": milliseconds(0),
    }


def test_the_last_lines_of_a_group_are_found_behind_empty_pages() -> None:
    aws = RecordedAws()
    aws.answers(
        "logs.FilterLogEvents",
        {"events": [event(1, "a"), event(2, "b")], "nextToken": "1"},
        {"events": [], "nextToken": "2"},
        {"events": [event(3, "c")]},
    )

    lines = aws.gateways.logs.lines(
        "/platform/x", stream_prefix="app/", since=AT, until=AT + timedelta(seconds=9), most=2
    )

    assert lines == (
        LogLine(at=AT + timedelta(seconds=2), stream="app/1", text="b"),
        LogLine(at=AT + timedelta(seconds=3), stream="app/1", text="c"),
    )
    sent = aws.requests[0][1]
    assert (sent["logStreamNamePrefix"], sent["endTime"]) == ("app/", milliseconds(9))


def test_no_group_and_no_stream_have_no_lines() -> None:
    aws = RecordedAws()
    aws.answers("logs.FilterLogEvents", Refusal(code="ResourceNotFoundException"))
    aws.answers("logs.GetLogEvents", Refusal(code="ResourceNotFoundException"))

    assert aws.gateways.logs.lines("/none", since=AT, most=5) == ()
    assert aws.gateways.logs.lines("/none", streams=["a"], since=AT, most=5) == ()


def test_only_groups_of_the_very_name_exist() -> None:
    aws = RecordedAws()
    aws.answers("logs.DescribeLogGroups", {"logGroups": [{"logGroupName": "/a/sidecars"}]}, {"logGroups": []})
    aws.answers("logs.DescribeLogGroups", {"logGroups": [{"logGroupName": "/b"}, {"logGroupName": "/b/c"}]})

    assert aws.gateways.logs.groups(["/a", "/x", "/b"]) == {"/b"}


class CountedClock:
    """Only counts how often it was waited."""

    def __init__(self) -> None:
        self.waits = 0

    def now(self) -> datetime:
        return AT

    def sleep(self, seconds: float) -> None:
        self.waits += 1


def test_a_followed_log_yields_each_line_once_also_a_late_one() -> None:
    aws, clock = RecordedAws(), CountedClock()
    aws.answers(
        "logs.FilterLogEvents",
        {"events": [event(100, "a"), event(101, "b")]},
        {"events": [event(95, "late"), event(100, "a"), event(101, "b"), event(140, "c")]},
        {"events": [event(140, "c"), event(141, "d")]},
    )

    lines: Iterator[LogLine] = aws.gateways.logs.follow("/platform/x", since=AT, clock=clock)

    assert [line.text for line in islice(lines, 5)] == ["a", "b", "late", "c", "d"]
    assert clock.waits == 2
    starts = [each["startTime"] for each in aws.sent("logs.FilterLogEvents")]
    assert starts == [milliseconds(0), milliseconds(101 - 30), milliseconds(140 - 30)]


@pytest.mark.parametrize(("answer", "there"), [({}, True), (Refusal(code="ResourceNotFoundException"), False)])
def test_a_function_is_there_or_not(answer: Any, there: bool) -> None:
    aws = RecordedAws()
    aws.answers("lambda.GetFunction", answer)

    assert aws.gateways.lambdas.exists("platform-production-smoke-test") is there
