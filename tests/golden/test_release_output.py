"""What a pipeline's log, a terminal and the history say of releases that end well and badly, for every service.

The releases run against the simulated account. After a change that is meant, write the files anew and review the
difference:

    UPDATE_GOLDENS=1 .venv/bin/pytest tests/golden && git diff tests/golden
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from aws_simulator import Behaviour
from aws_simulator.codedeploy.deployments import CodeDeploy
from platform_sdk.cli.operate import entries_of
from platform_sdk.deploy.output.release import LineRenderer, view
from platform_sdk.deploy.release.events import ReleaseEvent, Shifting
from platform_sdk.deploy.release.history import as_table
from platform_sdk.deploy.release.options import Order
from platform_sdk.deploy.release.outcome import Outcome
from platform_sdk.deploy.render.names import service_name
from tests.support.releases import World, world

GOLDENS = Path(__file__).parent / "releases"
SERVICES = ("orders", "users", "inventory")
SMOKE_TEST = "platform-production-smoke-test"

Play = Callable[[World, Callable[[ReleaseEvent], None]], Outcome]


def image_that(behaviour: Behaviour) -> Play:
    return lambda world, tell: world.deploy("v2", behaviour, on_event=tell)


def hook_refuses(world: World, tell: Callable[[ReleaseEvent], None]) -> Outcome:
    world.simulator.set_hook(SMOKE_TEST, "Failed")
    return world.deploy("v2", on_event=tell)


def stopped_by_hand(world: World, tell: Callable[[ReleaseEvent], None]) -> Outcome:
    def person(event: ReleaseEvent) -> None:
        tell(event)
        if isinstance(event, Shifting) and event.target and event.deployment.status == "InProgress":
            new = event.target.task_set("Green")
            if new is not None and new.traffic_percent == 10:
                world.simulator.stop_by_hand(event.deployment.id, roll_back=True)

    return world.deploy("v2", on_event=person)


def rolled_back_days_later(world: World, tell: Callable[[ReleaseEvent], None]) -> Outcome:
    return world.roll_back(on_event=tell)


def alarm_before(world: World, tell: Callable[[ReleaseEvent], None]) -> Outcome:
    world.simulator.set_alarm(f"{service_name(world.spec, world.environment)}-error-rate", "ALARM")
    return world.deploy("v2", on_event=tell)


def rollback_fails(world: World, tell: Callable[[ReleaseEvent], None]) -> Outcome:
    world.simulator.service(CodeDeploy).rollbacks_fail = True
    return world.deploy("v2", Behaviour(kind="answers_500"), on_event=tell)


def only_until_traffic(world: World, tell: Callable[[ReleaseEvent], None]) -> Outcome:
    return world.deploy("v2", order=Order(until="traffic"), on_event=tell)


def same_again(world: World, tell: Callable[[ReleaseEvent], None]) -> Outcome:
    world.deploy("v2", order=Order(until="traffic"))
    world.simulator.clock.sleep(3600)
    return world.deploy("v2", on_event=tell)


BOOM = ("starting", "Traceback (most recent call last):", "ValueError: boom")

PLAYS: Mapping[str, Play] = {
    "good": image_that(Behaviour(log_lines=("ready",))),
    "until-traffic": only_until_traffic,
    "nothing-to-do": same_again,
    "crashes-at-start": image_that(Behaviour(kind="crashes", log_lines=BOOM)),
    "out-of-memory": image_that(Behaviour(kind="out_of_memory")),
    "never-healthy": image_that(Behaviour(kind="never_healthy")),
    "answers-500": image_that(Behaviour(kind="answers_500", log_lines=("ready", "ValueError: boom"))),
    "slow": image_that(Behaviour(kind="slow")),
    "migration-fails": image_that(Behaviour(migration_exit_code=1, migration_log_lines=("ValueError: no column",))),
    "hook-refuses": hook_refuses,
    "stopped-by-hand": stopped_by_hand,
    "alarm-before": alarm_before,
    "rollback": rolled_back_days_later,
    "rollback-fails": rollback_fails,
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", PLAYS)
def test_a_release_is_told_as_reviewed(name: str, service: str) -> None:
    lines: list[str] = []
    here = world(service)
    renderer = LineRenderer(lines.append, here.simulator.now)

    outcome = PLAYS[name](here, renderer.render)

    lines.append(f"exit {outcome.exit_code}")
    agree(f"{service}-{name}.txt", lines)


def test_a_terminal_shows_what_moves() -> None:
    here = world("orders")
    frames: list[str] = []

    def look(event: ReleaseEvent) -> None:
        shown = "\n".join(view(event))
        if shown and isinstance(event, Shifting):
            # Only the clock moves from one poll to the next.
            event = replace(event, at=event.started_at)
            still = "\n".join(view(event))
            if still not in frames:
                frames.append(still)

    here.deploy("v2", Behaviour(kind="answers_500"), on_event=look)

    agree("terminal.txt", [line for frame in frames for line in (*frame.splitlines(), "")])


def test_the_history_tells_who_released_what_and_how_it_ended() -> None:
    here = world("orders")
    here.deploy("v2")
    here.deploy("v3", Behaviour(kind="crashes"))
    here.roll_back()

    entries = entries_of(here.spec, here.environment, here.aws, 10)

    agree("history.txt", as_table(entries).splitlines())
    assert [entry.version for entry in entries if entry.is_live][:1] == [here.version_serving()]


def agree(name: str, lines: list[str]) -> None:
    golden, text = GOLDENS / name, "\n".join(line.rstrip() for line in lines) + "\n"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
