"""Measure the documents of generated services: rendered by the SDK, and synthesised by the AWS CDK, in alternation.

Each side is one process from its start to files on disk: ours reads every platform.toml, checks it and writes task
definitions and stacks (render_app.py); the CDK's program gets the same services as JSON and writes stacks with about as
many resources (cdk_app.py). Of the CDK's time with twenty services about half is its start: loading aws-cdk-lib into
Python and Node.js. The first run installs it in .venv-cdk.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.generated import ROOT, generate
from benchmarks.table import Row
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.manifest.types import ServiceSpec

SERVICES, ROUNDS = 20, 3
FIGURE = f"documents of {SERVICES} services"
AIM = "20 x faster than the CDK"
CDK = ROOT / ".venv-cdk"


def run() -> list[Row]:
    missing = missing_for_cdk()
    if missing:
        return [Row(f"{FIGURE}, by the CDK", "ms", (), aim=AIM, left_out=missing)]
    folder = Path(tempfile.mkdtemp(prefix="platform-bench-"))
    try:
        return compared(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def missing_for_cdk() -> str:
    """Return why the CDK cannot run here; empty if it can."""
    if shutil.which("node") is None:
        return "the CDK needs Node.js, and there is no node on the PATH"
    if shutil.which("make") is None:
        return "make installs the CDK, and there is no make on the PATH"
    stamp = CDK.relative_to(ROOT) / ".installed"
    installed = subprocess.run(["make", "--silent", str(stamp)], cwd=ROOT, check=False)
    return "" if installed.returncode == 0 else f"`make {stamp}` failed: see above"


def compared(folder: Path) -> list[Row]:
    repository, services = folder / "repository", folder / "services.json"
    generate(repository, SERVICES)
    specs = load_services(repository, "local")
    services.write_text(json.dumps([for_cdk(number, spec) for number, spec in enumerate(specs, 1)]), encoding="utf-8")
    ours = [sys.executable, "-m", "benchmarks.render_app", str(repository)]
    theirs = [str(CDK / "bin" / "python"), str(ROOT / "benchmarks" / "cdk_app.py"), str(services)]
    samples: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(ROUNDS + 1):
        samples["ours"].append(milliseconds(ours, folder / f"ours-{number}"))
        samples["theirs"].append(milliseconds(theirs, folder / f"theirs-{number}"))
    # The first round fills caches: Python's, and the one into which the CDK's packages are unpacked.
    rendered, synthesised = samples["ours"][1:], samples["theirs"][1:]
    faster = [other / own for own, other in zip(rendered, synthesised, strict=True)]
    return [
        Row(f"{FIGURE}, rendered", "ms", rendered),
        Row(f"{FIGURE}, by the CDK", "ms", synthesised),
        Row("rendering is faster than the CDK", "x", faster, aim=AIM),
    ]


def for_cdk(priority: int, spec: ServiceSpec) -> dict[str, object]:
    """Return the input of the CDK program for a service."""
    assert spec.worker is not None
    return {
        "name": spec.name,
        "path": spec.path,
        "priority": priority,
        "port": spec.port,
        "cpu": spec.task.cpu,
        "memory_mib": spec.task.memory_mib,
        "min_tasks": spec.scaling.min_tasks,
        "max_tasks": spec.scaling.max_tasks,
        "worker_max_tasks": spec.worker.max_tasks,
        "environment": dict(spec.environment),
        "secrets": {name: f"platform/{spec.name}/{name.lower()}" for name in [*spec.secrets, "DATABASE_PASSWORD"]},
    }


def milliseconds(command: list[str], output: Path) -> float:
    """Return the duration of the command with its output folder."""
    output.mkdir()
    # Where the CDK unpacks its packages once: in our folder, so that `make clean` finds it.
    environment = {**os.environ, "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(CDK / "unpacked")}
    start = time.perf_counter()
    done = subprocess.run(
        [*command, str(output)], cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    elapsed = 1000 * (time.perf_counter() - start)
    if done.returncode != 0:
        # Shown only now, because otherwise it is advice about the age of Node.js.
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return elapsed
