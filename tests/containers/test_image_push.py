"""What is built is what the tag was made from, and arrives in a registry as one plain image."""

import json
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from local_aws.processes import free_port
from platform_sdk.deploy.build.docker import Docker
from platform_sdk.deploy.build.image_inputs import is_ignored, read_rules
from platform_sdk.deploy.build.publish import build, read_source
from tests.support.clones import cloned, committed_copy
from tests.support.containers import docker
from tests.support.repository import ROOT

MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"

CONFIGURATION = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture
def registry(engine: None, tmp_path: Path) -> Iterator[str]:
    """Debian's docker-registry on this machine; the engine needs no TLS for an address of its own."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed (Debian and Ubuntu: apt install docker-registry)")
    port = free_port()
    configuration = tmp_path / "registry.yml"
    configuration.write_text(CONFIGURATION.format(folder=tmp_path / "images", port=port), encoding="utf-8")
    with subprocess.Popen([program, "serve", str(configuration)], stderr=subprocess.DEVNULL) as process:
        wait_for(port)
        yield f"127.0.0.1:{port}"
        process.terminate()


def wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on {port}")


def test_the_ignore_file_is_read_as_docker_reads_it(engine: None, tmp_path: Path) -> None:
    """A build that copies all of its context gets the files that the rules let through, and no other."""
    context = committed_copy(tmp_path / "context")
    (context / "services/users/src/users/__pycache__").mkdir()
    (context / "services/users/src/users/__pycache__/api.pyc").write_text("", encoding="utf-8")
    (context / "All").write_text("FROM scratch\nCOPY . /\n", encoding="utf-8")
    command = [
        "docker",
        "buildx",
        "build",
        "--quiet",
        "--file",
        f"{context}/All",
        "--output",
        "type=tar,dest=-",
        str(context),
    ]
    whole = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(whole)) as tar:
        sent = {entry.name.removeprefix("./") for entry in tar if not entry.isdir()}
    rules = read_rules((context / ".dockerignore").read_text(encoding="utf-8"))
    files = {file.relative_to(context).as_posix() for file in context.rglob("*") if file.is_file()}
    assert len(sent) > 80
    assert sent == {path for path in files if not is_ignored(path, rules) and not path.startswith(".git/")}


def test_an_image_is_pushed_as_one_manifest_and_pulled_by_its_digest(registry: str) -> None:
    source = read_source(ROOT, "users", "x86_64")
    reference = f"{registry}/users:{source.tag}"
    lines: list[str] = []
    builder = Docker(lines.append)
    build(source, reference, builder)
    builder.push(reference)
    answer = httpx.head(f"http://{registry}/v2/users/manifests/{source.tag}", headers={"accept": MANIFESTS})
    assert answer.headers["content-type"] in MANIFESTS
    digest = answer.headers["docker-content-digest"]
    docker("image", "rm", reference)
    docker("pull", "--quiet", f"{registry}/users@{digest}")
    (found,) = json.loads(docker("image", "inspect", f"{registry}/users@{digest}"))
    docker("image", "rm", f"{registry}/users@{digest}")
    labels = found["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == source.tag
    assert labels["org.opencontainers.image.revision"] == source.commit
    assert found["Architecture"] == "amd64"


def test_the_same_content_is_the_same_image_from_another_clone(engine: None, tmp_path: Path) -> None:
    first = committed_copy(tmp_path / "first")
    second = cloned(first, tmp_path / "second")
    ids: list[str] = []
    lines: list[str] = []
    for clone in (first, second):
        source = read_source(clone, "users", "x86_64")
        reference = f"platform-test/users:{clone.name}"
        build(source, reference, Docker(lines.append))
        ids.append(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", reference))
        docker("image", "rm", reference)
    assert ids[0] == ids[1]
