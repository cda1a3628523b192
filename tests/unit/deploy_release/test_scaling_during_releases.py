"""More users come while a version is released: what scales, and when."""

from typing import Any

import pytest

from platform_sdk.deploy.release.events import DeploymentCreated, ReleaseEvent, ScalingSuspended, TrafficShifted
from platform_sdk.deploy.release.outcome import ReleaseOptions
from tests.support.releases import Process, World, world

RESOURCE = "service/platform-production/production-orders"


def load(case: World, tasks: float) -> None:
    """Let the API carry as much as so many tasks should, by every metric that it scales by."""
    target = case.simulator.autoscaling.targets["ecs", RESOURCE, "ecs:service:DesiredCount"]
    loads = {name: tasks * policy.target for name, policy in target.tracking.items()}
    case.simulator.conditions.loads[RESOURCE] = loads


def tasks(case: World) -> int:
    return case.simulator.ecs.ecs_service("platform-production", "production-orders").desired_count


def test_more_users_add_tasks() -> None:
    case = world()
    load(case, 3.5)
    case.simulator.clock.sleep(300)
    assert tasks(case) == 4


def test_scaling_waits_until_all_traffic_has_shifted_and_catches_up() -> None:
    case, seen = world(), dict[str, int]()

    def listen(event: ReleaseEvent) -> None:
        match event:
            case DeploymentCreated():
                load(case, 4)
            case TrafficShifted():
                seen["shifted"] = tasks(case)

    assert case.deploy("v2", on_event=listen).exit_code == 0
    assert seen == {"shifted": 2}
    case.simulator.clock.sleep(300)
    assert tasks(case) == 4


def test_a_release_that_does_not_suspend_scaling_is_scaled_on_both_sides() -> None:
    case = world()
    assert case.deploy("v2", options=ReleaseOptions(detach=True)).exit_code == 0
    load(case, 6)
    case.simulator.clock.sleep(400)
    service = case.simulator.ecs.ecs_service("platform-production", "production-orders")
    assert [one.desired_count for one in service.sets if one.status != "DRAINING"] == [6, 6]
    case.simulator.clock.sleep(3600)
    assert (case.version_serving(), tasks(case)) == ("v2", 6)


@pytest.mark.parametrize("next_command", ["deploy", "roll_back", "restart"])
def test_scaling_that_a_killed_release_left_suspended_adds_no_tasks_until_the_next_command(next_command: str) -> None:
    case = world()
    with Process(case.simulator, writes=100) as process:
        case.deploy("v2", on_event=killed_when_scaling_is_suspended(process), client_of=process.client_of)
    load(case, 4)
    case.simulator.clock.sleep(3600)
    assert tasks(case) == 2
    arguments: tuple[Any, ...] = ("v3",) if next_command == "deploy" else ()
    assert getattr(case, next_command)(*arguments).exit_code == 0
    case.simulator.clock.sleep(300)
    assert tasks(case) == 4


def killed_when_scaling_is_suspended(process: Process) -> Any:
    def listen(event: ReleaseEvent) -> None:
        if isinstance(event, ScalingSuspended):
            process.writes = 0

    return listen
