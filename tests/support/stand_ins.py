"""Programs of a build machine that call back: a test stands in for each, and answers what it prints and how it ends.

A program of this kind is a small script that hands over its arguments, input, folder and variables by a socket. So a
build runs in a real shell, with the real programs beside it, while what would take minutes or reach AWS happens here.
"""

import base64
import contextlib
import io
import json
import os
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

SCRIPT: Final = """#!{python} -ISE
import base64, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    given = base64.b64encode(sys.stdin.buffer.read()).decode()
    call = dict(program={name!r}, arguments=sys.argv[1:], given=given, folder=os.getcwd(), variables=dict(os.environ))
    line.sendall(json.dumps(call).encode() + b"\\n")
    answer = json.loads(line.makefile().readline())
sys.stdout.write(answer["output"])
sys.exit(answer["code"])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramCall:
    program: str
    arguments: tuple[str, ...]
    given: bytes
    folder: str
    variables: Mapping[str, str]


StandIn = Callable[[ProgramCall], int]
"""Prints to stdout or stderr and returns the exit code, as the program would."""


class Server(socketserver.ThreadingUnixStreamServer):
    """Calls may nest: what a program's stand-in starts, may call another's."""

    daemon_threads = True

    def __init__(self, address: str, stand_ins: Mapping[str, StandIn]) -> None:
        self.stand_ins = stand_ins
        self.calls: list[ProgramCall] = []
        super().__init__(address, Handler)


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        call: dict[str, Any] = json.loads(self.rfile.readline())
        call["given"] = base64.b64decode(call["given"])
        program = ProgramCall(**{**call, "arguments": tuple(call["arguments"])})
        server = cast(Server, self.server)
        server.calls.append(program)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = server.stand_ins[program.program](program)
        self.wfile.write(json.dumps({"output": output.getvalue(), "code": code}).encode() + b"\n")


@contextlib.contextmanager
def stand_ins(programs: Mapping[Path, StandIn], address: Path) -> Iterator[Server]:
    """The programs, by the place at which each is put, for as long as the block runs; `address` is that of a socket."""
    by_name = {place.name: stand_in for place, stand_in in programs.items()}
    for place in programs:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(SCRIPT.format(python=sys.executable, address=str(address), name=place.name), encoding="utf-8")
        place.chmod(0o755)
    with Server(str(address), by_name) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def as_if_called(call: ProgramCall) -> Iterator[None]:
    """In the caller's folder and with its variables: this process stands in for one that they were given to."""
    before, folder = dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(call.variables)
    os.chdir(call.folder)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
