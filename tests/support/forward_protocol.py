"""A receiver of log events, as Fluent Bit's forward input is one: behind a UNIX socket, as in FireLens.

Of the Forward protocol (github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1) it knows what Docker's
fluentd driver sends, one event a message: `[tag, time, record, option]` in MessagePack.
"""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

Read = Callable[[int], bytes]
"""So many bytes, no fewer."""

CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}
UNSIGNED: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
SIGNED: Final = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
BINARY: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
TEXT: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}
ARRAY: Final = {0xDC: 2, 0xDD: 4}
MAP: Final = {0xDE: 2, 0xDF: 4}
EVENT_TIME: Final = 0xD7
"""An extension of 8 bytes: seconds and nanoseconds (type 0)."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """`time` is in seconds since 1970; `record` has the driver's members: log, source, container_id, container_name."""

    tag: str
    time: float
    record: dict[str, str]


@dataclass
class Receiver:
    """What has arrived, in its order."""

    address: Path
    events: list[Event] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return [event.record["log"] for event in self.events]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes events until the block ends, and those that are on their way then."""
        events = self.events

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for event in events_of(self.rfile.read):
                    events.append(event)

        with socketserver.ThreadingUnixStreamServer(str(self.address), Connection) as server:
            server.daemon_threads = True
            server.block_on_close = False
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()


def events_of(read: Read) -> Iterator[Event]:
    """The events of one connection, until its other side closes it."""
    while first := read(1):
        tag, time, record, *_ = cast(list[Any], unpack(read, first[0]))
        yield Event(tag=tag, time=time, record=record)


def unpack(read: Read, first: int | None = None) -> object:
    """One value of MessagePack (github.com/msgpack/msgpack/blob/master/spec.md).

    Args:
        first: the value's first byte, if it has been read already.
    """
    first = read(1)[0] if first is None else first
    match first:
        case _ if first < 0x80:
            return first
        case _ if first < 0x90:
            return unpack_map(read, first & 0x0F)
        case _ if first < 0xA0:
            return [unpack(read) for _ in range(first & 0x0F)]
        case _ if first < 0xC0:
            return read(first & 0x1F).decode()
        case _ if first >= 0xE0:
            return first - 0x100
        case _ if first in CONSTANTS:
            return CONSTANTS[first]
    return unpack_sized(read, first)


def unpack_sized(read: Read, first: int) -> object:
    """A value whose size follows its first byte."""
    if first in SIGNED:
        return int.from_bytes(read(SIGNED[first]), signed=True)
    if first in UNSIGNED:
        return number(read, UNSIGNED[first])
    if first in TEXT:
        return read(number(read, TEXT[first])).decode()
    if first in BINARY:
        return read(number(read, BINARY[first]))
    if first in ARRAY:
        return [unpack(read) for _ in range(number(read, ARRAY[first]))]
    if first in MAP:
        return unpack_map(read, number(read, MAP[first]))
    assert first == EVENT_TIME, f"the fluentd driver sends no values of type {first:#x}"
    assert number(read, 1) == 0
    return number(read, 4) + number(read, 4) / 1e9


def unpack_map(read: Read, size: int) -> dict[object, object]:
    return {unpack(read): unpack(read) for _ in range(size)}


def number(read: Read, size: int) -> int:
    return int.from_bytes(read(size))
