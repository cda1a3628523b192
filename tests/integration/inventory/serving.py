"""The inventory API on a real server, and callers with real tokens."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import httpx
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from inventory.api import router
from inventory.settings import InventorySettings
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.http.app import create_app
from platform_sdk.runtime.http.auth import TokenVerifier

ISSUER, AUDIENCE = "https://users.test", "platform"
KEY = Ed25519PrivateKey.generate()


def settings(database_url: str, **overrides: Any) -> InventorySettings:
    """As a task gets them: the password apart from the URL."""
    parts = urlsplit(database_url)
    address = parts.netloc.rpartition("@")[2]
    return InventorySettings(
        service_name="inventory",
        service_path="/inventory",
        environment=f"test-{uuid4().hex[:8]}",
        aws_region="us-east-1",
        token_issuer=ISSUER,
        token_audience=AUDIENCE,
        jwks_url="http://127.0.0.1:9/jwks.json",
        database_url=urlunsplit(parts._replace(netloc=f"{parts.username}@{address}")),
        database_password=SecretStr(parts.password or ""),
        log_level="warning",
        **overrides,
    )


def access_token(*roles: str) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(uuid4()), "jti": str(uuid4()), "iat": now, "exp": now + 900}
    return jwt.encode({**claims, "roles": list(roles)}, KEY, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "1"})


class Caller:
    """Somebody with a token, or nobody in particular."""

    def __init__(self, client: httpx.AsyncClient, *roles: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {access_token(*roles)}"} if roles else {}

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = self.headers | arguments.pop("headers", {})
        return await self.client.request(method, f"/inventory{path}", headers=headers, **arguments)

    async def get(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.request("GET", path, **arguments)

    async def post(self, path: str, body: Any = None, **arguments: Any) -> httpx.Response:
        return await self.request("POST", path, json=body, **arguments)

    async def stock_item(self, sku: str, stock: int, *, price: int = 100, currency: str = "EUR") -> None:
        body = {"sku": sku, "name": f"Item {sku}", "price": price, "currency": currency}
        created = await self.post("/items", body)
        assert created.status_code == 201, created.text
        if stock:
            adjusted = await self.post(f"/items/{sku}/adjustments", {"delta": stock, "reason": "delivery"})
            assert adjusted.status_code == 201, adjusted.text


class Api:
    """A running API process and its callers."""

    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self.database = database
        self.client = client
        self.anybody = Caller(client)
        self.customer = Caller(client, "customer")
        self.admin = Caller(client, "admin")
        self.service = Caller(client, "service")


@asynccontextmanager
async def serve(settings: InventorySettings) -> AsyncIterator[Api]:
    tokens = TokenVerifier.from_public_keys({"1": KEY.public_key()}, issuer=ISSUER, audience=AUDIENCE)
    app = create_app(settings, title="Inventory", routers=[router], tokens=tokens)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none", timeout_graceful_shutdown=5))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield Api(client, app.resources.database)
    server.should_exit = True
    await running
