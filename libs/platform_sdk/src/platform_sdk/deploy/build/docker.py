"""Docker, by its command line: build, log in, push. One of the two rooms of this package that start processes."""

import io
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from platform_sdk.deploy.build.image_inputs import SourceFile
from platform_sdk.errors import PlatformError

PROGRAM: Final = "docker"
LAST_LINES: Final = 20


class DockerMissing(PlatformError):
    """There is no docker, or nobody answers it."""


class DockerFailed(PlatformError):
    """docker refused, or the image could not be built."""


class Login(Protocol):
    """What a registry gives for an hour or more; the password must not be written anywhere."""

    @property
    def user(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def registry(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """`platform` is Docker's, such as linux/arm64; `files` are the whole build context."""

    dockerfile: str
    files: tuple[SourceFile, ...]
    platform: str
    arguments: Mapping[str, str]
    reference: str


class Docker:
    """Every method raises DockerMissing or DockerFailed, and tells what docker says while it says it."""

    def __init__(self, tell: Callable[[str], None], program: Sequence[str] = (PROGRAM,)) -> None:
        self.tell = tell
        self.program = tuple(program)

    def build(self, request: BuildRequest) -> None:
        """The context goes by stdin, so that what is built is what the tag was made from and nothing beside it.

        Without attestations: they would make an index of what is pushed, and its digest another one at each build.
        """
        flags = [
            f"--platform={request.platform}",
            f"--file={request.dockerfile}",
            f"--tag={request.reference}",
            *(f"--build-arg={name}={value}" for name, value in sorted(request.arguments.items())),
            "--provenance=false",
            "--sbom=false",
            "--progress=plain",
            "--load",
        ]
        what = f"the image {request.reference} could not be built"
        self.run(["buildx", "build", *flags, "-"], context_of(request.files), what)

    def login(self, login: Login) -> None:
        """The password goes by stdin: what is in the arguments of a process, every process of the machine can read."""
        command = ["login", f"--username={login.user}", "--password-stdin", login.registry]
        self.run(command, login.password.encode(), f"docker could not log in to {login.registry}")

    def push(self, reference: str) -> None:
        self.run(["push", reference], b"", f"the image {reference} could not be pushed")

    def run(self, arguments: list[str], given: bytes, what: str) -> None:
        """Tells each line; the last ones are the reason in the error."""
        lines: list[str] = []
        try:
            process = subprocess.Popen(
                [*self.program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise missing(str(error)) from error
        with process:
            hand_over(process, given)
            assert process.stdout is not None
            for line in process.stdout:
                said = line.decode(errors="replace").rstrip()
                lines.append(said)
                self.tell(said)
        if process.returncode != 0:
            raise refusal(what, lines)


def hand_over(process: subprocess.Popen[bytes], given: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(given)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has ended, and says why


def refusal(what: str, lines: Sequence[str]) -> PlatformError:
    text = "\n".join(line for line in lines if line)
    if "Cannot connect to the Docker daemon" in text or "docker daemon is not running" in text:
        return missing(text.splitlines()[-1])
    if "unknown flag" in text or "'buildx' is not a docker command" in text:
        return DockerMissing(
            "docker cannot build with BuildKit", because=text.splitlines()[0], hint="install docker's buildx plugin"
        )
    return DockerFailed(what, because="\n".join(text.splitlines()[-LAST_LINES:]) or "docker did not say why")


def missing(because: str) -> DockerMissing:
    return DockerMissing(
        "docker does not answer", because=because, hint="install Docker, or start it; `docker info` tells"
    )


def context_of(files: Iterable[SourceFile]) -> bytes:
    """A tar archive; nothing in it tells when, where or by whom it was made."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            if file.mode == "120000":
                entry.type, entry.linkname = tarfile.SYMTYPE, file.content.decode()
                tar.addfile(entry)
                continue
            entry.mode = 0o755 if file.mode == "100755" else 0o644
            entry.size = len(file.content)
            tar.addfile(entry, io.BytesIO(file.content))
    return archive.getvalue()
