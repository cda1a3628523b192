"""Connections with sslmode=verify-ca and verify-full, to a PostgreSQL whose certificate a test's authority signed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from testcontainers.community.postgres import PostgresContainer

from platform_sdk.runtime.database.migrate import MigrationFailed, migrate
from platform_sdk.runtime.database.pool import Database
from platform_sdk.runtime.database.unit_of_work import DatabaseUnavailable
from tests.support.certificates import new_authority
from tests.support.repository import ROOT

# Before the server starts: PostgreSQL accepts a key only if nobody but its owner may read it.
TURN_TLS_ON = """
install --mode 600 /server/key.pem /server/certificate.pem "$PGDATA"
printf "ssl = on\\nssl_cert_file = 'certificate.pem'\\nssl_key_file = 'key.pem'\\n" >> "$PGDATA/postgresql.conf"
"""


@dataclass(frozen=True)
class Server:
    """`localhost` is the name in its certificate; by `127.0.0.1` it is the same server under a name that is not."""

    port: int
    authority: Path
    other_authority: Path

    def url(self, host: str = "localhost", **parameters: object) -> str:
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgresql://postgres@{host}:{self.port}/platform?{query}"


@pytest.fixture(scope="module")
def server(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls")
    authority, other = new_authority(), new_authority()
    (folder / "authority.pem").write_bytes(authority.pem)
    (folder / "other.pem").write_bytes(other.pem)
    identity = authority.identity_of("localhost")
    postgres = PostgresContainer(
        "postgres:17", username="postgres", password="of-tests", dbname="platform", driver=None
    )
    postgres.with_copy_into_container(identity.key, "/server/key.pem")
    postgres.with_copy_into_container(identity.certificate, "/server/certificate.pem")
    postgres.with_copy_into_container(TURN_TLS_ON.encode(), "/docker-entrypoint-initdb.d/tls.sh")
    with postgres:
        yield Server(postgres.get_exposed_port(5432), folder / "authority.pem", folder / "other.pem")


async def is_encrypted(url: str) -> bool:
    """Raises DatabaseUnavailable."""
    database = Database(url, password="of-tests")
    await database.open()
    try:
        async with database.reader() as reader:
            return bool(await reader.fetch_value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
    finally:
        await database.close()


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_the_right_authority_and_name_connect(server: Server, mode: str) -> None:
    assert await is_encrypted(server.url(sslmode=mode, sslrootcert=server.authority))


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_another_authority_is_refused(server: Server, mode: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="certificate verify failed"):
        await is_encrypted(server.url(sslmode=mode, sslrootcert=server.other_authority))


async def test_without_a_named_authority_only_those_of_rds_are_trusted(server: Server) -> None:
    with pytest.raises(DatabaseUnavailable, match="certificate verify failed"):
        await is_encrypted(server.url(sslmode="verify-full"))


async def test_another_name_is_refused_where_the_name_counts(server: Server) -> None:
    assert await is_encrypted(server.url("127.0.0.1", sslmode="verify-ca", sslrootcert=server.authority))
    with pytest.raises(DatabaseUnavailable, match=r"certificate verify failed: .*127\.0\.0\.1"):
        await is_encrypted(server.url("127.0.0.1", sslmode="verify-full", sslrootcert=server.authority))


async def test_migrations_check_the_server_alike(server: Server) -> None:
    migrations = ROOT / "services" / "orders" / "migrations"
    with pytest.raises(MigrationFailed, match="certificate is not trusted"):
        await migrate(server.url(sslmode="verify-full"), "of-tests", migrations)
    outcome = await migrate(server.url(sslmode="verify-full", sslrootcert=server.authority), "of-tests", migrations)
    assert outcome.applied == outcome.heads
