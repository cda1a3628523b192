"""The build context for Docker, and the errors from Docker's output."""

import io
import tarfile

import pytest

from platform_sdk.deploy.build.docker import DockerFailed, DockerMissing, context_of, refusal
from platform_sdk.deploy.build.image_inputs import SourceFile

FILES = (
    SourceFile(path="a/main.py", mode="100644", content=b"main"),
    SourceFile(path="a/run", mode="100755", content=b"#!/bin/sh\n"),
    SourceFile(path="a/link", mode="120000", content=b"main.py"),
)


def test_the_context_has_the_files_without_owner_or_time() -> None:
    with tarfile.open(fileobj=io.BytesIO(context_of(FILES))) as tar:
        entries = {entry.name: entry for entry in tar}
        assert {name: entry.mode for name, entry in entries.items() if entry.isfile()} == {
            "a/main.py": 0o644,
            "a/run": 0o755,
        }
        assert entries["a/link"].linkname == "main.py"
        content = tar.extractfile("a/run")
        assert content is not None
        assert content.read() == b"#!/bin/sh\n"
        assert {(entry.mtime, entry.uid, entry.uname) for entry in entries.values()} == {(0, 0, "")}
    assert context_of(FILES) == context_of(FILES)


@pytest.mark.parametrize(
    ("lines", "kind", "because"),
    [
        (
            ["ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?"],
            DockerMissing,
            "Cannot connect to the Docker daemon",
        ),
        (["docker: 'buildx' is not a docker command.", "See 'docker --help'"], DockerMissing, "'buildx' is not"),
        (["unknown flag: --provenance"], DockerMissing, "unknown flag"),
        (["#7 ERROR: pip failed", "", "failed to solve"], DockerFailed, "#7 ERROR: pip failed\nfailed to solve"),
        ([], DockerFailed, "docker printed no reason"),
    ],
)
def test_a_refusal_differs_from_a_missing_docker(lines: list[str], kind: type, because: str) -> None:
    error = refusal("the image orders:1 could not be built", lines)
    assert type(error) is kind
    assert because in str(error.because)


def test_only_the_last_lines_of_a_long_build_are_the_reason() -> None:
    because = str(refusal("it could not be built", [f"line {number}" for number in range(500)]).because)
    assert because.splitlines() == [f"line {number}" for number in range(480, 500)]
