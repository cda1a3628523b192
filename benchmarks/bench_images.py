"""Compare the image of orders with the layout of FastAPI's documentation: size, start, memory.

Both images run as their task definition says, beside real servers, alternating; the usual one may write to its root
file system, as it usually may. Ready is the first 200 of `readyz`, counted from the start of the process.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from benchmarks.table import Row
from tests.support.container_tasks import Surroundings, answers, run_to_end, surroundings, url_of
from tests.support.containers import NO_ENGINE, build_image, docker, engine_answers

ROUNDS = 5
MEGABYTE = 1_000_000
READY_WITHIN_SECONDS = 120
USUAL = "in FastAPI's usual layout"
SIZES = {"on one CPU": 1.0, "on a quarter of a CPU": 0.25}
AIMS = {"on one CPU": "1,000 ms", "on a quarter of a CPU": "6,000 ms"}

RESIDENT = """
import pathlib
for status in pathlib.Path("/proc").glob("[0-9]*/status"):
    if status.parent.name != "1" and status.with_name("cmdline").read_bytes().endswith(b"orders.main\\0"):
        lines = dict(line.split(":\\t", 1) for line in status.read_text().splitlines())
        print(int(lines["VmRSS"].split()[0]) * 1024)
"""


def run() -> list[Row]:
    if not engine_answers():
        return [Row("images", "", (), left_out=NO_ENGINE)]
    images = {
        "": build_image("platform-test/orders:built", "services/orders/Dockerfile"),
        f" {USUAL}": build_image("platform-test/orders:usual", "benchmarks/usual.Dockerfile"),
    }
    samples: dict[str, list[float]] = {}
    with Network() as network, surroundings(network) as around:
        migrate = around.specs["orders"].commands.migrate
        code, log = run_to_end(around.task("orders", images[""], command=migrate))
        assert code == 0, log
        for _ in range(ROUNDS):
            for name, cpus in SIZES.items():
                for layout, image in images.items():
                    measure(around, image, cpus, name, layout, samples)
    for layout, image in images.items():
        size = int(docker("image", "inspect", "--format", "{{.Size}}", image)) / MEGABYTE
        samples[f"size{layout}"] = [size]
    return list(rows(samples))


def rows(samples: dict[str, list[float]]) -> Iterator[Row]:
    figures = [("size", "image of orders, size", "MB", "150 MB")]
    figures += [(f"ready {name}", f"image of orders, process to ready {name}", "ms", AIMS[name]) for name in SIZES]
    figures += [("resident", "image of orders, idle API task, resident", "MB", "120 MB")]
    for key, figure, unit, aim in figures:
        usual = Row(f"{figure}, {USUAL}", unit, samples[f"{key} {USUAL}"])
        yield Row(figure, unit, samples[key], compared_with=usual, aim=aim)
        yield usual


def measure(
    around: Surroundings, image: str, cpus: float, name: str, layout: str, samples: dict[str, list[float]]
) -> None:
    with started(around, image, cpus, is_usual=bool(layout)) as task:
        samples.setdefault(f"ready {name}{layout}", []).append(milliseconds_to_ready(task, around))
        if cpus == 1:
            samples.setdefault(f"resident{layout}", []).append(resident_megabytes(task))


@contextmanager
def started(around: Surroundings, image: str, cpus: float, *, is_usual: bool) -> Iterator[DockerContainer]:
    task = around.task("orders", image)
    options: dict[str, Any] = {**task._kwargs, "nano_cpus": int(cpus * 10**9)}
    if is_usual:
        options["read_only"] = False
        options["user"] = "root"
    with task.with_kwargs(**options):
        yield task


def milliseconds_to_ready(task: DockerContainer, around: Surroundings) -> float:
    url = f"{url_of(task, around.specs['orders'].port)}/orders/readyz"
    end = time.monotonic() + READY_WITHIN_SECONDS
    while not answers(url):
        assert time.monotonic() < end, "not ready"
        time.sleep(0.005)
    now = datetime.now(UTC)
    wrapped = task.get_wrapped_container()
    wrapped.reload()
    # With nine digits of a second, of which Python reads six.
    started_at = datetime.fromisoformat(wrapped.attrs["State"]["StartedAt"][:26].rstrip("Z") + "+00:00")
    return 1000 * (now - started_at).total_seconds()


def resident_megabytes(task: DockerContainer) -> float:
    """Return the memory of the process, after a moment without requests."""
    time.sleep(1)
    command = ["docker", "exec", task.get_container_id(), "python", "-c", RESIDENT]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / MEGABYTE
