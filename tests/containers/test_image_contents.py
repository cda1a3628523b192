"""What is in an image, and what is not, seen from inside as its own user and from outside as a reviewer."""

import json
import re
from functools import cache
from typing import Any

import pytest
from testcontainers.core.container import DockerContainer

from tests.containers.conftest import Image
from tests.support.container_tasks import SERVICES, run_to_end
from tests.support.containers import docker
from tests.support.repository import ROOT

MAX_BYTES = 150_000_000

PACKAGES = """
import importlib.metadata, json
print(json.dumps({one.name.lower().replace("_", "-").replace(".", "-"): one.version
                  for one in importlib.metadata.distributions()}))
"""

FILES = """
import json, os, stat
found = {"files": [], "setuid": [], "owned": [], "writable": []}
for folder, folders, files in os.walk("/"):
    folders[:] = [one for one in folders if os.path.join(folder, one) not in ("/proc", "/sys", "/dev")]
    for name in files + folders:
        path = os.path.join(folder, name)
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            continue
        found["files"].append(path)
        if about.st_mode & (stat.S_ISUID | stat.S_ISGID):
            found["setuid"].append(path)
        if about.st_uid == os.getuid():
            found["owned"].append(path)
        if about.st_mode & stat.S_IWOTH:
            found["writable"].append(path)
print(json.dumps(found))
"""

CONFINEMENT = """
import json, os
def failure(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.errno
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "folder": os.getcwd(),
    "capabilities": status["CapEff"] + status["CapBnd"],
    "no_new_privileges": status["NoNewPrivs"],
    "root": failure("/file"), "app": failure("/app/file"), "tmp": failure("/tmp/file"),
}))
"""

MODULES = """
import importlib, json, pathlib, ssl, sysconfig
modules = pathlib.Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so")
names = sorted(path.name.split(".")[0] for path in modules)
for name in names:
    importlib.import_module(name)
import aiobotocore.session, aiohttp, redis.asyncio, {service}.main, platform_sdk.runtime.database.migrate
import sqlalchemy.ext.asyncio, alembic, greenlet
authorities = pathlib.Path(ssl.get_default_verify_paths().capath)
print(json.dumps([len(names), [(authorities / link.readlink()).name for link in authorities.glob("*.[0-9]")]]))
"""

SQS_CALL = """
import asyncio, http.server, json, os, threading
class Agent(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"AccessKeyId": "of-the-task-role", "SecretAccessKey": "secret", "Token": "token",
                     "Expiration": "2999-01-01T00:00:00Z"})
    def do_POST(self):
        target, signature = self.headers["X-Amz-Target"], self.headers["Authorization"]
        key = signature.partition("Credential=")[2].partition("/")[0]
        self.answer({"QueueUrl": f"{target} {key} {self.headers['X-Amz-Security-Token']}"})
    def answer(self, members):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(members).encode())
    def log_message(self, *_):
        pass
agent = http.server.HTTPServer(("127.0.0.1", 0), Agent)
threading.Thread(target=agent.serve_forever, daemon=True).start()
os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{agent.server_port}/role"
from platform_sdk.runtime.messaging.sqs import Sqs
async def main():
    sqs = Sqs(region="us-east-1", endpoint_url=f"http://127.0.0.1:{agent.server_port}")
    print(json.dumps(await sqs.queue_url("orders")))
    await sqs.close()
asyncio.run(main())
"""

EROFS = 30


def printed(image: str, program: str) -> Any:
    """What a program prints as JSON, run in the image as its task would be."""
    container = DockerContainer(image, read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges:true"])
    code, log = run_to_end(container.with_command(["python", "-c", program]))
    assert code == 0, log
    return json.loads(log)


@cache
def files(image: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = printed(image, FILES)
    return found


def locked(service: str) -> dict[str, str]:
    lock = (ROOT / "requirements" / f"{service}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.MULTILINE))


@pytest.mark.parametrize("service", SERVICES)
def test_the_packages_are_those_of_the_lock_in_their_versions(image: Image, service: str) -> None:
    installed = printed(image(service), PACKAGES)
    assert installed.items() <= locked(service).items()
    assert {"fastapi", "asyncpg", "greenlet"} <= installed.keys()
    assert not {"pip", "setuptools", "wheel", "uv", "boto3", "pytest", "testcontainers"} & installed.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_of_this_repository_only_the_runtime_and_the_service_are_there(image: Image, service: str) -> None:
    source = {path.removeprefix("/app/source/") for path in files(image(service))["files"] if "/app/source/" in path}
    modules = {path for path in source if path.endswith(".py")}
    assert {path.split("/")[0] for path in source} == {"platform_sdk", service}
    assert {path for path in modules if path.startswith("platform_sdk/") and "/runtime/" not in path} == {
        f"platform_sdk/{name}.py" for name in ("__init__", "contract", "errors")
    }
    assert f"{service}/main.py" in modules
    assert "platform_sdk/runtime/testing.py" not in modules
    migrations = {path for path in files(image(service))["files"] if path.startswith("/app/migrations/")}
    assert "/app/migrations/versions/0001_initial.py" in migrations


@pytest.mark.parametrize("service", SERVICES)
def test_there_is_no_shell_no_installer_no_compiler_and_nothing_that_gains_rights(image: Image, service: str) -> None:
    found = files(image(service))
    programs = {path for path in found["files"] if re.search(r"/s?bin/", path)}
    assert programs == {"/usr/local/bin/python3.13"}
    assert found["setuid"] == []
    assert found["owned"] == found["writable"] == ["/tmp"]


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_and_nothing_of_a_checkout_is_there(image: Image, service: str) -> None:
    suspicious = re.compile(
        r"/\.(git|env|venv|platform|aws|ssh|netrc|pypirc|docker)\b|/pip\.conf$|\.(key|p12|pfx)$"
        r"|^/app/(?!packages/).*(test|Dockerfile|\.toml|\.md)"
    )
    assert [path for path in files(image(service))["files"] if suspicious.search(path)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_task_user_may_write_to_tmp_and_to_nothing_else(image: Image, service: str) -> None:
    assert printed(image(service), CONFINEMENT) == {
        "user": [10001, 10001],
        "folder": "/app",
        "capabilities": "0" * 32,
        "no_new_privileges": "1",
        "root": EROFS,
        "app": EROFS,
        "tmp": None,
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_module_finds_its_libraries_and_public_certificates_are_known(image: Image, service: str) -> None:
    modules, authorities = printed(image(service), MODULES.replace("{service}", service))
    assert modules > 50
    # What SQS and ElastiCache are signed by, found by OpenSSL under the hash of its name.
    assert {f"Amazon_Root_CA_{number}.pem" for number in (1, 2, 3, 4)} < set(authorities)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_left_of_botocore_calls_sqs_with_the_credentials_of_the_task_role(image: Image, service: str) -> None:
    assert printed(image(service), SQS_CALL) == "AmazonSQS.GetQueueUrl of-the-task-role token"


@pytest.mark.parametrize("service", SERVICES)
def test_the_image_is_below_its_size(image: Image, service: str) -> None:
    assert int(docker("image", "inspect", "--format", "{{.Size}}", image(service))) < MAX_BYTES
