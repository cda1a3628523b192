"""Measure orders per second: our endpoint, the same SQL with asyncpg alone, and the usual way to write it.

One process serves each endpoint, on the same PostgreSQL (fsync on), with the same load generator, one after the other.
"""

import asyncio
import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.load import requests_per_second
from benchmarks.table import Row
from local_aws.processes import free_port
from local_aws.servers.postgres import PostgresServer
from orders import statements
from platform_sdk.deploy.render.variables import password_literal
from platform_sdk.runtime.database.migrate import migrate
from platform_sdk.runtime.http import idempotency
from platform_sdk.runtime.messaging import outbox

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, ORDERS, CONNECTIONS = 5, 1200, 16
ISSUER, AUDIENCE, KEY_ID = "bench", "bench", "bench"
ITEMS = [{"sku": "CHAIR-1", "quantity": 2}, {"sku": "TABLE-1", "quantity": 1}]


@dataclass(frozen=True)
class Endpoint:
    """One way to serve POST /orders."""

    name: str
    port: int


def run() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="platform-bench-") as folder:
        server = PostgresServer(Path(folder), free_port())
        server.start()
        try:
            return asyncio.run(_measure(server.url))
        finally:
            server.stop()


async def _measure(superuser_url: str) -> list[Row]:
    key = Ed25519PrivateKey.generate()
    url = await _orders_schema(superuser_url)
    ours, usual = Endpoint("ours", free_port()), Endpoint("usual", free_port())
    samples: dict[str, list[float]] = {"raw": [], "ours": [], "usual": []}
    with _serving(key, url, ours, usual):
        for _ in range(ROUNDS):
            samples["raw"].append(await _raw_per_second(url))
            for endpoint in (ours, usual):
                samples[endpoint.name].append(await _placed_per_second(endpoint, key))
            await _empty(url)
    raw = Row("same SQL, asyncpg alone", "orders/s", samples["raw"])
    usual_row = Row("POST /orders, the usual way", "orders/s", samples["usual"])
    return [
        raw,
        usual_row,
        Row("POST /orders", "orders/s", samples["ours"], compared_with=raw, aim="0.3 x asyncpg alone"),
        Row("POST /orders", "orders/s", samples["ours"], compared_with=usual_row, aim="3 x the usual way"),
    ]


async def _orders_schema(superuser_url: str) -> str:
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(f"CREATE ROLE orders LOGIN PASSWORD {password_literal('orders')}")
    await connection.execute("CREATE SCHEMA orders AUTHORIZATION orders")
    await connection.execute("ALTER ROLE orders SET search_path = orders")
    await connection.close()
    parts = urlsplit(superuser_url)
    url = urlunsplit(parts._replace(netloc=f"orders@{parts.hostname}:{parts.port}"))
    await migrate(url, "orders", ROOT / "services/orders/migrations")
    return url


async def _empty(url: str) -> None:
    connection = await asyncpg.connect(url, password="orders")
    await connection.execute("TRUNCATE orders, order_items, order_history, outbox, idempotency, inbox")
    await connection.close()


async def _raw_per_second(url: str) -> float:
    """Return how many orders per second asyncpg alone handles."""
    pool = await asyncpg.create_pool(url, password="orders", min_size=CONNECTIONS, max_size=CONNECTIONS)
    left = iter(range(ORDERS))

    async def one_connection() -> None:
        async with pool.acquire() as connection:
            for _ in left:
                async with connection.transaction():
                    await _place(connection, uuid4(), uuid4())

    start = time.perf_counter()
    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))
    seconds = time.perf_counter() - start
    await pool.close()
    return ORDERS / seconds


async def _place(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", user_id: UUID, order_id: UUID) -> None:
    scope, key = f"{user_id} POST /orders", str(order_id)
    await connection.fetchval(idempotency._CLAIM.sql, scope, key, b"\0" * 32)
    skus, quantities = [item["sku"] for item in ITEMS], [item["quantity"] for item in ITEMS]
    lifetime = timedelta(minutes=15)
    await connection.fetchrow(
        statements.PLACE_ORDER.sql, order_id, user_id, None, None, None, lifetime, skus, quantities
    )
    payload = orjson.dumps({"order_id": order_id, "user_id": user_id, "items": ITEMS}).decode()
    await connection.execute(
        outbox.INSERT.sql, [uuid4()], [str(order_id)], [1], ["order.placed"], [1], [payload], ['{"source": "orders"}']
    )
    await connection.execute(idempotency._COMPLETE.sql, 202, b"x" * 700, "{}", scope, key)


async def _placed_per_second(endpoint: Endpoint, key: Ed25519PrivateKey) -> float:
    token = _token(key)
    body = json.dumps({"items": ITEMS}).encode()

    def build(_: int) -> bytes:
        return (
            f"POST /orders HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {uuid4()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    address = ("127.0.0.1", endpoint.port)
    await requests_per_second(*address, build, count=100, connections=CONNECTIONS, expected_status=202)
    return await requests_per_second(*address, build, count=ORDERS, connections=CONNECTIONS, expected_status=202)


def _token(key: Ed25519PrivateKey) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(uuid4()),
        "jti": str(uuid4()),
        "sid": str(uuid4()),
        "roles": ["customer"],
        "iat": now,
        "nbf": now,
        "exp": now + timedelta(minutes=15),
    }
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": KEY_ID})


@contextmanager
def _serving(key: Ed25519PrivateKey, url: str, ours: Endpoint, usual: Endpoint) -> Iterator[None]:
    """Serve both endpoints, and the key set for ours, until the block ends."""
    keys = _key_server(key)
    common = {**os.environ, "TOKEN_ISSUER": ISSUER, "TOKEN_AUDIENCE": AUDIENCE, "AWS_REGION": "us-east-1"}
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    our_variables = {
        "SERVICE_NAME": "orders",
        "SERVICE_PATH": "/orders",
        "ENVIRONMENT": "local",
        "HOST": "127.0.0.1",
        "PORT": str(ours.port),
        "DRAIN_DELAY_SECONDS": "0",
        "DATABASE_URL": f"{url}?sslmode=disable",
        "DATABASE_PASSWORD": "orders",
        "DATABASE_MAX_CONNECTIONS": str(CONNECTIONS),
        "EVENT_ROUTES": '{"order.placed": []}',
        "JWKS_URL": f"http://127.0.0.1:{keys.server_port}/jwks.json",
    }
    parts = urlsplit(url)
    usual_url = urlunsplit(
        parts._replace(scheme="postgresql+asyncpg", netloc=f"orders:orders@{parts.netloc.split('@')[1]}")
    )
    uvicorn = [sys.executable, "-m", "uvicorn", "benchmarks.usual_orders:app", "--port", str(usual.port)]
    processes = [
        _start([sys.executable, "-m", "orders.main"], {**common, **our_variables}),
        _start([*uvicorn, "--no-access-log"], {**common, "DATABASE_URL": usual_url, "PUBLIC_KEY": public}),
    ]
    try:
        for endpoint in (ours, usual):
            _wait_for_port(endpoint.port)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)
        keys.shutdown()
        keys.server_close()


def _start(command: list[str], variables: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _key_server(key: Ed25519PrivateKey) -> http.server.ThreadingHTTPServer:
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key()))
    document = json.dumps({"keys": [{**jwk, "kid": KEY_ID, "use": "sig", "alg": "EdDSA"}]}).encode()

    class Keys(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
