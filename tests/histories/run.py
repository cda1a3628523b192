"""Play random histories on all cores, or one again: `make histories`. docs/howto/histories.md explains it."""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from queue import Empty
from typing import Final

from tests.histories.play import Failure, history_of, play, shrink
from tests.histories.steps import History

# Everything that makes a client finds these, and nobody's real account.
os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_REGION="us-east-1")
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"

REPORT_SECONDS: Final = 15

Result = tuple[int, int, Failure | None, Failure | None]
"""A seed, how many steps were taken, what broke, and the same in its fewest steps."""


def work(first: int, stride: int, folder: str, results: "Queue[Result]", parent: int) -> None:
    """Play every so-manieth seed for ever, in a session of its own: Ctrl-C is for the parent, which ends this."""
    os.setsid()
    tempfile.tempdir = folder
    seed = first
    while os.getppid() == parent:
        history = history_of(seed)
        failure = play(history)
        steps = failure.steps if failure is not None else len(history.steps)
        results.put((seed, steps, failure, None if failure is None else shrink(failure)))
        seed += stride


@dataclass(slots=True)
class Tally:
    began: float = field(default_factory=time.monotonic)
    histories: int = 0
    steps: int = 0
    failures: list[Failure] = field(default_factory=list)

    def add(self, result: Result) -> None:
        seed, steps, failure, least = result
        self.histories += 1
        self.steps += steps
        if failure is not None and least is not None:
            self.failures.append(least)
            print(f"\nseed {seed} breaks an invariant {failure.why}\n", flush=True)
            print(f"with the fewest steps, {least.why}", flush=True)
            print(f"replay it:  make histories REPLAY='{least.cut}'\n", flush=True)

    def __str__(self) -> str:
        seconds = time.monotonic() - self.began
        broken = f"{len(self.failures)} broke an invariant"
        return f"{self.histories} histories, {self.steps} steps, {self.steps / seconds:.1f} steps per second; {broken}"


def play_many(steps: int, first: int, processes: int) -> int:
    """Play until so many steps are taken. Return the exit code."""
    context = multiprocessing.get_context("spawn")
    results: Queue[Result] = context.Queue()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="histories-") as folder:
        workers = [
            context.Process(target=work, args=(first + number, processes, folder, results, os.getpid()), daemon=True)
            for number in range(processes)
        ]
        for worker in workers:
            worker.start()
        try:
            follow(tally, results, steps, workers)
        except KeyboardInterrupt:
            print("\nstopped", flush=True)
        finally:
            for worker in workers:
                worker.kill()
                worker.join()
    print(f"seeds from {first}: {tally}")
    return 1 if tally.failures or tally.steps == 0 else 0


def follow(tally: Tally, results: "Queue[Result]", steps: int, workers: Sequence[BaseProcess]) -> None:
    """Collect results until there are enough or no worker lives."""
    reported = tally.began
    while tally.steps < steps and any(worker.is_alive() for worker in workers):
        with suppress(Empty):
            tally.add(results.get(timeout=REPORT_SECONDS))
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            print(f"{tally}", flush=True)


def replay(history: History) -> int:
    """Play one history and print each step. Return the exit code."""
    print(history)
    failure = play(history, print)
    if failure is None:
        print("every invariant holds")
        return 0
    print(f"an invariant is broken {failure.why}")
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=0, help="play this many; without it, the history of --seed")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--replay", metavar="HISTORY", help="a history as it was printed")
    given = parser.parse_args()
    if given.replay:
        return replay(History.parse(given.replay))
    return play_many(given.steps, given.seed, given.processes) if given.steps else replay(history_of(given.seed))


if __name__ == "__main__":
    sys.exit(main())
