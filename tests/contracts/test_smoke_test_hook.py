"""The platform's lifecycle event hook: its input and its result."""

import json
from collections.abc import Iterator

import pytest

from deploy.hooks.smoke_test import DEADLINE_SECONDS, PAUSE_SECONDS, READY_IN_A_ROW, status_of, stays_ready
from local_aws.processes import free_port
from tests.support.cloudformation import ENVIRONMENTS, resources, stacks


class Clock:
    """Moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def verdict(answers: Iterator[int], clock: Clock) -> bool:
    return stays_ready(lambda: next(answers), sleep=clock.sleep, clock=clock)


def test_tasks_that_answer_are_let_through_as_soon_as_they_have_answered_in_a_row() -> None:
    clock = Clock()
    assert verdict(iter([200] * READY_IN_A_ROW), clock)
    assert clock.now == PAUSE_SECONDS * (READY_IN_A_ROW - 1)


def test_tasks_that_are_slow_to_begin_are_waited_for() -> None:
    assert verdict(iter([0, 503, 503, *[200] * READY_IN_A_ROW]), Clock())


@pytest.mark.parametrize("answers", [[500], [404], [0], [200, 200, 200, 200, 500]], ids=str)
def test_tasks_that_do_not_stay_ready_are_refused_at_the_deadline(answers: list[int]) -> None:
    clock = Clock()
    assert not verdict(iter(answers * 100), clock)
    assert clock.now >= DEADLINE_SECONDS


def test_a_listener_that_does_not_answer_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.hooks.smoke_test.TEST_PORT", free_port())
    monkeypatch.setenv("DOMAIN", "127.0.0.1")
    assert status_of("/orders/readyz") == 0


def test_the_function_has_the_name_that_releases_call_and_asks_each_service_below_its_own_path() -> None:
    (function,) = [resource for resource in resources() if resource.name == "SmokeTest"]
    assert function.properties["FunctionName"]["Fn::Sub"] == "platform-${Environment}-smoke-test"
    for name in ENVIRONMENTS:
        (stack,) = [stack for stack in stacks(name) if stack.template.stem == "hooks"]
        paths = json.loads(stack.parameters["ReadinessPaths"])
        assert paths == {f"{name}-{service}": f"/{service}/readyz" for service in ("inventory", "orders", "users")}


def test_the_function_outlives_its_own_deadline() -> None:
    (function,) = [resource for resource in resources() if resource.name == "SmokeTest"]
    assert function.properties["Timeout"] > DEADLINE_SECONDS + 5 + PAUSE_SECONDS
