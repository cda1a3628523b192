"""The orders API on a real server, and callers with real tokens."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import httpx
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from orders.api import router
from orders.settings import OrdersSettings
from platform_sdk.runtime.http.app import ServiceApp, create_app
from platform_sdk.runtime.http.auth import TokenVerifier

ISSUER, AUDIENCE = "https://users.test", "platform"
KEY = Ed25519PrivateKey.generate()
TEA = {"items": [{"sku": "TEA", "quantity": 1}]}


def settings(database_url: str, **overrides: Any) -> OrdersSettings:
    """As a task gets them: the password apart from the URL."""
    parts = urlsplit(database_url)
    address = parts.netloc.rpartition("@")[2]
    return OrdersSettings(
        service_name="orders",
        service_path="/orders",
        environment="test",
        aws_region="us-east-1",
        token_issuer=ISSUER,
        token_audience=AUDIENCE,
        jwks_url="http://127.0.0.1:9/jwks.json",
        database_url=urlunsplit(parts._replace(netloc=f"{parts.username}@{address}")),
        database_password=SecretStr(parts.password) if parts.password else None,
        log_level="warning",
        **overrides,
    )


def access_token(user_id: UUID, *roles: str) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(user_id), "jti": str(uuid4()), "iat": now, "exp": now + 900}
    return jwt.encode({**claims, "roles": list(roles)}, KEY, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "1"})


class Caller:
    """Somebody with a token."""

    def __init__(self, client: httpx.AsyncClient, *roles: str) -> None:
        self.client = client
        self.user_id = uuid4()
        self._authorization = {"Authorization": f"Bearer {access_token(self.user_id, *roles)}"}

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = self._authorization | arguments.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **arguments)

    async def get(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.request("GET", path, **arguments)

    async def post(self, path: str, **arguments: Any) -> httpx.Response:
        return await self.request("POST", path, **arguments)

    async def place(
        self, body: dict[str, Any] | None = None, *, key: str | None = None, prefer: str | None = None
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key or str(uuid4())} | ({"Prefer": prefer} if prefer else {})
        return await self.post("/orders", json=body or TEA, headers=headers)

    async def place_one(self) -> UUID:
        """The id of a new pending order."""
        response = await self.place()
        assert response.status_code == 202, response.text
        return UUID(response.json()["id"])

    def stream(self, path: str, **headers: str) -> Any:
        return self.client.stream("GET", path, headers=self._authorization | headers)


class Api:
    """A running API process."""

    def __init__(self, client: httpx.AsyncClient, app: ServiceApp) -> None:
        self.client = client
        self.app = app

    def customer(self) -> Caller:
        return Caller(self.client, "customer")

    def admin(self) -> Caller:
        return Caller(self.client, "admin")


@asynccontextmanager
async def serve(settings: OrdersSettings) -> AsyncIterator[Api]:
    tokens = TokenVerifier.from_public_keys({"1": KEY.public_key()}, issuer=ISSUER, audience=AUDIENCE)
    app = create_app(settings, title="Orders", routers=[router], tokens=tokens)
    server = _Server(uvicorn.Config(app, port=0, log_config=None, ws="none", timeout_graceful_shutdown=5))
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(60):
            await server.has_started.wait()
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield Api(client, app)
    finally:
        app.resources.stopping.set()
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    """Prints when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()
