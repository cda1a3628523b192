"""A repository of generated services, for the benchmarks that need many.

Each has a worker, a queue and events to the next one, for the laptop alone: a load balancer on AWS has room for fifty.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

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
migrate = ["python", "-m", "platform_sdk.runtime.database.migrate", "service"]

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


def generate(root: Path, services: int) -> None:
    """Generate that many services, s000 and so on, with matching queues and events."""
    environments = root / "deploy" / "environments"
    environments.mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "environments" / "local.toml", environments)
    for number in range(services):
        file = root / "services" / f"s{number:03}" / "platform.toml"
        file.parent.mkdir(parents=True)
        before, after = (number - 1) % services, (number + 1) % services
        text = PLATFORM_TOML.format(number=number, priority=number + 1, before=before, after=after)
        file.write_text(text, encoding="utf-8")
