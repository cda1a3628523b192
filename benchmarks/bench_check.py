"""Measure the command line: `platform --help`, and `platform check` of three and of a hundred services.

Checking renders every document. The hundred are generated: see generated.py.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.generated import ROOT, generate
from benchmarks.table import Row

ROUNDS, SERVICES = 7, 100


def run() -> list[Row]:
    platform = str(Path(sys.executable).with_name("platform"))
    folder = Path(tempfile.mkdtemp(prefix="platform-bench-"))
    try:
        generate(folder, SERVICES)
        return [
            Row("platform --help", "ms", milliseconds([platform, "--help"], ROOT), aim="250 ms"),
            Row("platform check, 3 services", "ms", milliseconds([platform, "check"], ROOT), aim="500 ms"),
            Row(
                f"check and render, {SERVICES} services",
                "ms",
                milliseconds([platform, "check"], folder),
                aim="2,000 ms",
            ),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def milliseconds(command: list[str], folder: Path) -> list[float]:
    """Return the duration of each round, after one that fills the caches."""
    samples = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        samples.append(1000 * (time.perf_counter() - start))
    return samples[1:]
