"""Generate load at little cost: keep-alive connections, each with one request after the other."""

import asyncio
import time
from collections.abc import Callable


class WrongAnswer(Exception):
    """The server gave an unexpected answer; its first bytes are the message."""


async def _connection(host: str, port: int, requests: Callable[[], bytes | None], expected_status: bytes) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    answered = 0
    try:
        while (request := requests()) is not None:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            body = await reader.readexactly(length)
            if head[9:12] != expected_status:
                raise WrongAnswer((head + body)[:600].decode(errors="replace"))
            answered += 1
    finally:
        writer.close()
    return answered


async def requests_per_second(
    host: str, port: int, build: Callable[[int], bytes], *, count: int, connections: int, expected_status: int
) -> float:
    """Send `count` requests over `connections` connections, closed loop.

    Args:
        build: the bytes of the request with that number.
        expected_status: any other status is an error.

    Raises:
        WrongAnswer: a request was answered with another status.
    """
    numbers = iter(range(count))

    def next_request() -> bytes | None:
        number = next(numbers, None)
        return None if number is None else build(number)

    start = time.perf_counter()
    answered = await asyncio.gather(
        *(_connection(host, port, next_request, str(expected_status).encode()) for _ in range(connections))
    )
    return sum(answered) / (time.perf_counter() - start)
