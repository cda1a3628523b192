"""The life of the local stack: up in the foreground, Ctrl-C, up again with its data, killed, ports taken, reset."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.local_stack import PLATFORM, LocalStack, environment, wait_for
from tests.support.repository import ROOT


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A local stack of these tests' own. Each test brings it into the state that it needs; a start takes a while."""
    local_stack = LocalStack(environment(tmp_path_factory.mktemp("own_stack") / "state"))
    yield local_stack
    local_stack.platform("down")


def processes_of(local_stack: LocalStack) -> list[psutil.Process]:
    """Everything that carries the state folder of the local stack in its environment."""
    state = local_stack.variables["PLATFORM_STATE"]
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PLATFORM_STATE") == state and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def recorded_pids(local_stack: LocalStack) -> set[int]:
    status = local_stack.status()
    entries = [*status["servers"], *status["tasks"]]
    return {int(status["pid"])} | {int(entry["pid"]) for entry in entries if entry["pid"]}


def all_gone(pids: set[int]) -> bool:
    return not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


def sign_up(local_stack: LocalStack, email: str) -> int:
    body = {"email": email, "password": "correct horse battery staple", "name": "Ada"}
    return httpx.post(f"{local_stack.url}/users", json=body, timeout=30).status_code


def test_port_that_is_taken_is_named_with_the_way_out(own_stack: LocalStack) -> None:
    own_stack.platform("down")
    port = int(own_stack.variables["PLATFORM_PORT"])
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        refused = own_stack.platform("up", "--detach")
    assert refused.returncode == 1
    assert str(port) in refused.stderr
    assert "PLATFORM_PORT" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert processes_of(own_stack) == []


def test_foreground_up_stops_on_interrupt_leaves_nothing_and_keeps_its_data(own_stack: LocalStack) -> None:
    own_stack.platform("down")
    log = Path(own_stack.variables["PLATFORM_STATE"]).with_suffix(".log")
    with log.open("w") as output:
        up = subprocess.Popen(
            [str(PLATFORM), "up", "--no-watch"], env=dict(own_stack.variables), cwd=ROOT, stdout=output, stderr=output
        )
        wait_for(lambda: own_stack.platform("status").returncode == 0, 120, "healthy")
        pids = recorded_pids(own_stack)
        assert len(pids) >= 1 + 4 + 8
        assert sign_up(own_stack, "interrupted@example.com") == 201
        again = own_stack.platform("up")
        assert again.returncode == 0, again.stderr
        assert "already" in again.stdout + again.stderr
        wait_for(lambda: "correct horse battery staple" in log.read_text(), 120, "the demo accounts are printed")

        up.send_signal(signal.SIGINT)

        assert up.wait(timeout=120) in {0, 130}
    assert all_gone(pids)
    assert processes_of(own_stack) == []
    assert own_stack.platform("status").returncode == 1

    own_stack.up(watch=True)
    assert sign_up(own_stack, "interrupted@example.com") == 409


def test_leftovers_of_a_killed_run_are_cleaned_up(own_stack: LocalStack) -> None:
    own_stack.up(watch=True)
    pids = recorded_pids(own_stack)
    supervisor = int(own_stack.status()["pid"])
    assert sign_up(own_stack, "killed@example.com") == 201
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: all_gone({supervisor}), 60, "the supervisor is gone")

    own_stack.up(watch=True)

    assert not recorded_pids(own_stack) & pids
    assert all_gone(pids)
    assert sign_up(own_stack, "killed@example.com") == 409


def test_editing_a_service_restarts_its_tasks_and_no_others(own_stack: LocalStack) -> None:
    own_stack.up(watch=True)

    def pids(service: str) -> set[int]:
        return {int(task["pid"]) for task in own_stack.status()["tasks"] if task["service"] == service and task["pid"]}

    inventory, users = pids("inventory"), pids("users")
    edited = ROOT / "services/inventory/src/inventory" / f"edited_{os.getpid()}.py"
    edited.write_text('"""Written by a test that edits a service."""\n')
    try:
        start = time.monotonic()
        wait_for(lambda: not pids("inventory") & inventory and len(pids("inventory")) == 3, 120, "inventory restarted")
        print(f"restarted within {time.monotonic() - start:.1f} s")
        wait_for(lambda: own_stack.platform("status").returncode == 0, 120, "healthy again")
        assert pids("users") == users
    finally:
        edited.unlink()


def test_reset_empties_the_data_and_down_leaves_no_process(own_stack: LocalStack) -> None:
    own_stack.up(watch=True)
    assert sign_up(own_stack, "reset@example.com") == 201
    assert own_stack.platform("reset", "--yes").returncode == 0
    own_stack.up(watch=True)
    assert sign_up(own_stack, "reset@example.com") == 201
    own_stack.down()
    assert processes_of(own_stack) == []
