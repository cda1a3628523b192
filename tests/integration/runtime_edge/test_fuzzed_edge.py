"""schemathesis against the factory itself: what holds here holds for every service that is built with it."""

import asyncio
import sys
from pathlib import Path

from platform_sdk.runtime.http.app import create_app
from tests.integration.runtime_edge.edge_server import serve
from tests.integration.runtime_edge.test_http_edge import KnownTokens, router
from tests.unit.runtime_edge.edge_settings import settings


async def test_no_generated_request_finds_a_contradiction(tmp_path: Path) -> None:
    tokens = KnownTokens.from_public_keys({}, issuer="i", audience="a")
    async with serve(create_app(settings(), title="Shop", routers=[router], tokens=tokens)) as edge:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{edge.url}/shop/openapi.json",
            "--include-path-regex",
            "^/shop/(items|sku|orders|public)",
            "--max-examples=15",
            "--seed=1",
            "--header=Authorization: Bearer known",
            "--suppress-health-check=all",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, output.decode()
