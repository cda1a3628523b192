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
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar, cast

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

Answer = dict[str, str | int]
T = TypeVar("T")


class Server(socketserver.ThreadingUnixStreamServer):
    """Calls may nest: what a program's stand-in starts, may call another's.

    `main` names programs whose stand-ins must run in the main thread, because they listen to signals: see `beside`.
    """

    daemon_threads = True

    def __init__(self, address: str, stand_ins: Mapping[str, StandIn], main: Collection[str]) -> None:
        self.stand_ins = stand_ins
        self.main = frozenset(main)
        self.waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        super().__init__(address, Handler)

    def beside(self, work: Callable[[], T]) -> T:
        """What the work, in a thread of its own, comes to; meanwhile this thread runs what must be in the main one."""
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(work)
            working.add_done_callback(lambda _: self.waiting.put(None))
            while (task := self.waiting.get()) is not None:
                task()
            return working.result()

    def answer(self, call: ProgramCall) -> Answer:
        if call.program not in self.main:
            return answer_of(self.stand_ins[call.program], call)
        done: Future[Answer] = Future()
        self.waiting.put(lambda: done.set_result(answer_of(self.stand_ins[call.program], call)))
        return done.result()


def answer_of(stand_in: StandIn, call: ProgramCall) -> Answer:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            code = stand_in(call)
        except Exception:
            traceback.print_exc()
            code = 1
    return {"output": output.getvalue(), "code": code}


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        call: dict[str, Any] = json.loads(self.rfile.readline())
        call["given"] = base64.b64decode(call["given"])
        server = cast(Server, self.server)
        answer = server.answer(ProgramCall(**{**call, "arguments": tuple(call["arguments"])}))
        self.wfile.write(json.dumps(answer).encode() + b"\n")


@contextlib.contextmanager
def stand_ins(programs: Mapping[Path, StandIn], address: Path, main: Collection[str] = ()) -> Iterator[Server]:
    """The programs, by the place at which each is put, for as long as the block runs; `address` is that of a socket."""
    by_name = {place.name: stand_in for place, stand_in in programs.items()}
    for place in programs:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(SCRIPT.format(python=sys.executable, address=str(address), name=place.name), encoding="utf-8")
        place.chmod(0o755)
    with Server(str(address), by_name, main) as server:
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
