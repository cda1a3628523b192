"""Make a history from a seed, play it, and shrink one that breaks an invariant to its fewest steps."""

import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.histories.invariants import violations_of, violations_of_state
from tests.histories.operations import OPERATIONS, PLACES, heal, random_step
from tests.histories.simulation import Simulation, simulation
from tests.histories.steps import History, Step

STEPS: Final = 24
"""Of a history, before the release that must succeed whatever was done."""

FINALLY: Final = (Step(name="apply"), Step(name="deploy", argument="good,ignore_alarms"))
"""An alarm may fire for the version that serves: the release is its fix."""

MAX_TRIES: Final = 120
"""Histories to play while one is shrunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The first invariant that a history breaks: `why`, after so many steps."""

    history: History
    steps: int
    why: str

    @property
    def kind(self) -> str:
        """The words of `why` that do not depend on versions, ids and numbers."""
        text = self.why.partition(": ")[2]
        return " ".join([word for word in text.split() if word.isalpha()][:8])

    @property
    def cut(self) -> History:
        """The history up to the step that broke the invariant."""
        return replace(self.history, steps=self.history.steps[: self.steps])


Report = Callable[[str], None]


def ignore(_line: str) -> None:
    """For callers who want only the end."""


def history_of(seed: int, steps: int = STEPS) -> History:
    """Return the history of a seed."""
    chance = random.Random(seed)
    service, environment = chance.choice(PLACES)
    return History(service=service, environment=environment, steps=tuple(random_step(chance) for _ in range(steps)))


def play(history: History, report: Report = ignore) -> Failure | None:
    """Take the steps of a history, then let the world be well and release a good version. Return what broke."""
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        begun = simulation(history.service, history.environment, Path(folder) / "repository")
        for number, step in enumerate(history.steps, 1):
            why = take(begun, step, report)
            if why is not None:
                return Failure(history=history, steps=number, why=f"after `{step}`: {why}")
        why = end_well(begun, report)
        return None if why is None else Failure(history=history, steps=len(history.steps), why=f"in the end: {why}")


def take(begun: Simulation, step: Step, report: Report) -> str | None:
    """Take a step. Return the first invariant that does not hold then."""
    begun.results.clear()
    begun.world.simulator.calls.clear()
    begun.take(step)
    report(f"{begun.world.simulator.now():%a %d %b %H:%M:%S}  {step}")
    for result in begun.results:
        said = result.document.get("what", "") if isinstance(result.document, dict) else ""
        ended = "killed" if result.killed else f"{result.exit_code} {result.outcome}: {said}"
        report(f"    platform {' '.join(result.words)}\n        {ended}")
        why = next(violations_of(result), None)
        if why is not None:
            return f"`platform {' '.join(result.words)}`: {why}"
    report(f"    {begun.truth()}")
    return next(violations_of_state(begun), None)


def end_well(begun: Simulation, report: Report) -> str | None:
    """Let everything around the service be well: then a release of a good version succeeds."""
    heal(begun)
    begun.take(Step(name="sleep", argument=str(4 * 3600)))
    for step in FINALLY:
        why = take(begun, step, report)
        if why is not None:
            return why
    ended = begun.results[-1]
    if ended.exit_code != 0:
        return f"a good version is not released, although all is well: {ended.output}"
    return why_not_scaled(begun)


def why_not_scaled(begun: Simulation) -> str | None:
    """Let more users come than all tasks can serve. Return what is wrong if there are not as many as may be, then."""
    begun.take(Step(name="load", argument="50"))
    begun.take(Step(name="sleep", argument="1800"))
    simulator = begun.world.simulator
    target = simulator.autoscaling.targets["ecs", f"service/{begun.cluster}/{begun.name}", "ecs:service:DesiredCount"]
    desired = simulator.ecs.ecs_service(begun.cluster, begun.name).desired_count
    return None if desired == target.maximum else f"{desired} tasks run although {target.maximum} are needed"


# Shrinking


def shrink(failure: Failure, again: Callable[[History], Failure | None] = play) -> Failure:
    """Return the failure with the fewest and simplest steps that break an invariant in the same way."""
    best, tries = failure, 0
    while True:
        for history in shorter(best.cut):
            tries += 1
            tried = again(history)
            if tried is not None and tried.kind == failure.kind:
                best = tried
                break
            if tries > MAX_TRIES:
                return best
        else:
            return best


def shorter(history: History) -> Iterator[History]:
    """Yield histories without some of the steps, large parts first, and then ones with a simpler step."""
    steps = history.steps
    for size in (max(1, len(steps) // 2), max(1, len(steps) // 5), 1):
        for at in range(0, len(steps), size):
            yield replace(history, steps=steps[:at] + steps[at + size :])
    for at, step in enumerate(steps):
        for simpler in simpler_than(step):
            yield replace(history, steps=(*steps[:at], simpler, *steps[at + 1 :]))


def simpler_than(step: Step) -> Iterator[Step]:
    if step.disturbance is not None:
        yield step.undisturbed
    if OPERATIONS[step.name].is_command and "," in step.argument and step.name != "scale":
        yield replace(step, argument=step.argument.partition(",")[0])
