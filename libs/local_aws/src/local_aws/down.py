"""`platform down`: asks the supervisor to stop and waits; cleans up after one that was killed."""

import os
import signal
import time
from typing import Final

from local_aws.settings import Tell
from local_aws.state import ProcessRecord, StateFolder, end_leftovers
from local_aws.status import STATE_FILE

# A little more than the longest stop timeout that ECS knows (120 s), after which the supervisor kills tasks itself.
TIMEOUT_SECONDS: Final = 130.0


def take_down(folder: StateFolder, *, say: Tell) -> None:
    """Returns when nothing runs any more."""
    state = folder.read(STATE_FILE)
    supervisor = ProcessRecord(**state["supervisor"]) if "supervisor" in state else None
    if supervisor is None or not supervisor.is_alive():
        count = end_leftovers(state)
        say(f"ended {count} processes that a killed run had left" if count else "the platform is not running")
        return
    started = time.monotonic()
    say(f"stopping the platform (pid {supervisor.pid})")
    os.kill(supervisor.pid, signal.SIGTERM)
    while supervisor.is_alive() and time.monotonic() - started < TIMEOUT_SECONDS:
        time.sleep(0.05)
    if supervisor.is_alive():
        say("it does not stop; ending it and all that it started")
        os.kill(supervisor.pid, signal.SIGKILL)
        end_leftovers(folder.read(STATE_FILE))
    say(f"stopped after {time.monotonic() - started:.1f} s; the data stays in {folder.path}")
