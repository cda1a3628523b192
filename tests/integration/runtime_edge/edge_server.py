"""An app on a real server on a free loopback port, and a client that can send what no decent client would."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import uvicorn

from platform_sdk.runtime.http.app import ServiceApp


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Edge:
    """Where the app listens."""

    port: int
    app: ServiceApp

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.request("GET", path, None, **headers)

    async def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        lines = [f"{method} {path} HTTP/1.1", "host: edge", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body is not None and "transfer_encoding" not in headers:
            lines.append(f"content-length: {len(body)}")
        return await self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    async def post_json(self, path: str, body: bytes, **headers: str) -> Answer:
        return await self.request("POST", path, body, content_type="application/json", **headers)

    async def send(self, raw: bytes) -> Answer:
        """Sends `raw` as it is, and reads until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw)
            await writer.drain()
            return parse(await asyncio.wait_for(reader.read(), 60))
        finally:
            writer.close()


def parse(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


@asynccontextmanager
async def serve(app: ServiceApp) -> AsyncIterator[Edge]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", http="httptools", lifespan="on")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
            if serving.done():
                serving.result()
        try:
            yield Edge(listener.getsockname()[1], app)
        finally:
            server.should_exit = True
            await serving
