"""Public keys over HTTP, and what happens while the users service is away."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local_aws.processes import free_port
from local_aws.servers.valkey import RedisServer
from platform_sdk.runtime.cache import Cache
from platform_sdk.runtime.http import auth as tokens_module
from platform_sdk.runtime.http.auth import PublishedKeys
from platform_sdk.runtime.http.problems import Problem


class UsersService:
    """Publishes a key set, counts who asks, and can fail in several ways."""

    def __init__(self) -> None:
        self.keys: list[dict[str, str]] = []
        self.asked = 0
        self.status = 200
        self.body: bytes | None = None
        self.port = free_port()

    def add_key(self, key_id: str) -> None:
        raw = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        self.keys.append({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": key_id, "x": x})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks.json"

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.body is not None:
            return web.Response(body=self.body)
        return web.json_response({"keys": self.keys}, status=self.status)


@pytest.fixture
async def users() -> AsyncIterator[UsersService]:
    service = UsersService()
    service.add_key("k1")
    app = web.Application()
    app.router.add_get("/jwks.json", service.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", service.port).start()
    yield service
    await runner.cleanup()


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "REFRESH_INTERVAL_SECONDS", 0)


async def keys_of(url: str, cache: Cache | None = None) -> PublishedKeys:
    return PublishedKeys(url, cache or Cache(None, prefix=""))


async def test_concurrent_first_tokens_ask_once(users: UsersService) -> None:
    keys = await keys_of(users.url)
    found = await asyncio.gather(*(keys.find("k1") for _ in range(20)))
    assert all(key is not None for key in found)
    assert users.asked == 1
    await keys.close()


async def test_unknown_key_ids_cannot_make_us_ask_again_and_again(users: UsersService) -> None:
    keys = await keys_of(users.url)
    for n in range(20):
        assert await keys.find(f"unknown-{n}") is None
    assert users.asked == 1
    await keys.close()


@pytest.mark.usefixtures("no_pause")
async def test_a_new_key_is_found_when_the_first_token_names_it(users: UsersService) -> None:
    keys = await keys_of(users.url)
    assert await keys.find("k2") is None
    users.add_key("k2")
    assert await keys.find("k2") is not None
    assert await keys.find("k1") is not None
    await keys.close()


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b'{"keys": [1]}', b'{"keys": [{"kid": 1}]}'])
async def test_known_keys_serve_on_while_the_users_service_is_ill(users: UsersService, body: bytes | None) -> None:
    keys = await keys_of(users.url)
    assert await keys.find("k1") is not None
    users.status, users.body = 500, body
    assert await keys.find("unknown") is None
    assert await keys.find("k1") is not None
    await keys.close()


@pytest.mark.usefixtures("no_pause")
async def test_a_key_set_with_a_broken_key_of_ours_is_refused_whole(users: UsersService) -> None:
    keys = await keys_of(users.url)
    await keys.find("k1")
    users.keys = [users.keys[0] | {"x": "AAAA", "kid": "k2"}]
    assert await keys.find("k2") is None
    assert await keys.find("k1") is not None
    await keys.close()


async def test_a_task_that_starts_while_the_users_service_is_away_takes_the_keys_from_redis(
    users: UsersService, redis_server: RedisServer
) -> None:
    cache = Cache(redis_server.url, prefix=f"test:{uuid4()}:")
    first = await keys_of(users.url, cache)
    await first.find("k1")
    second = await keys_of(f"http://127.0.0.1:{free_port()}/", cache)
    assert await second.find("k1") is not None
    for closing in (first, second, cache):
        await closing.close()


async def test_without_any_keys_it_is_503() -> None:
    keys = await keys_of(f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(Problem) as caught:
        await keys.find("k1")
    assert caught.value.status == 503
    await keys.close()


async def test_a_redirect_is_not_followed(users: UsersService) -> None:
    async def redirect(_: web.Request) -> Any:
        raise web.HTTPFound(users.url)

    app = web.Application()
    app.router.add_get("/", redirect)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    keys = await keys_of(f"http://127.0.0.1:{port}/")
    with pytest.raises(Problem):
        await keys.find("k1")
    assert users.asked == 0
    await keys.close()
    await runner.cleanup()
