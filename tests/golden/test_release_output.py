"""What a pipeline's log, a terminal and the history say of releases that end well and badly, for every service.

The releases run against the simulated account. Lines that repeat while something waits are cut.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Final

import pytest

from aws_simulator import Behaviour
from aws_simulator.codedeploy.deployments import CodeDeploy
from platform_sdk.cli.operate import entries_of
from platform_sdk.deploy.output.release import LineRenderer, view
from platform_sdk.deploy.release.events import ReleaseEvent, Shifting
from platform_sdk.deploy.release.history import as_table
from platform_sdk.deploy.release.outcome import Outcome, ReleaseOptions
from platform_sdk.deploy.render.names import service_name
from tests.support.goldens import agree, masked_text, no_stale_goldens
from tests.support.releases import World, everything, world

SERVICES: Final = ("orders", "users")
SMOKE_TEST = "platform-production-smoke-test"

Play = Callable[[World, Callable[[ReleaseEvent], None]], Outcome]


def image_that(behaviour: Behaviour) -> Play:
    return lambda world, emit: world.deploy("v2", behaviour, on_event=emit)


def hook_refuses(world: World, emit: Callable[[ReleaseEvent], None]) -> Outcome:
    world.simulator.set_hook(SMOKE_TEST, "Failed")
    return world.deploy("v2", on_event=emit)


def stopped_by_hand(world: World, emit: Callable[[ReleaseEvent], None]) -> Outcome:
    def person(event: ReleaseEvent) -> None:
        emit(event)
        if isinstance(event, Shifting) and event.target and event.deployment.status == "InProgress":
            new = event.target.task_set("Green")
            if new is not None and new.traffic_percent == 10:
                world.simulator.codedeploy.stop_manually(event.deployment.id, roll_back=True)

    return world.deploy("v2", on_event=person)


def rolled_back_days_later(world: World, emit: Callable[[ReleaseEvent], None]) -> Outcome:
    return world.roll_back(on_event=emit)


def alarm_before(world: World, emit: Callable[[ReleaseEvent], None]) -> Outcome:
    world.simulator.cloudwatch.set_alarm(f"{service_name(world.spec, world.environment)}-error-rate", "ALARM")
    return world.deploy("v2", on_event=emit)


def rollback_fails(world: World, emit: Callable[[ReleaseEvent], None]) -> Outcome:
    world.simulator.service(CodeDeploy).engine.rollbacks_fail = True
    return world.deploy("v2", Behaviour(kind="answers_500"), on_event=emit)


def only_until_traffic(world: World, emit: Callable[[ReleaseEvent], None]) -> Outcome:
    return world.deploy("v2", options=ReleaseOptions(until="traffic"), on_event=emit)


def same_again(world: World, emit: Callable[[ReleaseEvent], None]) -> Outcome:
    world.deploy("v2", options=ReleaseOptions(until="traffic"))
    world.simulator.clock.sleep(3600)
    return world.deploy("v2", on_event=emit)


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


REPEATED: Final = re.compile(r"^ *[\d:]+  (?P<what>.*?),(?: at most)? [\d:]+ left$")
"""A line that says the same again while something waits; only the clock and what is left of the wait differ."""

INVENTORY: Final = "releases/inventory-differences.txt"
OTHERS: Final = ("releases/terminal.txt", "releases/history.txt", INVENTORY)


@cache
def transcript(service: str, name: str) -> tuple[str, ...]:
    lines: list[str] = []
    here = world(service)
    renderer = LineRenderer(lines.append, here.simulator.now)

    outcome = PLAYS[name](here, renderer.render)

    return (*without_repetition(lines), f"exit {outcome.exit_code}")


def without_repetition(lines: list[str]) -> Iterator[str]:
    """Keep the first and the last of lines that repeat, and say how many are cut."""
    for what, group in groupby(lines, lambda line: (found := REPEATED.match(line)) and found["what"]):
        same = [line.rstrip() for line in group]
        if what is None or len(same) < 4:
            yield from same
        else:
            yield from (same[0], f"         … {len(same) - 2} lines like these", same[-1])


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", PLAYS)
def test_release_output_is_as_reviewed(name: str, service: str) -> None:
    agree(f"releases/{service}-{name}.txt", joined(transcript(service, name)))


def test_releases_of_inventory_differ_from_those_of_orders_as_reviewed() -> None:
    """It shifts traffic as orders does and has a worker too."""
    environment, specs = everything("production")
    lines: list[str] = []
    for name in PLAYS:
        orders, inventory = (
            masked_text(joined(transcript(service, name)), specs[service], environment)
            for service in ("orders", "inventory")
        )
        found = list(difflib.unified_diff(orders.splitlines(), inventory.splitlines(), lineterm="", n=0))
        lines += [f"== {name}", *found[2:]]
    agree(INVENTORY, joined(lines))


def test_no_transcript_is_stale() -> None:
    no_stale_goldens(
        "releases", [*OTHERS, *(f"releases/{service}-{name}.txt" for service in SERVICES for name in PLAYS)]
    )


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

    agree("releases/terminal.txt", joined(line for frame in frames for line in (*frame.splitlines(), "")))


def test_the_history_shows_who_released_what_and_how_it_ended() -> None:
    here = world("orders")
    here.deploy("v2")
    here.deploy("v3", Behaviour(kind="crashes"))
    here.roll_back()

    entries = entries_of(here.spec, here.environment, here.aws, 10, here.simulator.now())

    agree("releases/history.txt", joined(as_table(entries).splitlines()))
    assert [entry.version for entry in entries if entry.is_live][:1] == [here.version_serving()]


def joined(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip() for line in lines) + "\n"
