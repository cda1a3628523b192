"""Bad versions of every service roll back, with the right exit code and a named reason.

How each one ended is in tests/faults/releases/bad-versions.txt. After a change that is meant, write it anew and review
the difference:

    UPDATE_GOLDENS=1 .venv/bin/pytest tests/faults/test_bad_versions.py && git diff tests/faults/releases
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from aws_simulator import Behaviour
from aws_simulator.world import NO_CAPACITY, Verdict
from platform_sdk.deploy.release.events import ReleaseEvent, RollingBack, StageEnded
from platform_sdk.deploy.release.outcome import Outcome
from tests.support.releases import World, world

GOLDEN = Path(__file__).parent / "releases" / "bad-versions.txt"
SERVICES: Final = ("orders", "users", "inventory")
HOOK: Final = "platform-production-smoke-test"

BAD: Final = {
    "answers 500": Behaviour(kind="answers_500"),
    "answers slowly": Behaviour(kind="slow"),
    "crashes at start": Behaviour(kind="crashes", log_lines=("KeyError: 'DATABASE_URL'",)),
    "takes all memory": Behaviour(kind="out_of_memory"),
    "is never healthy": Behaviour(kind="never_healthy"),
    "fails to migrate": Behaviour(migration_exit_code=3, migration_log_lines=("relation is locked",)),
    "misses a secret": Behaviour(kind="no_secret"),
}
HOOKS: Final[dict[str, Verdict]] = {"fails the hook": "Failed", "hook gives no verdict": "silent"}
WITHOUT_PLACE: Final = ("finds no capacity", "finds no address", "cannot migrate")
"""A good version, for whose tasks AWS has no place."""

CAUSES: Final = {
    "answers 500": "error-rate",
    "answers slowly": "latency-p99",
    "crashes at start": "KeyError: 'DATABASE_URL'",
    "takes all memory": "out of memory (exit 137)",
    "is never healthy": "never became healthy",
    "fails to migrate": "exit code 3",
    "misses a secret": "secret",
    "fails the hook": HOOK,
    "hook gives no verdict": HOOK,
    "finds no capacity": "Fargate had no capacity",
    "finds no address": "no free address",
    "cannot migrate": "the migration did not start: Fargate had no capacity",
}


@pytest.fixture(scope="module")
def endings() -> Iterator[dict[tuple[str, str], str]]:
    """Service and what is bad, to how it ended; compared or written when all have."""
    rows: dict[tuple[str, str], str] = {}
    yield rows
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text("".join(f"{row}\n" for row in rows.values()), encoding="utf-8")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("what", CAUSES)
def test_a_bad_version_is_rolled_back_and_its_cause_named(
    service: str, what: str, endings: dict[tuple[str, str], str]
) -> None:
    case = world(service)
    if what in HOOKS:
        case.simulator.set_hook(HOOK, HOOKS[what])
    outcome = case.deploy("v2", BAD.get(what), on_event=lambda event: take_place(case, what, event))
    assert outcome.exit_code == 12, outcome.what
    assert outcome.explanation is not None
    assert CAUSES[what] in outcome.explanation.cause
    assert case.version_serving() == "v1"
    assert case.worker_version() == ("" if case.spec.worker is None else "v1")
    assert not case.scaling().suspended.any
    assert case.lock_is_free()
    row = endings[service, what] = ending(service, what, outcome)
    if not os.environ.get("UPDATE_GOLDENS"):
        assert row in GOLDEN.read_text(encoding="utf-8").splitlines(), "UPDATE_GOLDENS=1 writes it anew"


def take_place(case: World, what: str, event: ReleaseEvent) -> None:
    """Take away capacity or addresses: before the migration, or after it."""
    begins = isinstance(event, StageEnded) and event.stage.name == (
        "register" if what == "cannot migrate" else "migrate"
    )
    if begins and what in WITHOUT_PLACE:
        case.simulator.conditions.subnets_are_full = what == "finds no address"
        case.simulator.conditions.placement_failure = "" if what == "finds no address" else NO_CAPACITY


def ending(service: str, what: str, outcome: Outcome) -> str:
    stages = ", ".join(f"{stage.name} {stage.status} {stage.seconds:.0f} s" for stage in outcome.stages)
    return f"{service:<9}  {what:<21}  exit {outcome.exit_code}  {stages}"


def test_the_same_failure_of_three_new_tasks_ends_a_release_within_minutes() -> None:
    case = world("users")
    outcome = case.deploy("v2", BAD["crashes at start"])
    assert outcome.duration_seconds < 10 * 60
    assert next(event.because for event in case.events(RollingBack)).startswith("the new tasks fail again and again")


def test_a_bad_version_is_distinguished_from_the_one_before_it() -> None:
    """The second release finds the failed revision registered, and a worker that is back."""
    case = world()
    assert case.deploy("v2", BAD["crashes at start"]).exit_code == 12
    good = case.deploy("v3")
    assert (good.exit_code, case.version_serving(), case.worker_version()) == (0, "v3", "v3")
