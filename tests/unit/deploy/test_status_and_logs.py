"""`platform status` and `platform logs` on AWS, asked of a region in memory: what is not as it should be is said."""

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aws_simulator import AwsSimulator, Behaviour, SteppedClock
from aws_simulator.account_setup import build_account
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.release.events import ReleaseEvent, Shifting
from platform_sdk.deploy.release.outcome import ReleaseOptions
from platform_sdk.deploy.state import Suspended
from tests.support.releases import START, World, everything, world
from tests.support.repository import FIXTURES


def ask(simulator: AwsSimulator, *arguments: str) -> Result:
    def connect(environment: Any) -> Aws:
        return Aws(simulator.client, account_id=environment.account_id, region=environment.region)

    return CliRunner().invoke(platform, [*arguments], obj=Outside(connect=connect, clock=simulator.clock))


def status(of: World) -> tuple[int, list[str]]:
    """The exit code, and the lines that somebody should look at."""
    found = ask(of.simulator, "status", of.spec.name, "--env", of.environment.name)
    return found.exit_code, [line for line in found.stdout.splitlines() if line.endswith("<--")]


def at_ten_percent(act: Callable[[str], object]) -> Callable[[ReleaseEvent], None]:
    def act_on(event: ReleaseEvent) -> None:
        new = event.target.task_set("Green") if isinstance(event, Shifting) and event.target else None
        if (
            isinstance(event, Shifting)
            and event.deployment.status == "InProgress"
            and new
            and new.traffic_percent == 10
        ):
            act(event.deployment.id)

    return act_on


@pytest.fixture
def orders() -> World:
    return world("orders")


def test_a_service_whose_release_is_over_is_well(orders: World) -> None:
    orders.deploy("v2")
    assert status(orders) == (0, [])


def test_status_shows_version_and_tasks_of_the_set_that_serves_while_both_sets_run(orders: World) -> None:
    orders.deploy("v2", options=ReleaseOptions(until="traffic"))
    said = ask(orders.simulator, "status", "orders", "--env", "production").stdout
    assert "api       2 of 2 tasks running, production-orders:3, version v2" in said
    assert "100 % to production-orders-green" in said
    assert "release   d-" in said


def test_a_release_that_shifts_traffic_is_nothing_to_look_at(orders: World) -> None:
    seen: list[tuple[int, list[str]]] = []
    orders.deploy("v2", on_event=at_ten_percent(lambda _id: seen.append(status(orders))))
    assert seen[0] == (0, [])


def test_users_that_two_versions_share_although_nothing_shifts_are_to_be_looked_at(orders: World) -> None:
    orders.deploy(
        "v2", on_event=at_ten_percent(lambda id: orders.simulator.codedeploy.stop_manually(id, roll_back=False))
    )
    code, lines = status(orders)
    assert code == 1
    assert [line.split()[:3] for line in lines] == [["traffic", "90", "%"], ["traffic", "10", "%"]]


def test_a_worker_on_the_version_that_the_api_was_rolled_back_from_needs_attention(orders: World) -> None:
    detached = orders.deploy("v2", Behaviour(kind="answers_500"), options=ReleaseOptions(detach=True))
    orders.simulator.clock.sleep(1800)
    assert status(orders) == (1, ["  version   the API runs v1, the worker runs v2   <--"])
    orders.wait(detached.deployment_id)
    assert status(orders) == (0, [])


def test_scaling_that_nobody_restored_and_an_alarm_are_to_be_looked_at(orders: World) -> None:
    orders.aws.scaling.suspend(orders.scaling().resource, Suspended(scale_in=True, scale_out=True, scheduled=True))
    orders.simulator.cloudwatch.set_alarm("production-orders-error-rate", "ALARM")
    code, lines = status(orders)
    assert code == 1
    assert [line.split()[0] for line in lines] == ["scaling", "alarm"]


def test_a_placeholder_is_no_version_that_serves() -> None:
    environment, specs = everything("production")
    simulator = AwsSimulator(clock=SteppedClock(START), account_id=environment.account_id, region=environment.region)
    build_account(simulator, FIXTURES, environment, [specs["orders"]])
    found = ask(simulator, "status", "orders", "--env", "production")
    assert found.exit_code == 1
    assert "not released yet: a placeholder answers 503   <--" in found.stdout
    assert "not released yet: a placeholder does nothing   <--" in found.stdout


def test_a_service_without_a_stack_names_the_command_that_creates_it(orders: World) -> None:
    found = ask(orders.simulator, "status", "users", "--env", "production", "--json")
    (users,) = json.loads(found.stdout)
    assert found.exit_code == 1
    assert users["lines"][0]["text"] == "does not exist; `platform apply users --env production` creates it"


def lines_of(found: Result) -> Iterable[str]:
    return [line.split(" | ")[1] for line in found.stdout.splitlines()]


def test_the_last_lines_of_a_service_are_shown_oldest_first(orders: World) -> None:
    orders.deploy("v2", Behaviour(log_lines=("starting", "ready")), options=ReleaseOptions(detach=True))
    found = ask(orders.simulator, "logs", "orders", "--env", "production", "--role", "worker", "-n", "2")
    assert found.exit_code == 0
    assert lines_of(found) == ["starting", "ready"]


def test_a_log_without_lines_says_so(orders: World) -> None:
    found = ask(orders.simulator, "logs", "users", "--env", "production", "--since", "2h")
    assert (found.exit_code, found.stdout) == (0, "")
    since = orders.simulator.clock.now() - timedelta(hours=2)
    assert found.stderr == f"nothing was written to /platform/production/users since {since:%Y-%m-%d %H:%M} UTC\n"
