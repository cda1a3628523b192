"""A fixed sample of random histories, in which every invariant holds, and the tools around them."""

import random
from dataclasses import replace

import pytest

from tests.histories.operations import OPERATIONS, random_step
from tests.histories.play import Failure, history_of, play, shrink
from tests.histories.steps import History, NotAHistory, Step

SAMPLE = range(1, 11)
STEPS = 18


@pytest.mark.parametrize("seed", SAMPLE)
def test_every_invariant_holds_in_a_sample(seed: int) -> None:
    """After a change that breaks one, `make histories REPLAY=…` runs the printed history."""
    failure = play(history_of(seed, STEPS))
    assert failure is None, f"seed {seed}: {failure.cut}\n{failure.why}"


def test_a_history_is_read_as_it_is_written() -> None:
    for seed in range(200):
        history = history_of(seed)
        assert History.parse(str(history)) == history


@pytest.mark.parametrize("text", ["orders deploy=good", "orders@production deploy=good!kill", "orders@staging DEPLOY"])
def test_what_is_no_history_is_refused(text: str) -> None:
    with pytest.raises(NotAHistory):
        History.parse(text)


def test_every_operation_occurs() -> None:
    chance = random.Random(1)
    assert {random_step(chance).name for _ in range(2000)} == set(OPERATIONS)


def test_a_failing_history_is_shrunk_to_the_steps_that_matter() -> None:
    matters = (Step.parse("alarm=on"), Step.parse("rollback=last"))

    def again(history: History) -> Failure | None:
        undisturbed = [replace(step, disturbance=None) for step in history.steps]
        broken = all(step in undisturbed for step in matters)
        steps = len(history.steps)
        return Failure(history=history, steps=steps, why="after it: users are split") if broken else None

    text = "orders@production deploy=good sleep=60 alarm=on look=plan sleep=20 rollback=last!kill@40 sleep=600"
    failure = again(History.parse(text))
    assert failure is not None
    assert shrink(failure, again).history.steps == matters
