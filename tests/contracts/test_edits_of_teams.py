"""Edits that teams make to their own files are accepted, and no unit test reads those files."""

import json
import re
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from platform_sdk.deploy.check import check
from platform_sdk.deploy.cost import load_estimate
from platform_sdk.deploy.environment import environment_names, load_environment, service_names
from tests.support.repository import ROOT

ORDERS: Final = "services/orders/platform.toml"
USERS: Final = "services/users/platform.toml"
INVENTORY: Final = "services/inventory/platform.toml"
EDITS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "as the README scales": (
        ORDERS,
        {"environments": {"production": {"scaling": {"min_tasks": 10, "max_tasks": 50}}}},
    ),
    "scaling everywhere": (ORDERS, {"scaling": {"min_tasks": 3, "max_tasks": 30}, "worker": {"max_tasks": 9}}),
    "larger tasks": (USERS, {"task": {"cpu": 1024, "memory_mib": 4096}}),
    "a queue and a route": (
        INVENTORY,
        {"queues": {"inventory-audit": {"consumes": ["stock.low"]}}, "publishes": {"stock.low": ["inventory-audit"]}},
    ),
    "a slower health check": (ORDERS, {"health_check": {"interval_seconds": 20, "timeout_seconds": 8}}),
    "thresholds of alarms": (
        USERS,
        {"alarms": {"error_rate": {"threshold_percent": 3}, "latency_p99": {"threshold_ms": 900, "minutes": 5}}},
    ),
    "a variable": (INVENTORY, {"environment": {"GREETING": "hello"}}),
    "another traffic shift": (
        ORDERS,
        {"traffic_shift": {"type": "linear", "percent": 25, "interval_minutes": 2, "bake_minutes": 40}},
    ),
    "another rehearsal": (
        USERS,
        {"environments": {"staging": {"task": {"cpu": 256, "memory_mib": 1024}, "logs": {"retention_days": 14}}}},
    ),
    "a larger environment": (
        "deploy/environments/production.toml",
        {"log_level": "warning", "stacks": {"data": {"max_capacity_acu": 32}}, "cost": {"requests_per_month": 9e7}},
    ),
}


def merged(before: dict[str, Any], edit: dict[str, Any]) -> dict[str, Any]:
    both = {key: merged(before.get(key, {}), value) for key, value in edit.items() if isinstance(value, dict)}
    return {**before, **edit, **both}


def toml(value: Any) -> str:
    """Write a value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@pytest.fixture
def repository_of_teams(tmp_path: Path) -> Path:
    """A repository with copies of the files that teams edit, and links to all else that commands read."""
    for file in (*ROOT.glob("services/*/platform.toml"), *ROOT.glob("deploy/environments/*.toml")):
        target = tmp_path / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    for name in ("cloudformation", "prices", "hooks"):
        (tmp_path / "deploy" / name).symlink_to(ROOT / "deploy" / name)
    return tmp_path


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_accepted_and_has_a_price(name: str, repository_of_teams: Path) -> None:
    place, edit = EDITS[name]
    file = repository_of_teams / place
    after = merged(tomllib.loads(file.read_text(encoding="utf-8")), edit)
    file.write_text("".join(f"{key} = {toml(value)}\n" for key, value in after.items()), encoding="utf-8")

    assert check(repository_of_teams) == (service_names(ROOT), environment_names(ROOT))
    for environment in environment_names(ROOT):
        if load_environment(ROOT, environment).aws_endpoint_url is None:
            assert load_estimate(repository_of_teams, environment).usd_per_month > 0


def test_no_unit_test_reads_what_teams_edit() -> None:
    """They read tests/fixtures/repository, so that an edit by a team breaks none of them."""
    reading = re.compile(r"load_(services|environment|spec|estimate|assumptions)\(ROOT|chdir\(ROOT")
    files = (ROOT / "tests" / "unit").rglob("*.py")
    assert [file.name for file in files if reading.search(file.read_text(encoding="utf-8"))] == []
