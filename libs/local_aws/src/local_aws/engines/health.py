"""Asks a task for its health over HTTP, as a target group's health check does."""

import asyncio
from typing import Final

from local_aws.ports import LOOPBACK

TIMEOUT_SECONDS: Final = 2.0


async def http_status(port: int, path: str) -> int | None:
    """The status of one GET; None if there is no answer in time."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
                status_line = await reader.readline()
            finally:
                writer.close()
        return int(status_line.split()[1])
    except (OSError, TimeoutError, ValueError, IndexError):
        return None
