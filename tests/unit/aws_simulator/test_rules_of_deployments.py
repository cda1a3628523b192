"""The pure rules: numbers and moments in, decisions out."""

from datetime import timedelta
from typing import Any

import pytest

from aws_simulator.codedeploy.state import Configuration, InvalidAppSpec, parse
from aws_simulator.ecs.state import TaskDefinition, TaskSet
from aws_simulator.ecs.task_life import breaker_threshold, pause, rolling_shares
from tests.unit.aws_simulator.conftest import APPSPEC, NAME, START, Stage


def configuration(**values: Any) -> Configuration:
    return Configuration(name="x", id="x", created_at=START, **values)


@pytest.mark.parametrize(
    ("shape", "seconds", "percent"),
    [
        ({"type": "AllAtOnce"}, 0, 100),
        ({"type": "TimeBasedCanary", "percent": 10, "interval_minutes": 5}, 0, 10),
        ({"type": "TimeBasedCanary", "percent": 10, "interval_minutes": 5}, 299, 10),
        ({"type": "TimeBasedCanary", "percent": 10, "interval_minutes": 5}, 300, 100),
        ({"type": "TimeBasedLinear", "percent": 30, "interval_minutes": 1}, 59, 30),
        ({"type": "TimeBasedLinear", "percent": 30, "interval_minutes": 1}, 120, 90),
        ({"type": "TimeBasedLinear", "percent": 30, "interval_minutes": 1}, 180, 100),
    ],
)
def test_how_much_traffic_has_shifted_after_a_while(shape: dict[str, Any], seconds: int, percent: int) -> None:
    assert configuration(**shape).percent_after(seconds) == percent


def test_the_next_shift_is_at_the_end_of_the_interval() -> None:
    canary = configuration(type="TimeBasedCanary", percent=10, interval_minutes=5)
    assert [canary.next_shift_after(seconds) for seconds in (0, 299, 300)] == [300, 300, 600]


@pytest.mark.parametrize(
    ("desired", "limits", "counts", "shares"),
    [
        (4, {}, {"new_live": 0, "new_healthy": 0, "old_live": 4}, (4, 4)),
        (4, {}, {"new_live": 4, "new_healthy": 3, "old_live": 4}, (4, 1)),
        (4, {}, {"new_live": 4, "new_healthy": 4, "old_live": 1}, (4, 0)),
        (4, {"maximumPercent": 150}, {"new_live": 0, "new_healthy": 0, "old_live": 4}, (2, 4)),
        (
            4,
            {"maximumPercent": 100, "minimumHealthyPercent": 50},
            {"new_live": 0, "new_healthy": 0, "old_live": 4},
            (0, 2),
        ),
        (0, {}, {"new_live": 0, "new_healthy": 0, "old_live": 2}, (0, 0)),
    ],
)
def test_a_rolling_deployment_keeps_between_its_percents(
    desired: int, limits: dict[str, int], counts: dict[str, int], shares: tuple[int, int]
) -> None:
    assert rolling_shares(desired, limits, **counts) == shares


@pytest.mark.parametrize(
    ("desired", "threshold", "expected"),
    [
        (1, None, 3),
        (10, None, 5),
        (1000, None, 200),
        (1, {"type": "COUNT", "value": 7}, 7),
        (10, {"type": "UNBOUNDED_PERCENT", "value": 10}, 1),
    ],
)
def test_the_circuit_breaker_trips_at_half_of_the_desired_count_within_bounds(
    desired: int, threshold: dict[str, Any] | None, expected: int
) -> None:
    breaker: dict[str, Any] = {"enable": True, "rollback": True}
    breaker |= {"thresholdConfiguration": threshold} if threshold else {}
    assert breaker_threshold(desired, {"deploymentCircuitBreaker": breaker}) == expected


def test_failing_tasks_are_started_ever_more_slowly(stage: Stage) -> None:
    definition: TaskDefinition = stage.simulator.ecs.definition(f"{NAME}:1")
    one = TaskSet(
        id="x",
        definition=definition,
        status="PRIMARY",
        created_at=START,
        updated_at=START,
        load_balancers=[],
        network={},
        platform_version="1.4.0",
        desired_count=1,
    )
    pauses = []
    for one.failed_tasks in (0, 1, 2, 20):
        pauses.append(pause(one))
    assert pauses == [timedelta(seconds=seconds) for seconds in (10, 20, 40, 300)]


def test_an_appspec_is_read_whatever_the_case_of_its_names() -> None:
    text = APPSPEC.format(revision="arn:aws:ecs:x:1:task-definition/a:1", hooks=[{"AfterInstall": "check"}])
    found = parse(text.replace("TargetService", "targetService").replace("Hooks", "hooks"))
    assert (found.container_name, found.container_port) == ("app", 8080)
    assert found.hooks == {"AfterInstall": "check"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be parsed"),
        ("version: 1.0", "unsupported version"),
        ("version: 0.0\nResources: []", "missing required content"),
        (APPSPEC.format(revision="x", hooks=[{"BeforeBreakfast": "f"}]), "unknown lifecycle event hook"),
        (APPSPEC.format(revision="x", hooks=[{"AfterInstall": "f"}, {"AfterInstall": "g"}]), "AfterInstall twice"),
    ],
)
def test_an_appspec_that_codedeploy_refuses(content: str, message: str) -> None:
    with pytest.raises(InvalidAppSpec, match=message):
        parse(content)
