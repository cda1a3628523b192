"""How Docker's command line is called, with a fake program."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from platform_sdk.deploy.build.docker import BuildRequest, Docker, DockerFailed, DockerMissing
from platform_sdk.deploy.build.image_inputs import SourceFile
from tests.support.stand_ins import ProgramCall, stand_ins

REQUEST = BuildRequest(
    dockerfile="services/orders/Dockerfile",
    files=(SourceFile(path="services/orders/Dockerfile", mode="100644", content=b"FROM scratch\n"),),
    platform="linux/arm64",
    arguments={"VERSION": "1", "PYTHON_IMAGE": "python:3.13"},
    reference="registry.example.com/orders:1",
)


@dataclass(frozen=True, kw_only=True)
class Login:
    user: str = "AWS"
    password: str = "a password"
    registry: str = "registry.example.com"


class Program:
    """Prints these lines and ends so."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.calls: list[ProgramCall] = []
        self.printed: list[str] = []
        self.prints, self.code = "", 0

    def answer(self, call: ProgramCall) -> int:
        self.calls.append(call)
        sys.stdout.write(self.prints)
        return self.code

    @property
    def docker(self) -> Docker:
        return Docker(self.printed.append, program=[str(self.place)])


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path / "bin" / "docker")
    with stand_ins({made.place: made.answer}, tmp_path / "socket"):
        yield made


def test_a_build_gets_all_arguments_and_its_files_by_stdin(program: Program) -> None:
    program.docker.build(REQUEST)
    (call,) = program.calls
    assert call.arguments == (
        "buildx",
        "build",
        "--platform=linux/arm64",
        "--file=services/orders/Dockerfile",
        "--tag=registry.example.com/orders:1",
        "--build-arg=PYTHON_IMAGE=python:3.13",
        "--build-arg=VERSION=1",
        "--provenance=false",
        "--sbom=false",
        "--progress=plain",
        "--load",
        "-",
    )
    assert b"FROM scratch" in call.given


def test_the_password_goes_by_stdin_and_nowhere_else(program: Program) -> None:
    program.docker.login(Login())
    (call,) = program.calls
    assert call.arguments == ("login", "--username=AWS", "--password-stdin", "registry.example.com")
    assert call.given == b"a password"
    assert not [value for value in call.variables.values() if "a password" in value]


def test_output_of_docker_is_reported_line_by_line(program: Program) -> None:
    program.prints = "layer 1: pushed\nlayer 2: pushed\n"
    program.docker.push("registry.example.com/orders:1")
    assert program.printed == ["layer 1: pushed", "layer 2: pushed"]


def test_a_refusal_is_an_error_with_dockers_own_words(program: Program) -> None:
    program.prints, program.code = "layer 1: pushed\ndenied: no such repository\n", 1
    with pytest.raises(DockerFailed) as raised:
        program.docker.push("registry.example.com/orders:1")
    assert raised.value.what == "the image registry.example.com/orders:1 could not be pushed"
    assert raised.value.because == "layer 1: pushed\ndenied: no such repository"


def test_an_engine_that_does_not_run_differs_from_a_build_that_fails(program: Program) -> None:
    program.prints = "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n"
    program.code = 1
    with pytest.raises(DockerMissing):
        program.docker.build(REQUEST)


def test_a_machine_without_docker_says_so(tmp_path: Path) -> None:
    with pytest.raises(DockerMissing) as raised:
        Docker(print, program=[str(tmp_path / "docker")]).build(REQUEST)
    assert raised.value.what == "docker does not answer"


def test_a_program_that_ends_without_reading_is_no_broken_pipe(tmp_path: Path) -> None:
    refusing = tmp_path / "docker"
    refusing.write_text("#!/bin/sh\necho no; exit 1\n", encoding="utf-8")
    refusing.chmod(0o755)
    large = SourceFile(path="a", mode="100644", content=b" " * 5_000_000)
    request = BuildRequest(dockerfile="a", files=(large,), platform="linux/amd64", arguments={}, reference="orders:1")
    with pytest.raises(DockerFailed) as raised:
        Docker(print, program=[str(refusing)]).build(request)
    assert raised.value.because == "no"
