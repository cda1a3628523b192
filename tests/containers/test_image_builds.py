"""Building: the same sources give the same image content, and a changed source costs one small layer."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.containers.conftest import Image
from tests.support.containers import build_image, docker


def layers(image: str) -> list[str]:
    """Digests of the layers' content."""
    found: list[str] = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))
    return found


def test_the_same_sources_give_the_same_layers(image: Image) -> None:
    again = build_image("platform-test/orders:again", "services/orders/Dockerfile", "--no-cache")
    assert layers(again) == layers(image("orders"))


def test_services_share_what_lies_below_their_packages(image: Image) -> None:
    assert layers(image("orders"))[0] == layers(image("users"))[0] == layers(image("inventory"))[0]


@pytest.fixture
def changed(repository: Path, tmp_path: Path) -> Path:
    """A copy of the build context with one source file changed."""
    ignored = (repository / ".dockerignore").read_text(encoding="utf-8")
    for pattern in re.findall(r"^!(.+)$", ignored, re.MULTILINE):
        for path in repository.glob(pattern):
            for file in [path] if path.is_file() else path.rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    copy = tmp_path / file.relative_to(repository)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(file.read_bytes())
    for name in (".dockerignore", "services/orders/Dockerfile"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    with (tmp_path / "services/orders/src/orders/main.py").open("a") as source:
        source.write(f"\n# {time.time_ns()}\n")
    return tmp_path


def test_a_changed_source_rebuilds_one_small_layer(image: Image, changed: Path) -> None:
    before = layers(image("orders"))
    tag = build_image(f"platform-test/orders:{time.time_ns()}", "services/orders/Dockerfile", context=changed)
    after = layers(tag)
    docker("image", "rm", tag)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, True]


def test_labels_name_version_and_revision_and_cost_no_layer(image: Image) -> None:
    options = ("--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=0123abc", "--build-arg", "SOURCE=https://x/y")
    labelled = build_image("platform-test/orders:labelled", "services/orders/Dockerfile", *options)
    prefix = "org.opencontainers.image."
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", labelled))
    assert labels == {
        f"{prefix}title": "orders",
        f"{prefix}version": "1.2.3",
        f"{prefix}revision": "0123abc",
        f"{prefix}source": "https://x/y",
    }
    assert layers(labelled) == layers(image("orders"))
