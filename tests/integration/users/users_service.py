"""What the tests of the users service do with it: the service on a real server, accounts, problems."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import httpx
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import Record
from users.main import build_app
from users.settings import UsersSettings

MIGRATIONS = Path(__file__).parents[3] / "services" / "users" / "migrations"
PASSWORD = "correct horse battery staple"
SIGNING_KEY = Ed25519PrivateKey.generate()
ISSUER, AUDIENCE = "https://issuer.test", "platform-test"

Json = dict[str, Any]


@dataclass
class Account:
    """One user with a session."""

    service: "Users"
    email: str
    id: UUID
    tokens: Json

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}", **arguments.pop("headers", {})}
        return await self.service.http.request(method, path, headers=headers, **arguments)


@dataclass
class Users:
    """The running service: over HTTP, and its database below."""

    http: httpx.AsyncClient
    database: Database
    settings: UsersSettings

    async def post_user(self, email: str, password: str = PASSWORD, name: str = "Somebody") -> httpx.Response:
        return await self.http.post("/users", json={"email": email, "password": password, "name": name})

    async def log_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return await self.http.post("/users/sessions", json={"email": email, "password": password})

    async def refresh(self, token: str) -> httpx.Response:
        return await self.http.post("/users/sessions/refresh", json={"refresh_token": token})

    async def account(self, email: str | None = None) -> Account:
        """Signs up and logs in."""
        email = email or f"{uuid4().hex}@example.com"
        created = await self.post_user(email)
        assert created.status_code == 201, created.text
        return await self.session(email, UUID(created.json()["id"]))

    async def session(self, email: str, user_id: UUID) -> Account:
        answer = await self.log_in(email)
        assert answer.status_code == 200, answer.text
        return Account(self, email, user_id, answer.json())

    async def administrator(self) -> Account:
        account = await self.account()
        await self.execute("UPDATE users SET role = 'admin' WHERE id = $1", account.id)
        return await self.session(account.email, account.id)

    async def execute(self, sql: str, *arguments: object) -> None:
        async with self.database.unit_of_work() as uow:
            await uow.execute(sql, *arguments)

    async def rows(self, sql: str, *arguments: object) -> list[Record]:
        async with self.database.reader() as reader:
            return await reader.fetch(sql, *arguments)

    async def published(self, user_id: UUID) -> list[tuple[str, int]]:
        """Type and aggregate version of the user's messages, in the order in which they were written."""
        rows = await self.rows(
            "SELECT type, aggregate_version FROM outbox WHERE aggregate_id = $1 ORDER BY seq", str(user_id)
        )
        return [(row["type"], row["aggregate_version"]) for row in rows]


StartUsers = Callable[..., AbstractAsyncContextManager[Users]]


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem type, after checking that it is a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["type"].rpartition("/")[2]


def signing_key_pem() -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return SIGNING_KEY.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def settings_for(database_url: str, **options: Any) -> UsersSettings:
    parts = urlsplit(database_url)
    host = f"{parts.username}@{parts.hostname}:{parts.port}"
    return UsersSettings(
        service_name="users",
        service_path="/users",
        environment=f"test-{uuid4().hex[:8]}",
        database_url=urlunsplit(parts._replace(netloc=host)),
        database_password=SecretStr(parts.password) if parts.password else None,
        aws_region="us-east-1",
        token_issuer=ISSUER,
        token_audience=AUDIENCE,
        jwks_url="http://127.0.0.1:9/nobody-asks",
        **{"token_signing_key": signing_key_pem(), **options},
    )


@asynccontextmanager
async def running_users(settings: UsersSettings) -> AsyncIterator[Users]:
    """Starts the service."""
    database = Database.from_settings(settings)
    await database.open()
    async with _served(settings) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        yield Users(http, database, settings)
    await database.close()


@asynccontextmanager
async def _served(settings: UsersSettings) -> AsyncIterator[str]:
    config = uvicorn.Config(build_app(settings), log_config=None, lifespan="on", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            assert not serving.done(), "the server did not start"
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving
