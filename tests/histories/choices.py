"""What the operations of a history choose from: behaviours of a version, and edits of platform.toml."""

from collections.abc import Mapping
from typing import Final

from aws_simulator import Behaviour

BEHAVIOURS: Final[Mapping[str, Behaviour]] = {
    "good": Behaviour(),
    "crashes": Behaviour(kind="crashes", log_lines=("could not connect to the database",)),
    "out_of_memory": Behaviour(kind="out_of_memory"),
    "unhealthy": Behaviour(kind="never_healthy"),
    "unhealthy_container": Behaviour(kind="never_healthy", health_check="container"),
    "errors": Behaviour(kind="answers_500"),
    "slow": Behaviour(kind="slow"),
    "bad_migration": Behaviour(migration_exit_code=1, migration_log_lines=("no such table",)),
    "slow_start": Behaviour(start_seconds=90, healthy_after_seconds=60),
}
"""How the tasks of a version behave."""

SERVE: Final = frozenset({"good", "slow_start"})
FOUND_IN_BAKE_TIME: Final = frozenset({"errors", "slow"})
"""An alarm finds them: where a release does not bake, nobody does before it ends."""

EDITS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "cpu_target": (("scaling", "target_cpu_percent = 55"), ("scaling", "target_cpu_percent = 70")),
    "memory": (("task", "memory_mib = 2048"), ("task", "memory_mib = 1024")),
    "bake": (("traffic_shift", "bake_minutes = 5"), ("traffic_shift", "bake_minutes = 20")),
    "shift": (("traffic_shift", 'type = "linear"'), ("traffic_shift", 'type = "canary"')),
    "grace": (("health_check", "grace_period_seconds = 30"), ("health_check", "grace_period_seconds = 90")),
    "interval": (("health_check", "interval_seconds = 15"), ("health_check", "interval_seconds = 10")),
    "path": (("service", 'path = "/shop"'), ("service", 'path = "/store"')),
    "check": (("health_check", 'path = "/livez"'), ("health_check", 'path = "/readyz"')),
    "tasks": (("scaling", "min_tasks = 3"), ("scaling", "min_tasks = 2")),
    "worker": (("worker", "max_tasks = 6"), ("worker", "max_tasks = 4")),
    "port": (("service", "port = 8080"), ("service", "port = 3000")),
    "variable": (("environment", 'MODE = "a"'), ("environment", 'MODE = "b"')),
    "logs": (("logs", "retention_days = 14"), ("logs", "retention_days = 30")),
}
"""Valid edits of platform.toml, each in two ways. One of `[worker]` is for services that have one."""
