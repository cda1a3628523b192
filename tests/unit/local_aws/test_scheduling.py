"""What the scheduler decides, from desired and observed tasks and the time alone."""

import pytest

from local_aws.tasks.scheduling import (
    RESTART_DELAYS_SECONDS,
    SILENCE_LIMIT_SECONDS,
    STABLE_AFTER_SECONDS,
    Health,
    ObservedTask,
    Slot,
    SlotRecord,
    StartTask,
    StopTask,
    after_exit,
    after_new_revision,
    decide,
)

NOW = 1000.0
FIRST = Slot("orders", "api", 1)
WORKER = Slot("orders", "worker", 1)


def task(id: int = 1, *, slot: Slot = FIRST, revision: int = 1, health: Health = Health.HEALTHY) -> ObservedTask:
    return ObservedTask(id=id, slot=slot, revision=revision, health=health, last_answer_at=NOW)


def ended(record: SlotRecord, *, healthy_seconds: float = 0.0, was_stopped: bool = False) -> SlotRecord:
    return after_exit(record, exit_code=1, healthy_seconds=healthy_seconds, was_stopped=was_stopped, now=NOW)


def test_slots_are_named_as_people_speak_of_tasks() -> None:
    assert (FIRST.name, WORKER.name) == ("orders-1", "orders-worker-1")


def test_every_empty_slot_gets_a_task() -> None:
    assert decide({FIRST: 1, WORKER: 1}, [], {}, NOW) == [StartTask(FIRST, 1), StartTask(WORKER, 1)]


def test_nothing_is_done_when_all_is_as_desired() -> None:
    assert decide({FIRST: 1, WORKER: 1}, [task(1), task(2, slot=WORKER)], {}, NOW) == []


@pytest.mark.parametrize("health", [Health.STARTING, Health.UNHEALTHY])
def test_task_that_is_not_healthy_but_answers_is_left_alone(health: Health) -> None:
    assert decide({FIRST: 1}, [task(health=health)], {}, NOW) == []


def test_task_that_does_not_answer_at_all_is_replaced() -> None:
    assert decide({FIRST: 1}, [task()], {}, NOW + SILENCE_LIMIT_SECONDS + 1) == [StopTask(1, "does not answer")]


def test_new_revision_starts_while_the_old_one_still_runs() -> None:
    assert decide({FIRST: 2}, [task(revision=1)], {}, NOW) == [StartTask(FIRST, 2)]


def test_old_revision_stays_until_the_new_one_is_healthy() -> None:
    tasks = [task(1, revision=1), task(2, revision=2, health=Health.STARTING)]
    assert decide({FIRST: 2}, tasks, {}, NOW) == []
    assert decide({FIRST: 2}, [tasks[0], task(2, revision=2)], {}, NOW) == [StopTask(1, "replaced")]


def test_stopping_task_is_not_stopped_again_and_does_not_fill_its_slot() -> None:
    assert decide({FIRST: 1}, [task(health=Health.STOPPING)], {}, NOW) == [StartTask(FIRST, 1)]
    assert decide({}, [task(health=Health.STOPPING)], {}, NOW) == []


def test_task_that_nobody_wants_is_stopped() -> None:
    assert decide({}, [task()], {}, NOW) == [StopTask(1, "no longer wanted")]


def test_restart_waits_for_its_time() -> None:
    records = {FIRST: SlotRecord(start_not_before=NOW + 1)}
    assert decide({FIRST: 1}, [], records, NOW) == []
    assert decide({FIRST: 1}, [], records, NOW + 1) == [StartTask(FIRST, 1)]


def test_restarts_in_a_row_wait_longer_and_longer_up_to_a_limit() -> None:
    record = SlotRecord()
    delays = []
    for _ in range(len(RESTART_DELAYS_SECONDS) + 2):
        record = ended(record)
        delays.append(record.start_not_before - NOW)
    assert delays == [*RESTART_DELAYS_SECONDS, RESTART_DELAYS_SECONDS[-1], RESTART_DELAYS_SECONDS[-1]]
    assert record.restarts == len(delays)


def test_task_that_was_well_for_a_while_is_restarted_at_once() -> None:
    record = ended(ended(ended(SlotRecord())), healthy_seconds=STABLE_AFTER_SECONDS)
    assert (record.failures_in_a_row, record.start_not_before) == (1, NOW)


def test_stop_of_our_own_is_no_failure_but_its_exit_code_is_kept() -> None:
    record = ended(SlotRecord(), was_stopped=True)
    assert (record.failures_in_a_row, record.restarts, record.last_exit_code) == (0, 0, 1)


def test_changed_code_is_started_without_waiting() -> None:
    record = after_new_revision(ended(ended(ended(SlotRecord()))))
    assert (record.failures_in_a_row, record.start_not_before, record.restarts) == (0, 0.0, 3)
