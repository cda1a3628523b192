"""Docker through its command line: build, log in, push."""

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
    """Docker is not installed, or its daemon does not answer."""


class DockerFailed(PlatformError):
    """Docker refused, or could not build the image."""


class Login(Protocol):
    """Temporary credentials of a registry. Never write the password anywhere."""

    @property
    def user(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def registry(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """An image to build. `platform` is such as linux/arm64; `files` are the whole build context."""

    dockerfile: str
    files: tuple[SourceFile, ...]
    platform: str
    arguments: Mapping[str, str]
    reference: str


class Docker:
    """Run Docker, and report each line of its output. Every method raises DockerMissing or DockerFailed."""

    def __init__(self, report: Callable[[str], None], program: Sequence[str] = (PROGRAM,)) -> None:
        self.report = report
        self.program = tuple(program)

    def build(self, request: BuildRequest) -> None:
        """Build an image. The context goes to stdin, so that the image has exactly the files of the tag.

        Leave out attestations: with them Docker pushes an index, whose digest differs at each build.
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
        """Log in. The password goes to stdin, as every process of the machine can read arguments."""
        command = ["login", f"--username={login.user}", "--password-stdin", login.registry]
        self.run(command, login.password.encode(), f"docker could not log in to {login.registry}")

    def push(self, reference: str) -> None:
        self.run(["push", reference], b"", f"the image {reference} could not be pushed")

    def run(self, arguments: list[str], given: bytes, what: str) -> None:
        """Report each line of output. The error has the last ones as its reason."""
        lines: list[str] = []
        try:
            process = subprocess.Popen(
                [*self.program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise _missing(str(error)) from error
        with process:
            _write_input(process, given)
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.decode(errors="replace").rstrip())
                self.report(lines[-1])
        if process.returncode != 0:
            raise refusal(what, lines)


def _write_input(process: subprocess.Popen[bytes], given: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(given)
        process.stdin.close()
    except BrokenPipeError:
        pass  # Docker has ended, and its output says why.


def refusal(what: str, lines: Sequence[str]) -> PlatformError:
    """Return the error for a failed `docker`, by what it printed: no daemon, no BuildKit, or the last lines."""
    text = "\n".join(line for line in lines if line)
    if "Cannot connect to the Docker daemon" in text or "docker daemon is not running" in text:
        return _missing(text.splitlines()[-1])
    if "unknown flag" in text or "'buildx' is not a docker command" in text:
        return DockerMissing(
            "docker cannot build with BuildKit", because=text.splitlines()[0], hint="install docker's buildx plugin"
        )
    return DockerFailed(what, because="\n".join(text.splitlines()[-LAST_LINES:]) or "docker printed no reason")


def _missing(because: str) -> DockerMissing:
    return DockerMissing(
        "docker does not answer", because=because, hint="install Docker or start it, and check with `docker info`"
    )


def context_of(files: Iterable[SourceFile]) -> bytes:
    """Return a tar archive without times, owners or absolute paths."""
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
