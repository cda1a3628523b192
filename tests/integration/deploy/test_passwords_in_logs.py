"""No password reaches a PostgreSQL server, so none is in its log, in `pg_stat_activity` or in the text of an error.

The server logs all that ours logs on AWS (`log_statement: ddl`) and more: each statement with its parameters.
"""

import re
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from click.testing import CliRunner

from aws_simulator.secrets_and_parameters import SecretsManager
from aws_simulator.small_services import RdsData
from local_aws.errors import DatabaseNotPrepared
from local_aws.processes import free_port
from local_aws.provision import prepare_database
from local_aws.servers.postgres import PostgresServer
from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.apply.after_creation import make_database_roles
from platform_sdk.deploy.aws.session import Aws
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.manifest import load_services
from platform_sdk.deploy.render.variables import password_literal, scram_verifier
from platform_sdk.runtime.database.migrate import migrate
from tests.support.applying import account_with_shared_stacks, copy_of, everything
from tests.support.releases import World, world
from tests.support.repository import FIXTURES, ROOT

LOGS_ALL = {"log_statement": "ddl", "log_min_duration_statement": "0", "log_min_error_statement": "error"}
SECRET = "platform/staging/orders/database"

UNUSUAL = [
    "plain",
    'it\'s "one" \\ $1 :a',
    "p\u00e4ssw\u00f6rd",
    "\u2168 and \ufb01",
    "a\u00a0b",
    "I\u00adX",
    "\u0627\u0628",
    "\u0627\u0031",
    "\u0627b\u0628",
    "\u00ad",
    "\u0221",
    "\u5bc6\u7801",
    "\U0001f511",
    "\u00e9\x07",
    "\ue000",
]
"""Mapped, folded, read from right to left, and forbidden by SASLprep: RFC 4013 and RFC 3454."""


@contextmanager
def logging_server(folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder / "data", free_port(), log=folder / "log", settings={"fsync": "off", **LOGS_ALL})
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with logging_server(tmp_path_factory.mktemp("logging")) as server:
        yield server


@pytest.fixture
async def owner(server: PostgresServer) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(server.url)
    yield connection
    await connection.close()


def log_of(server: PostgresServer) -> str:
    return server.log.read_text(errors="replace")


async def seen_by_others(owner: "asyncpg.Connection[asyncpg.Record]") -> str:
    return " ".join(row["query"] for row in await owner.fetch("SELECT query FROM pg_stat_activity"))


async def logs_in(server: PostgresServer, user: str, password: str, database: str = "postgres") -> bool:
    try:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=server.port, user=user, password=password, database=database
        )
    except asyncpg.InvalidPasswordError:
        return False
    await connection.close()
    return True


@pytest.mark.parametrize("password", UNUSUAL, ids=ascii)
async def test_the_verifier_is_the_one_that_the_server_makes(
    server: PostgresServer, owner: "asyncpg.Connection[asyncpg.Record]", password: str
) -> None:
    role = f"role_{uuid4().hex[:8]}"
    literal = await owner.fetchval("SELECT quote_literal($1::text)", password)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD {literal}")
    stored = await owner.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", role)
    salt = re.fullmatch(r"SCRAM-SHA-256\$4096:([^$]+)\$.*", stored)
    assert salt is not None
    assert scram_verifier(password, b64decode(salt[1])) == stored

    await owner.execute(f"ALTER ROLE {role} PASSWORD {password_literal(password)}")
    assert await logs_in(server, role, password)
    assert not await logs_in(server, role, password + "x")
    await owner.execute(f"DROP ROLE {role}")


async def test_the_local_stack_and_compose_send_no_password(
    server: PostgresServer, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    local, specs = load_environment(ROOT, "local"), [*load_services(ROOT, "local")]
    passwords = {spec.name: f"secret of {spec.name} {uuid4().hex}" for spec in specs}
    for _ in range(2):
        await prepare_database(server.url, specs, local, passwords=passwords, create=True)
    for name, password in passwords.items():
        assert await logs_in(server, name, password, local.database.name)
        assert password not in log_of(server) + await seen_by_others(owner)
    url = f"postgresql://orders@127.0.0.1:{server.port}/{local.database.name}"
    await migrate(url, passwords["orders"], ROOT / "services/orders/migrations")
    assert "CREATE TABLE" in log_of(server)
    assert passwords["orders"] not in log_of(server)


async def test_a_refused_statement_shows_no_password(
    server: PostgresServer, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    local, specs = load_environment(ROOT, "local"), [*load_services(ROOT, "local")]
    passwords = {spec.name: f"secret of {spec.name} {uuid4().hex}" for spec in specs}
    await prepare_database(server.url, specs, local, passwords=passwords, create=True)
    # It may do all up to the password: the roles are not its own.
    await owner.execute(f"CREATE ROLE weak LOGIN CREATEROLE PASSWORD {password_literal('weak')}")
    await owner.execute(f'ALTER DATABASE "{local.database.name}" OWNER TO weak')
    url = f"postgresql://weak:weak@127.0.0.1:{server.port}/postgres"
    with pytest.raises(DatabaseNotPrepared) as raised:
        await prepare_database(url, specs, local, passwords=passwords, create=False)
    assert "STATEMENT:  ALTER ROLE" in log_of(server)
    for password in passwords.values():
        assert password not in log_of(server) + await seen_by_others(owner) + str(raised.value)


async def replay(sent: list[str], server: PostgresServer, database: str) -> None:
    """Run what the data API was sent. It runs a statement without parameters as it is."""
    connection = await asyncpg.connect(server.url.rpartition("/")[0] + f"/{database}")
    for sql in sent:
        if not sql.startswith("SELECT"):
            await connection.execute(sql)
    await connection.close()


def login(case: World) -> tuple[str, str]:
    return case.aws.secrets.field(SECRET, "username"), case.aws.secrets.field(SECRET, "password")


async def test_apply_and_rotation_send_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement of the commands, run on a real server: the passwords work there, and end there."""
    monkeypatch.chdir(FIXTURES)
    staging, specs = everything("staging")
    applying = copy_of(account_with_shared_stacks("staging", "orders"))
    make_database_roles([specs["orders"]], staging, applying.context())
    created = applying.aws().secrets.field(SECRET, "password")
    case = world("orders", "staging", before=("v1",))
    case.simulator.clock.sleep(300)
    api = case.simulator.service(RdsData)
    api.made["ROLE"].append("orders")
    case.simulator.service(SecretsManager).put(SECRET, f'{{"username": "orders", "password": "{created}"}}')
    case.restart()
    aws = Aws(case.simulator.client, account_id=staging.account_id, region=staging.region)
    outside = Outside(connect=lambda _environment: aws, clock=case.simulator.clock)
    logins = [("orders", created)]
    with logging_server(tmp_path) as server:
        owner = await asyncpg.connect(server.url)
        await owner.execute(f'CREATE DATABASE "{staging.database.name}"')
        await replay(applying.simulator.service(RdsData).statements, server, staging.database.name)
        assert await logs_in(server, *logins[0], staging.database.name)
        for _ in range(2):
            api.statements.clear()
            command = ["secret", "rotate", "orders", "database", "--env", "staging"]
            result = CliRunner().invoke(platform, command, obj=outside)
            assert result.exit_code == 0, result.output
            assert all(":" not in sql or ":name" in sql for sql in api.statements), "the data API reads a parameter"
            await replay(api.statements, server, staging.database.name)
            logins.append(login(case))
            assert await logs_in(server, *logins[-1], staging.database.name)
            assert not await logs_in(server, *logins[-2], staging.database.name)
        seen = await seen_by_others(owner)
        await owner.close()
        assert log_of(server).count("SCRAM-SHA-256") > 4
    assert [user for user, _ in logins] == ["orders", "orders_2", "orders"]
    assert not [password for _, password in logins if password in log_of(server) + seen]


def test_each_statement_with_a_password_is_written_with_a_verifier() -> None:
    """A new statement elsewhere fails here, before it is known to the tests above."""
    sources = [path for folder in ("libs", "services", "deploy", "benchmarks") for path in (ROOT / folder).rglob("*.*")]
    texts = {path: path.read_text() for path in sources if path.suffix in {".py", ".sql", ".sh", ".yaml", ".toml"}}
    found = {path: re.findall(r"PASSWORD (?:E?\\?'|\{|%|\$).{,24}", text) for path, text in texts.items()}
    statements = [each for path, some in found.items() for each in some if "simulator" not in str(path)]
    assert len(statements) > 4
    assert not [each for each in statements if not each.startswith("PASSWORD {password_literal(")]
