"""How long the command line takes: `platform --help`, and `platform check` of three services and of a hundred.

Checking renders every document. The hundred are generated, each with a worker, a queue and events to the next one, for
the laptop alone: a load balancer on AWS has room for fifty.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, SERVICES = 7, 100

PLATFORM_TOML = """\
[service]
name = "s{number:03}"
path = "/s{number:03}"
priority = {priority}

[task]
cpu = 512
memory_mib = 1024

[scaling]
min_tasks = 2
max_tasks = 6
target_requests_per_task = 3000

[[scaling.scheduled]]
name = "morning"
schedule = "cron(0 6 ? * MON-FRI *)"
min_tasks = 4
max_tasks = 50

[commands]
api = ["python", "-m", "service.main"]
migrate = ["python", "-m", "platform_sdk.runtime.migrate", "service"]

[worker]
command = ["python", "-m", "service.worker"]
min_tasks = 1
max_tasks = 4

[traffic_shift]
type = "canary"
percent = 10

[environment]
GREETING = "hello"

[secrets]
PAYMENT_KEY = "payment:api_key"

[database]
max_connections = 10

[cache]

[queues.s{number:03}]
consumes = ["s{before:03}.done"]

[publishes]
"s{number:03}.done" = ["s{after:03}"]

[[permissions]]
actions = ["s3:GetObject"]
resources = ["arn:aws:s3:::receipts-{{environment}}/*"]

[environments.local.scaling]
min_tasks = 1
"""


def run() -> list[Row]:
    platform = str(Path(sys.executable).with_name("platform"))
    folder = Path(tempfile.mkdtemp(prefix="platform-bench-"))
    try:
        generate(folder)
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


def generate(root: Path) -> None:
    """A repository of services that agree with each other."""
    environments = root / "deploy" / "environments"
    environments.mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "environments" / "local.toml", environments)
    for number in range(SERVICES):
        file = root / "services" / f"s{number:03}" / "platform.toml"
        file.parent.mkdir(parents=True)
        before, after = (number - 1) % SERVICES, (number + 1) % SERVICES
        text = PLATFORM_TOML.format(number=number, priority=number + 1, before=before, after=after)
        file.write_text(text, encoding="utf-8")


def milliseconds(command: list[str], folder: Path) -> list[float]:
    """Of each round, after one that fills the caches."""
    samples = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        samples.append(1000 * (time.perf_counter() - start))
    return samples[1:]
