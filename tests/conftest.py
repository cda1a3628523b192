"""The real servers that tests share: started when the first test asks for them, stopped at the end of the run."""

import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path, PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from local_aws.processes import free_port
from local_aws.servers.ministack import AwsServer
from local_aws.servers.postgres import PostgresServer
from local_aws.servers.valkey import RedisServer
from tests.support.databases import Databases

pytest_plugins = ["tests.support.fixtures"]

# Everything that signs AWS requests finds these, and nobody's real account.
os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_REGION="us-east-1")
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    os.environ.pop(variable, None)


def group_of(nodeid: str) -> str:
    """Return the group of a test. One process runs a group, in its order, because it shares servers or cases."""
    path = PurePosixPath(nodeid.partition("::")[0])
    match path.parts[1]:
        case _ if path.name in {"test_up_and_down.py", "test_bad_versions.py"} or "interrupted" in path.name:
            return path.name
        case "acceptance" | "faults":
            return "local stack"
        case "integration" | "containers":
            return str(path.parent)
        case _:
            return nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Let xdist distribute groups, those with the most tests first.

    The markers of `--dist=loadgroup` have no effect in pytest 9.2: xdist 3.8 appends them to a private member of items.
    """
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group_of
    return scheduler


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Some tests log what is no UTF-8, and a report travels between the processes as UTF-8."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


# Nothing in a test survives a power cut anyway.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal"}
_FAST |= {"max_wal_senders": "0", "shared_buffers": "32MB"}


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("postgres"), free_port(), settings=_FAST)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    server = AwsServer(tmp_path_factory.mktemp("aws"), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def databases(postgres_server: PostgresServer) -> Databases:
    return Databases(postgres_server.url)


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A fresh, empty database, dropped after the test: `postgresql://postgres:…@127.0.0.1:…/test_…`."""
    async with databases.empty() as url:
        yield url


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parent.parent
