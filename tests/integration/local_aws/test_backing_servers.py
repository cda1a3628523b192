"""Each backing server: starts, survives a restart with its data, says clearly why it cannot start, dies with us."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from local_aws.errors import PortTaken, ServerDidNotStart, StateFolderUnreachable
from local_aws.processes import free_port, user_namespaces_work
from local_aws.servers import ministack
from local_aws.servers.ministack import AwsServer
from local_aws.servers.postgres import Account, PostgresServer
from local_aws.servers.server import BackingServer
from local_aws.servers.valkey import RedisServer

NO_SYNC = {"fsync": "off"}
Create = Callable[[Path, int], BackingServer]
KINDS: list[Create] = [lambda path, port: PostgresServer(path, port, settings=NO_SYNC), RedisServer, AwsServer]


@pytest.fixture(params=KINDS, ids=["postgres", "redis", "aws"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BackingServer]:
    create: Create = request.param
    server = create(tmp_path / "data", free_port())
    yield server
    server.stop()


def write(server: BackingServer) -> None:
    match server:
        case RedisServer():
            with redis.from_url(server.url) as client:
                client.set("kept", "yes")
        case AwsServer():
            ministack.connect(server.endpoint_url, "us-east-1").sqs.create_queue(QueueName="kept")


def read(server: BackingServer) -> bool:
    match server:
        case RedisServer():
            with redis.from_url(server.url) as client:
                return bool(client.get("kept") == b"yes")
        case AwsServer():
            queues = ministack.connect(server.endpoint_url, "us-east-1").sqs.list_queues()["QueueUrls"]
            return any(url.endswith("/kept") for url in queues)
        case _:
            return True


def test_server_starts_stops_and_starts_again_with_its_data(server: BackingServer) -> None:
    assert not server.is_running()
    server.start()
    server.start()  # a second time does nothing
    assert server.is_running()
    write(server)
    server.stop()
    assert not server.is_running()
    assert server.pid is None
    server.start()
    assert read(server)


def test_killed_server_is_seen_as_such_and_starts_again(server: BackingServer) -> None:
    server.start()
    assert server.pid is not None
    psutil.Process(server.pid).kill()
    psutil.Process(server.pid).wait(60)
    assert not server.is_running()
    server.start()
    assert server.is_running()


def test_taken_port_names_the_port_its_holder_and_the_variable(server: BackingServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        with pytest.raises(PortTaken) as caught:
            server.start()
    assert str(server.port) in caught.value.what
    assert f"pid {os.getpid()}" in str(caught.value.because)
    assert f"{server.port_variable}=" in str(caught.value.hint)


def test_server_ends_with_the_process_that_started_it(server: BackingServer, tmp_path: Path) -> None:
    program = f"""
import sys, time
from pathlib import Path
from {type(server).__module__} import {type(server).__name__} as Server
server = Server(Path({str(server.directory)!r}), {server.port})
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(60)
    server.start()  # finds the port free and the data in order
    assert server.is_running()


def test_server_that_dies_at_its_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path, free_port(), settings={"shared_buffers": "plenty"})
    with pytest.raises(ServerDidNotStart, match=r"invalid value for parameter .*shared_buffers"):
        server.start()


def test_interrupted_first_start_of_postgres_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "half").touch()
    (tmp_path / "cluster.new").mkdir()
    server = PostgresServer(tmp_path, free_port(), settings=NO_SYNC)
    server.start()
    server.stop()


async def test_postgres_lets_nobody_in_without_a_password(postgres_server: PostgresServer) -> None:
    port = postgres_server.port
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", password="guess")
    connection = await asyncpg.connect(postgres_server.url)
    assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
    await connection.close()


def accounts() -> list[Account]:
    if os.geteuid() != 0:
        return [Account.OURSELVES]
    return [Account.NAMESPACE, Account.NOBODY] if user_namespaces_work() else [Account.NOBODY]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("account", accounts())
async def test_postgres_runs_under_each_account_that_a_machine_may_need(account: Account, open_folder: Path) -> None:
    server = PostgresServer(open_folder / "data", free_port(), settings=NO_SYNC, account=account)
    server.start()
    connection = await asyncpg.connect(server.url)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    server.stop()


def test_postgres_says_why_nobody_cannot_run_it_here(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "data", free_port(), account=Account.NOBODY)
    with pytest.raises(StateFolderUnreachable, match="PLATFORM_STATE"):
        server.start()


async def test_postgres_ends_open_connections_when_it_stops(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path, free_port(), settings=NO_SYNC)
    server.start()
    connection = await asyncpg.connect(server.url)
    server.stop()
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("SELECT 1")
    connection.terminate()


def test_server_that_hangs_is_killed_when_it_does_not_stop(tmp_path: Path) -> None:
    class HastyRedis(RedisServer):
        stop_timeout_seconds = 0.2

    server = HastyRedis(tmp_path, free_port())
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    server.stop()
    assert not server.is_running()
