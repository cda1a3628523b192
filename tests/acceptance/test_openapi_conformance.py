"""Schemathesis against each service over real HTTP: no 5xx, no undocumented status, no schema violation.

It asks an API task itself, not the load balancer, which answers some malformed requests before a service sees them.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.local_stack import LocalStack
from tests.support.shop import PASSWORD, Shopper, fresh_email, log_in

HERE = Path(__file__).parent


async def person(http: httpx.AsyncClient, admin: Shopper, role: str) -> Shopper:
    """Somebody whom the run may rename or disable."""
    email = fresh_email("fuzz")
    created = await http.post("/users", json={"email": email, "password": PASSWORD, "name": "Fuzz"})
    changed = await admin.request("PATCH", f"/users/{created.json()['id']}", json={"role": role})
    assert changed.status_code == 200, changed.text
    return await log_in(http, email)


@pytest.mark.parametrize(("service", "role"), [("orders", "customer"), ("users", "customer"), ("inventory", "admin")])
async def test_service_keeps_to_its_openapi_document(
    local_stack: LocalStack, http: httpx.AsyncClient, admin: Shopper, tmp_path: Path, service: str, role: str
) -> None:
    someone = await person(http, admin, role)
    task = f"http://127.0.0.1:{local_stack.tasks(service, 'api')[0]['port']}"
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={HERE / 'schemathesis.toml'}",
        "run",
        f"{task}/{service}/openapi.json",
        f"--header=Authorization: Bearer {someone.token}",
        "--checks=all",
        "--seed=1",
        "--request-timeout=35",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--no-color",
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)}
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=tmp_path,
        env={**os.environ, **hooks},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
