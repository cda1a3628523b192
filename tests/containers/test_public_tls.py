"""From inside an image: `rediss://` and `https://`, which on AWS are signed by public authorities.

A test's own authority takes their place, where OpenSSL looks for them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from tests.containers.conftest import Image
from tests.support.certificates import new_authority
from tests.support.container_tasks import log_of, run_to_end
from tests.support.local_stack import wait_for

REDIS = ["redis-server", "--port", "0", "--tls-port", "6379", "--tls-auth-clients", "no"]
REDIS += ["--tls-cert-file", "/tls/certificate.pem", "--tls-key-file", "/tls/key.pem", "--tls-ca-cert-file"]
REDIS += ["/tls/authority.pem", "--save", ""]

WEB = """
import http.server, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/certificate.pem", "/tls/key.pem")
server = http.server.HTTPServer(("", 8443), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("serving", flush=True)
server.serve_forever()
"""

CACHE = """
import asyncio
from platform_sdk.runtime.cache import SKIP_SECONDS, Cache

async def kept():
    cache = Cache("rediss://servers.example:6379/0", prefix="test:")
    for _ in range(3):
        await cache.set_json("key", "value", 60)
        if await cache.get_json("key") == "value":
            return True
        await asyncio.sleep(SKIP_SECONDS)
    return False

print(asyncio.run(kept()))
"""

HTTPS = """
import aiohttp, asyncio

async def answered():
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get("https://servers.example:8443/") as response:
                return response.status == 200
        except aiohttp.ClientConnectorCertificateError:
            return False

print(asyncio.run(answered()))
"""


@pytest.fixture(scope="module")
def authorities(image: Image, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the authority.pem of two running servers, and another.pem that signed neither."""
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)
    authority = new_authority()
    identity = authority.identity_of("servers.example")
    files = {"authority": authority.pem, "another": new_authority().pem}
    for name, content in {**files, "certificate": identity.certificate, "key": identity.key}.items():
        (folder / f"{name}.pem").write_bytes(content)
    redis = DockerContainer("redis:7").with_command(REDIS)
    # One name, two servers: they share a network namespace, as containers of a task do.
    with redis.with_volume_mapping(folder, "/tls").with_network(network).with_network_aliases("servers.example"):
        web = DockerContainer(image("orders"), network_mode=f"container:{redis.get_container_id()}")
        with web.with_volume_mapping(folder, "/tls").with_command(["python", "-c", WEB]):
            wait_for(lambda: "Ready to accept" in log_of(redis) and "serving" in log_of(web), 20, "servers serve")
            yield folder


@pytest.mark.parametrize("program", [CACHE, HTTPS], ids=["rediss", "https"])
@pytest.mark.parametrize(("trusted", "expected"), [("authority", "True"), ("another", "False")])
def test_a_server_is_believed_if_an_authority_of_the_image_signed_it(
    authorities: Path, image: Image, network: Network, program: str, trusted: str, expected: str
) -> None:
    client = DockerContainer(image("orders"), read_only=True).with_volume_mapping(authorities, "/tls")
    client.with_env("SSL_CERT_FILE", f"/tls/{trusted}.pem").with_network(network)
    code, log = run_to_end(client.with_command(["python", "-c", program]))
    assert (code, log.splitlines()[-1]) == (0, expected), log
