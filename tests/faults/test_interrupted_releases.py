"""Everything that may come between a release and its end, run on the simulated account.

Each case has its row in tests/faults/releases: what the release ended with (its exit code), which version then served,
and how the same command ended when it was given again. After a change that is meant, write the tables anew and review
the difference:

    UPDATE_GOLDENS=1 .venv/bin/pytest tests/faults/test_interrupted_releases.py && git diff tests/faults/releases
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from aws_simulator import Behaviour
from platform_sdk.deploy.aws import AwsCallFailed
from platform_sdk.deploy.release.context import Interrupts
from platform_sdk.deploy.release.events import (
    Checked,
    DeploymentCreated,
    Emit,
    Migrating,
    Registered,
    ReleaseEvent,
    ScalingSuspended,
    Shifting,
    StageEnded,
    Started,
    TrafficShifted,
    WorkerProgress,
)
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.outcome import IfBusy, OnInterrupt, Outcome, ReleaseOptions
from platform_sdk.deploy.state import RUNNING, Deployment
from tests.support.releases import ConcurrentReleases, Process, World, with_some_traffic, world

TABLES = Path(__file__).parent / "releases"
FOR_GOOD: Final = 1_000_000
HOWS: Final = {"throttled": 1, "timeout": 1, "server_error": 1, "answer_lost": 1, "denied": FOR_GOOD}
"""How a call fails, and how often: what is denied once is denied again."""

UNTOUCHED: Final = (1, 11, 12, 16)
"""Exit codes that say that the original version serves all users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """What was found afterwards. Versions are empty where none has all users."""

    exit_code: int
    api: str
    worker: str
    suspended: bool
    suspension_is_known: bool
    running: int
    created: int
    migrations: int

    @property
    def cell(self) -> str:
        state = "" if (self.api, self.worker) == ("v2", "v2") else f" {self.api or 'split'}/{self.worker}"
        return f"{self.exit_code}{state}{' suspended' if self.suspended else ''}"


def after(world: World, exit_code: int) -> After:
    name = f"{world.environment.name}-{world.spec.name}"
    lock = world.aws.locks.read(f"platform-{world.environment.name}-locks", f"release/{world.spec.name}")
    return After(
        exit_code=exit_code,
        api=world.version_serving(),
        worker=world.worker_version(),
        suspended=world.scaling().suspended.any,
        suspension_is_known=lock is not None and lock.scaling is not None,
        running=len(world.aws.codedeploy.deployments(name, name, statuses=RUNNING)),
        created=sum(1 for each in world.aws.codedeploy.deployments(name, name) if of_a_release(each)),
        migrations=len(
            {call.parameters["clientToken"] for call in world.simulator.calls if call.operation == "RunTask"}
        ),
    )


def of_a_release(deployment: Deployment) -> bool:
    described = parse_description(deployment.description)
    return described is not None and described.by == "ci"


def exit_code_of(release: Callable[[], Outcome]) -> int:
    """As the command line ends."""
    try:
        return release().exit_code
    except AwsCallFailed as error:
        return error.exit_code


def as_reviewed(name: str, lines: Iterator[str]) -> None:
    golden, text = TABLES / f"{name}.txt", "\n".join(lines) + "\n"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == text, "UPDATE_GOLDENS=1 writes it anew; review the difference"


def columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


# Each AWS call of a release, in turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    stage: str
    call: str
    how: str
    first: After
    again: After


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """In staging, where a release takes few polls."""
    return [
        simulated(name, service, operation, place, how)
        for (name, service, operation), place in calls_of(
            world("orders", "staging"), lambda case, on_event: case.deploy("v2", on_event=on_event)
        ).items()
        for how in HOWS
    ]


def calls_of(case: World, verb: Callable[[World, Emit], Outcome]) -> dict[tuple[str, str, str], int]:
    """The first of each kind in each part of a good one, with how many of the kind came before."""
    ends, begin = list[tuple[int, str]](), len(case.simulator.calls)

    def note_end(event: ReleaseEvent) -> None:
        match event:
            case Checked(check=check) if check.name == "scaling":
                ends.append((len(case.simulator.calls), "preflight"))
            case StageEnded(stage=ended):
                ends.append((len(case.simulator.calls), ended.name))

    assert verb(case, note_end).exit_code == 0
    ends.append((len(case.simulator.calls), "end"))
    found: dict[tuple[str, str, str], int] = {}
    seen = Counter[str]()
    for index, call in enumerate(case.simulator.calls[begin:], begin):
        part = next(name for end, name in ends if index < end)
        found.setdefault((part, call.service, call.operation), seen[f"{call.service} {call.operation}"])
        seen[f"{call.service} {call.operation}"] += 1
    return found


def simulated(name: str, service: str, operation: str, place: int, how: Any) -> Case:
    case = world("orders", "staging")
    case.simulator.fail(service, operation, how=how, times=HOWS[how], after=place)
    first = after_faults(case, exit_code_of(lambda: case.deploy("v2")))
    again = first if first.exit_code == 0 and not first.suspended else after(case, case.deploy("v2").exit_code)
    return Case(stage=name, call=f"{service}:{operation}", how=how, first=first, again=again)


def after_faults(world: World, exit_code: int) -> After:
    world.simulator.heal()
    return after(world, exit_code)


def test_each_call_may_fail_and_the_table_says_how_that_ended(cases: list[Case]) -> None:
    by_call: dict[tuple[str, str], dict[str, Case]] = {}
    for case in cases:
        by_call.setdefault((case.stage, case.call), {})[case.how] = case
    head = ("stage", "call", *HOWS)
    rows = [(*call, *(cell_of(by_how[how]) for how in HOWS)) for call, by_how in by_call.items()]
    as_reviewed("calls", columns([head, *rows]))


def cell_of(case: Case) -> str:
    return case.first.cell if case.again is case.first else f"{case.first.cell}, again {case.again.cell}"


def test_a_release_never_lies_about_what_serves(cases: list[Case]) -> None:
    for case in cases:
        serves = (case.first.api, case.first.worker)
        if case.first.exit_code == 0:
            assert serves == ("v2", "v2"), case
        if case.first.exit_code in UNTOUCHED:
            assert serves == ("v1", "v1"), case


def test_the_same_command_again_releases_the_version(cases: list[Case]) -> None:
    for case in cases:
        assert case.again.exit_code in (0, 10), case
        assert (case.again.api, case.again.worker) == ("v2", "v2"), case
        assert not case.again.suspended, case
        assert not case.again.running, case


def test_no_deployment_and_no_migration_is_started_twice(cases: list[Case]) -> None:
    for case in cases:
        assert case.again.created == 1, case
        assert case.again.migrations == 1, case


def test_scaling_that_cannot_be_restored_is_known_to_the_next_release(cases: list[Case]) -> None:
    suspended = [case for case in cases if case.first.suspended]
    assert suspended, "a role that may suspend scaling and not restore it leaves it suspended"
    assert all(case.first.suspension_is_known for case in suspended)


# The releasing process killed after each of its writes, and run again


@pytest.mark.parametrize(
    ("version", "environment", "behaviour"),
    [("good", "staging", Behaviour()), ("bad", "production", Behaviour(kind="answers_500"))],
    ids=["good", "bad"],
)
def test_a_release_may_be_killed_after_each_write_and_run_again(
    version: str, environment: str, behaviour: Behaviour
) -> None:
    rows: list[tuple[str, ...]] = [("killed after", "then", "run again")]
    for writes in range(1, 100):
        case = world("orders", environment)
        with Process(case.simulator, writes=writes) as process:
            case.deploy("v2", behaviour, client_of=process.client_of)
        if process.survived:
            break
        killed_after = f"{writes} {[call for call in case.simulator.calls if call.writes][-1].operation}"
        left = after(case, 0)
        again = after(case, case.deploy("v2", behaviour).exit_code)
        rows.append((killed_after, left.cell.removeprefix("0").strip() or "v2/v2", again.cell))
        expected = ("v2", "v2") if version == "good" else ("v1", "v1")
        assert (again.api, again.worker) == expected, killed_after
        assert (again.suspended, again.running, again.migrations) == (False, 0, 1), killed_after
        assert again.created == 1 or version == "bad", killed_after
    as_reviewed(f"killed-{version}", columns(rows))


# Signals


MOMENTS: Final[tuple[type[Any], ...]] = (
    Started,
    Checked,
    Registered,
    Migrating,
    WorkerProgress,
    ScalingSuspended,
    DeploymentCreated,
    Shifting,
    TrafficShifted,
)


@pytest.mark.parametrize("on_interrupt", ["leave", "rollback"])
def test_a_signal_at_any_moment_leaves_the_release_as_the_user_chose(on_interrupt: OnInterrupt) -> None:
    rows: list[tuple[str, ...]] = [("signal at", "ended", "next", "again")]
    for moment in MOMENTS:
        case, interrupts = world("orders", "production"), Interrupts()
        outcome = case.deploy(
            "v2",
            options=ReleaseOptions(on_interrupt=on_interrupt),
            interrupts=interrupts,
            on_event=at_first(moment, lambda interrupts=interrupts: interrupts.arrive(signal.SIGTERM)),  # type: ignore[misc]
        )
        left = after(case, outcome.exit_code)
        assert outcome.exit_code == 143, outcome.what
        assert not left.suspended, moment
        assert case.lock_is_free(), moment
        if on_interrupt == "rollback":
            assert (left.api, left.worker, left.running) == ("v1", "v1", 0), moment
        again = after(case, case.deploy("v2").exit_code)
        assert (again.api, again.worker, again.suspended, again.running) == ("v2", "v2", False, 0), moment
        rows.append((moment.__name__, left.cell, outcome.resume or "", again.cell))
    as_reviewed(f"signals-{on_interrupt}", columns(rows))


def at_first(moment: type[Any], act: Callable[[], object]) -> Callable[[ReleaseEvent], None]:
    described: list[ReleaseEvent] = []

    def listen(event: ReleaseEvent) -> None:
        if isinstance(event, moment) and not described:
            described.append(event)
            act()

    return listen


# A deployment that is stopped manually meanwhile


def test_a_deployment_stopped_manually_is_followed_until_the_original_version_serves() -> None:
    case = world()
    outcome = case.deploy("v2", on_event=with_some_traffic(case, case.simulator.codedeploy.stop_manually))
    left = after(case, outcome.exit_code)
    assert (left.exit_code, left.api, left.worker, left.suspended) == (12, "v1", "v1", False)
    assert outcome.rollback_deployment_id


def test_a_deployment_stopped_without_rollback_is_reported_and_a_rollback_fixes_it() -> None:
    case = world()
    stop = with_some_traffic(case, lambda id: case.simulator.codedeploy.stop_manually(id, roll_back=False))
    outcome = case.deploy("v2", on_event=stop)
    assert outcome.exit_code == 13
    assert "90 %" in outcome.what
    assert outcome.resume == "platform rollback orders --env production"
    rolled_back = case.roll_back()
    assert (rolled_back.exit_code, case.version_serving(), case.worker_version()) == (0, "v1", "v1")


# Two releases at once


def both(case: World, *, if_busy: IfBusy, after_seconds: float = 1) -> dict[str, Outcome]:
    turns = ConcurrentReleases(case.simulator.clock)
    return turns.run(
        {
            "v2": (0, lambda clock: case.deploy("v2", clock=clock)),
            "v3": (
                after_seconds,
                lambda clock: case.deploy("v3", options=ReleaseOptions(if_busy=if_busy), clock=clock),
            ),
        }
    )


def test_of_two_releases_at_once_one_waits_for_the_other() -> None:
    case = world()
    ended = both(case, if_busy="wait")
    assert [ended[name].exit_code for name in ("v2", "v3")] == [0, 0]
    assert ended["v2"].ended_at < ended["v3"].ended_at
    left = after(case, 0)
    assert (left.api, left.worker, left.suspended, left.created) == ("v3", "v3", False, 2)


def test_a_release_that_does_not_wait_names_the_holder() -> None:
    case = world()
    ended = both(case, if_busy="fail")
    assert (ended["v2"].exit_code, ended["v3"].exit_code) == (0, 16)
    assert "release of v2" in ended["v3"].what
    assert case.version_serving() == "v2"


@pytest.mark.parametrize("after_seconds", [60, 150, 400, 900], ids=["migration", "shift", "last percent", "bake"])
def test_a_release_that_supersedes_another_takes_over_and_the_other_says_so(after_seconds: float) -> None:
    case = world()
    ended = both(case, if_busy="supersede", after_seconds=after_seconds)
    assert (ended["v2"].exit_code, ended["v3"].exit_code) == (15, 0)
    left = after(case, 0)
    assert (left.api, left.worker, left.suspended, left.running) == ("v3", "v3", False, 0)
    assert case.lock_is_free()
