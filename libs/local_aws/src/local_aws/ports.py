"""Ports: a free one to hand out, and who holds a taken one. Used by everything here that listens."""

import errno
import socket

import psutil

from local_aws.errors import PortTaken

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, *, purpose: str, variable: str) -> None:
    """Raises PortTaken, naming the holder and the variable that moves us elsewhere, if the port cannot be bound."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise _port_taken(port, error, purpose, variable) from None


def _port_taken(port: int, error: OSError, purpose: str, variable: str) -> PortTaken:
    if error.errno == errno.EACCES:
        because = "ports below 1024 need root"
    else:
        because = f"{holder_of(port) or 'a process of another user'} listens on it"
    return PortTaken(
        f"port {port} for {purpose} is taken" if error.errno != errno.EACCES else f"port {port} is not allowed",
        because=because,
        hint=f"stop that process, or choose another port: {variable}={port + 1}",
    )


def holder_of(port: int) -> str | None:
    """The process that listens on the port, as `python3 (pid 42)`; None where the system does not tell us."""
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
