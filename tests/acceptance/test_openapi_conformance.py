"""Schemathesis against each service over real HTTP: no 5xx, no undocumented status, no schema violation."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.region import Region
from tests.support.shop import PASSWORD, Shopper, fresh_email, log_in

MAX_EXAMPLES = 25


async def person(http: httpx.AsyncClient, admin: Shopper, role: str) -> Shopper:
    """Somebody whom the run may rename, disable or delete."""
    email = fresh_email("fuzz")
    created = await http.post("/users", json={"email": email, "password": PASSWORD, "name": "Fuzz"})
    user_id = created.json()["id"]
    changed = await admin.request("PATCH", f"/users/{user_id}", json={"role": role})
    assert changed.status_code == 200, changed.text
    return await log_in(http, email)


@pytest.mark.parametrize(("service", "role"), [("orders", "customer"), ("users", "customer"), ("inventory", "admin")])
async def test_service_keeps_to_its_openapi_document(
    region: Region, http: httpx.AsyncClient, admin: Shopper, tmp_path: Path, service: str, role: str
) -> None:
    someone = await person(http, admin, role)
    arguments = [
        f"{region.url}/{service}/openapi.json",
        f"--header=Authorization: Bearer {someone.token}",
        "--checks=all",
        f"--max-examples={MAX_EXAMPLES}",
        "--seed=1",
        "--workers=2",
        "--request-timeout=35",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--no-color",
    ]
    done = await asyncio.to_thread(
        subprocess.run,
        [str(Path(sys.executable).with_name("schemathesis")), "run", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
