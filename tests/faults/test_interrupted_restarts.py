"""A restart whose calls fail, and whose process is killed after each of its writes.

Both versions are one, so the tables say whether the tasks of API and worker are the original ones or new. After a
change that is meant, write the tables anew and review the difference:

    UPDATE_GOLDENS=1 .venv/bin/pytest tests/faults/test_interrupted_restarts.py && git diff tests/faults/releases
"""

import signal
from dataclasses import dataclass
from typing import Any, Final

import pytest

from platform_sdk.deploy.release.context import Interrupts
from platform_sdk.deploy.release.events import Migrating, Registered
from platform_sdk.deploy.release.history import parse_description
from platform_sdk.deploy.release.outcome import OnInterrupt, ReleaseOptions
from platform_sdk.deploy.render.names import cluster_name, service_name, worker_service_name
from platform_sdk.deploy.state import RUNNING
from tests.faults.test_interrupted_releases import HOWS, MOMENTS, as_reviewed, at_first, calls_of, columns, exit_code_of
from tests.support.releases import Process, World, world

SHOWN: Final = ("answer_lost", "denied")
"""The others are retried, as a release does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The tasks of API and worker: original, new or mixed."""

    exit_code: int
    api: str
    worker: str
    suspended: bool
    created: int

    @property
    def cell(self) -> str:
        state = "" if (self.api, self.worker) == ("new", "new") else f" {self.api}/{self.worker}"
        return f"{self.exit_code}{state}{' suspended' if self.suspended else ''}"


def tasks_of(case: World) -> dict[str, set[str]]:
    """Those of the API's primary task set, and of the worker's primary deployment: others are on their way out."""
    cluster = cluster_name(case.environment)
    api = case.aws.ecs.service(cluster, service_name(case.spec, case.environment))
    worker = case.aws.ecs.service(cluster, worker_service_name(case.spec, case.environment))
    assert api is not None
    assert api.primary is not None
    assert worker is not None
    rolled = next(each.id for each in worker.deployments if each.status == "PRIMARY")
    return {
        role: {
            task.arn
            for task in case.aws.ecs.tasks(cluster, service=service.name, stopped=False)
            if task.started_by == started_by
        }
        for role, service, started_by in (("api", api, api.primary.id), ("worker", worker, rolled))
    }


def found(case: World, before: dict[str, set[str]], exit_code: int) -> Found:
    case.simulator.heal()
    name = service_name(case.spec, case.environment)
    deployments = case.aws.codedeploy.deployments(name, name)
    described = [parse_description(each.description) for each in deployments]
    now = tasks_of(case)
    return Found(
        exit_code=exit_code,
        api=word(before["api"], now["api"]),
        worker=word(before["worker"], now["worker"]),
        suspended=case.scaling().suspended.any,
        created=sum(1 for each in described if each is not None and each.kind == "restart"),
    )


def word(before: set[str], now: set[str]) -> str:
    return "original" if now <= before else "mixed" if now & before else "new"


def settled(environment: str = "staging") -> World:
    case = world("orders", environment)
    case.simulator.clock.sleep(300)
    return case


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    stage: str
    call: str
    how: str
    first: Found
    again: Found


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    calls = calls_of(settled(), lambda case, on_event: case.restart(on_event=on_event))
    return [
        simulated(stage, service, operation, place, how)
        for (stage, service, operation), place in calls.items()
        for how in SHOWN
    ]


def simulated(stage: str, service: str, operation: str, place: int, how: Any) -> Case:
    case = settled()
    before = tasks_of(case)
    case.simulator.fail(service, operation, how=how, times=HOWS[how], after=place)
    first = found(case, before, exit_code_of(case.restart))
    again = first if first.exit_code == 0 and not first.suspended else found(case, before, case.restart().exit_code)
    return Case(stage=stage, call=f"{service}:{operation}", how=how, first=first, again=again)


def test_each_call_of_a_restart_may_fail_and_the_table_says_how_that_ended(cases: list[Case]) -> None:
    by_call: dict[tuple[str, str], dict[str, Case]] = {}
    for case in cases:
        by_call.setdefault((case.stage, case.call), {})[case.how] = case
    rows = [(*call, *(cell_of(by_how[how]) for how in SHOWN)) for call, by_how in by_call.items()]
    as_reviewed("restart-calls", columns([("stage", "call", *SHOWN), *rows]))


def cell_of(case: Case) -> str:
    return case.first.cell if case.again is case.first else f"{case.first.cell}, again {case.again.cell}"


def test_a_restart_never_lies_about_the_tasks(cases: list[Case]) -> None:
    for case in cases:
        tasks = (case.first.api, case.first.worker)
        if case.first.exit_code == 0:
            assert tasks == ("new", "new"), case
        if case.first.exit_code in (1, 11, 16):
            assert tasks == ("original", "original"), case
        if case.first.exit_code == 12:
            assert case.first.api == "original", case


def test_the_same_command_again_ends_the_restart(cases: list[Case]) -> None:
    for case in cases:
        assert (case.again.exit_code, case.again.api, case.again.worker) == (0, "new", "new"), case
        assert not case.again.suspended, case


def test_a_restart_may_be_killed_after_each_write_and_run_again() -> None:
    rows: list[tuple[str, ...]] = [("killed after", "then", "run again")]
    for writes in range(1, 100):
        case = settled()
        before, earlier = tasks_of(case), sum(call.writes for call in case.simulator.calls)
        with Process(case.simulator, writes=earlier + writes) as process:
            case.restart(client_of=process.client_of)
        if process.survived:
            break
        killed_after = f"{writes} {[call for call in case.simulator.calls if call.writes][-1].operation}"
        left = found(case, before, 0)
        again = found(case, before, case.restart().exit_code)
        rows.append((killed_after, left.cell.removeprefix("0").strip() or "new/new", again.cell))
        name = service_name(case.spec, case.environment)
        assert not case.aws.codedeploy.deployments(name, name, statuses=RUNNING), killed_after
        assert (again.exit_code, again.api, again.worker, again.suspended) == (0, "new", "new", False), killed_after
    as_reviewed("killed-restart", columns(rows))


@pytest.mark.parametrize("on_interrupt", ["leave", "rollback"])
def test_a_signal_at_any_moment_leaves_the_restart_as_the_user_chose(on_interrupt: OnInterrupt) -> None:
    rows: list[tuple[str, ...]] = [("signal at", "ended", "next", "again")]
    for moment in (each for each in MOMENTS if each not in (Registered, Migrating)):
        case, interrupts = settled("production"), Interrupts()
        before = tasks_of(case)
        outcome = case.restart(
            options=ReleaseOptions(on_interrupt=on_interrupt),
            interrupts=interrupts,
            on_event=at_first(moment, lambda interrupts=interrupts: interrupts.arrive(signal.SIGTERM)),  # type: ignore[misc]
        )
        left = found(case, before, outcome.exit_code)
        assert (outcome.exit_code, left.suspended, case.lock_is_free()) == (143, False, True), moment
        if on_interrupt == "rollback":
            assert left.api == "original", moment
            assert outcome.what.startswith("the original tasks"), moment
        again = found(case, before, case.restart().exit_code)
        assert (again.exit_code, again.api, again.worker, again.suspended) == (0, "new", "new", False), moment
        rows.append((moment.__name__, left.cell, outcome.resume or "", again.cell))
    as_reviewed(f"signals-restart-{on_interrupt}", columns(rows))
