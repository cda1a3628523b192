"""A process that cannot start says why, in lines that a person reads."""

import os
import subprocess
import sys

import pytest

MODULES = (
    "orders.main",
    "orders.worker",
    "users.main",
    "inventory.main",
    "inventory.worker",
    "inventory.demo",
    "users.demo",
    "platform_sdk.runtime.database.migrate orders",
)


@pytest.mark.parametrize("module", MODULES)
def test_a_process_without_its_variables_ends_with_readable_lines_and_1(module: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    command = [sys.executable, "-m", *module.split()]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
