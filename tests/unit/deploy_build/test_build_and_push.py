"""An image is built and pushed once, however often."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from platform_sdk.deploy.build.docker import DockerFailed
from platform_sdk.deploy.build.publish import (
    ImageMissing,
    NoRegistry,
    PublishedImage,
    build_and_push,
    record_of,
    write_record,
)
from platform_sdk.deploy.build.scan import Gate, ImageRefused
from platform_sdk.deploy.environment import load_environment
from platform_sdk.deploy.render.names import repository_address
from tests.support.repository import FIXTURES
from tests.unit.deploy_build.publishing import DIGEST, SOURCE, Builder, Clock, Registry, scan_of

STAGING = load_environment(FIXTURES, "staging")
HOST = "444455556666.dkr.ecr.us-east-1.amazonaws.com"
REFERENCE = f"{HOST}/orders:{SOURCE.tag}"


class Run:
    """One call of `build_and_push`, with all that it reported."""

    def __init__(self, registry: Registry, builder: Builder | None = None, gate: Gate | None = None) -> None:
        self.registry, self.builder, self.clock = registry, builder or Builder(registry), Clock()
        self.gate = gate or Gate()
        self.reported: list[str] = []

    def publish(self) -> PublishedImage:
        return build_and_push(
            SOURCE,
            STAGING,
            registry=self.registry,
            builder=self.builder,
            clock=self.clock,
            gate=self.gate,
            report=self.reported.append,
        )


def test_a_missing_image_is_built_pushed_and_named_by_its_digest() -> None:
    run = Run(Registry())
    image = run.publish()
    assert run.builder.done == [f"login {HOST}", "build", f"push {REFERENCE}"]
    assert (image.digest, image.reused) == (DIGEST, False)
    assert image.uri == f"{REFERENCE}@{DIGEST}"
    assert image.commit == SOURCE.commit


def test_the_build_gets_architecture_version_commit_and_origin() -> None:
    run = Run(Registry())
    run.publish()
    (request,) = run.builder.requests
    assert (request.platform, request.reference, request.files) == ("linux/arm64", REFERENCE, SOURCE.files)
    assert request.arguments == {
        "VERSION": SOURCE.tag,
        "REVISION": SOURCE.commit,
        "SOURCE": "https://github.com/example/platform",
        "PYTHON_IMAGE": "python:3.13-slim-bookworm",
    }


def test_an_existing_tag_is_reused_without_docker() -> None:
    run = Run(Registry(tags={f"orders:{SOURCE.tag}": DIGEST}))
    image = run.publish()
    assert run.builder.done == []
    assert (image.digest, image.reused) == (DIGEST, True)


def test_the_same_content_is_built_once_by_two_runs_one_after_the_other() -> None:
    registry = Registry()
    first, second = Run(registry).publish(), Run(registry).publish()
    assert (first.reused, second.reused) == (False, True)
    assert first.uri == second.uri


def test_a_push_that_loses_the_race_uses_the_image_of_the_winner() -> None:
    registry, other = Registry(), "sha256:" + "cd" * 32
    run = Run(registry, Builder(registry, rival=other))
    image = run.publish()
    assert (image.digest, image.reused) == (other, True)
    assert "another build has pushed" in "\n".join(run.reported)


def test_a_refused_push_is_an_error_without_another_push() -> None:
    registry = Registry()
    with pytest.raises(DockerFailed) as raised:
        Run(registry, Builder(registry, refusal="denied: not authorized")).publish()
    assert raised.value.because == "denied: not authorized"


def test_an_image_that_appears_late_in_the_registry_is_awaited() -> None:
    registry = Registry(late=3)
    run = Run(registry)
    assert run.publish().digest == DIGEST
    assert (run.clock.now() - Clock().now()).total_seconds() == 3


def test_an_image_that_never_appears_is_an_error() -> None:
    registry = Registry(late=1000)
    with pytest.raises(ImageMissing):
        Run(registry).publish()


def test_an_existing_image_is_refused_if_its_scan_fails() -> None:
    registry = Registry(tags={f"orders:{SOURCE.tag}": DIGEST}, scans=[scan_of(critical=1)])
    with pytest.raises(ImageRefused):
        Run(registry).publish()


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "444455556666.dkr.ecr.us-east-1.amazonaws.com"),
        ("cn-north-1", "444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_registrys_address_follows_from_account_and_region(region: str, host: str) -> None:
    assert repository_address(replace(STAGING, region=region), "orders") == f"{host}/orders"


def test_another_registry_is_refused_before_the_build() -> None:
    """As the laptop's emulator does, or the keys of another account."""
    run = Run(Registry(host="localhost:4566"))
    with pytest.raises(NoRegistry):
        run.publish()
    assert run.builder.done == []


def test_the_record_describes_the_pushed_image_and_replaces_the_last_one(tmp_path: Path) -> None:
    registry = Registry(scans=[scan_of(low=2)])
    image = Run(registry).publish()
    write_record(tmp_path, replace(image, digest="sha256:old"))
    place = write_record(tmp_path, image)
    assert place == tmp_path / ".platform/builds/orders.json"
    assert [file.name for file in place.parent.iterdir()] == ["orders.json"]
    assert (
        json.loads(place.read_text(encoding="utf-8"))
        == record_of(image)
        == {
            "service": "orders",
            "tag": SOURCE.tag,
            "digest": DIGEST,
            "image": image.uri,
            "commit": SOURCE.commit,
            "reused": False,
            "findings": {"LOW": 2},
        }
    )
