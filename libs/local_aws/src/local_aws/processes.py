"""Process groups that end with their parent, and ports. The lowest layer, used by servers and tasks."""

import contextlib
import ctypes
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from local_aws.errors import PortTaken

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
# Loaded before any fork: between fork and exec a child must import and allocate as little as possible.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

Preparation = Callable[[], None]
"""Runs in the child between fork and exec."""


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    prepare: Preparation | None = None,
    user: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command as leader of its own session, its output appended to `log`.

    When the calling *thread* ends, Linux sends the child `death_signal`; so call this from a thread that lives as long
    as the child should.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=directory,
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal, prepare),
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


def die_with_parent(death_signal: signal.Signals, prepare: Preparation | None = None) -> Preparation:
    """Return a preparation that ends the child when this process ends, and then runs `prepare`."""
    parent = os.getpid()

    def in_child() -> None:
        if prepare is not None:
            prepare()
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # the parent died before the call, so the signal would never come
                os._exit(1)

    return in_child


def enter_user_namespace() -> None:
    """Enter a user namespace, as a preparation: inside it the user is 1000; outside, user and files stay the same.

    For programs that refuse to run as root. Raises OSError where the system does not allow user namespaces.
    """
    uid, gid = os.geteuid(), os.getegid()  # read before unshare: inside, until the maps are written, both are 65534
    if _LIBC is None or _LIBC.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not available")
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)


def user_namespaces_work() -> bool:
    """Return whether this system allows user namespaces; a strict seccomp profile forbids them."""
    try:
        return subprocess.run(["true"], preexec_fn=enter_user_namespace, check=False).returncode == 0
    except (subprocess.SubprocessError, OSError):
        return False


def stop(
    process: subprocess.Popen[bytes],
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    timeout_seconds: float,
    whole_group: bool = False,
) -> None:
    """Ask the process (or its whole group) to stop; whatever is left of the group after the timeout is killed."""
    if process.poll() is None:
        if whole_group:
            signal_group(process.pid, stop_signal)
        else:
            process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout_seconds)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()


def signal_group(leader: int, number: signal.Signals) -> None:
    """Signal every process of the group that `spawn` created; a group that is gone is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


# Ports: what listens on one, a free one, and the process that holds a taken one.

LOOPBACK = "127.0.0.1"


def http_status(port: int, path: str) -> int | None:
    """Return the status of one GET on this machine; None if there is no answer within a second."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def free_port() -> int:
    """Return a TCP port on which no process listens at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, *, purpose: str, variable: str) -> None:
    """Raise PortTaken, with the holder and the variable that sets another port, if the port cannot be bound."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise _port_taken(port, error, purpose, variable) from None


def _port_taken(port: int, error: OSError, purpose: str, variable: str) -> PortTaken:
    if error.errno == errno.EACCES:
        what, because = f"port {port} is not allowed", "ports below 1024 need root"
    else:
        what = f"port {port} for {purpose} is taken"
        because = f"{holder_of(port) or 'a process of another user'} listens on it"
    return PortTaken(what, because=because, hint=f"stop that process, or choose another port: {variable}={port + 1}")


def holder_of(port: int) -> str | None:
    """Return the process that listens on the port, as `python3 (pid 42)`; None where the system does not say."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.AccessDenied, OSError):
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return _describe(connection.pid)
    return None


def _describe(pid: int | None) -> str | None:
    if pid is None:
        return None
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
