"""Each backing server: starts, survives a restart with its data, says clearly why it cannot start."""

from pathlib import Path

import asyncpg
import redis.asyncio

from local_aws.backing.aws import AwsServer
from local_aws.backing.redis import RedisServer


async def test_fixtures_give_working_servers(
    database_url: str, redis_server: RedisServer, aws_server: AwsServer, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT uuidv7() IS NOT NULL")
    await connection.close()
    client = redis.asyncio.from_url(redis_server.url)
    assert await client.ping()
    await client.aclose()
    assert aws_server.is_running()
