"""Fakes of ECR, Docker and the clock, which moves only when somebody waits."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from platform_sdk.deploy.build.docker import BuildRequest, DockerFailed, Login
from platform_sdk.deploy.build.image_inputs import SourceFile
from platform_sdk.deploy.build.publish import Source
from platform_sdk.deploy.state import Finding, Image, Scan

DIGEST = "sha256:" + "ab" * 32


def scan_of(status: str = "COMPLETE", description: str = "", findings: tuple[Finding, ...] = (), **counts: int) -> Scan:
    counted = {severity.upper(): number for severity, number in counts.items()}
    return Scan(status=status, description=description, counts=counted, findings=findings)


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class RegistryLogin:
    user: str = "AWS"
    password: str = "a secret"
    registry: str = ""


@dataclass
class Registry:
    """As ECR with immutable tags. `late` answers pass before a pushed image appears; the last scan stays."""

    tags: dict[str, str] = field(default_factory=dict)
    scans: list[Scan] = field(default_factory=lambda: [scan_of()])
    late: int = 0
    host: str = "444455556666.dkr.ecr.us-east-1.amazonaws.com"

    def image(self, repository: str, tag: str) -> Image | None:
        reference = f"{repository}:{tag}"
        if reference not in self.tags:
            return None
        if self.late:
            self.late -= 1
            return None
        return Image(
            repository=repository,
            digest=self.tags[reference],
            tags=(tag,),
            pushed_at=None,
            size_bytes=1,
            architectures=(),
        )

    def scan(self, repository: str, digest: str) -> Scan:
        return self.scans.pop(0) if len(self.scans) > 1 else self.scans[0]

    def login(self) -> RegistryLogin:
        return RegistryLogin(registry=self.host)


@dataclass
class Builder:
    """Pushes into the registry; `rival` has pushed the same tag a moment before."""

    registry: Registry
    rival: str | None = None
    refusal: str | None = None
    done: list[str] = field(default_factory=list)
    requests: list[BuildRequest] = field(default_factory=list)

    def build(self, request: BuildRequest) -> None:
        self.done.append("build")
        self.requests.append(request)

    def login(self, login: Login) -> None:
        self.done.append(f"login {login.registry}")

    def push(self, reference: str) -> None:
        self.done.append(f"push {reference}")
        name = reference.rpartition("/")[2]
        if self.refusal:
            raise DockerFailed("the image could not be pushed", because=self.refusal)
        if self.rival:
            self.registry.tags[name] = self.rival
        if name in self.registry.tags and not self.registry.late:
            raise DockerFailed("the image could not be pushed", because=f"tag invalid: {name} already exists")
        self.registry.tags[name] = DIGEST


SOURCE = Source(
    service="orders",
    dockerfile="services/orders/Dockerfile",
    files=(SourceFile(path="services/orders/src/orders/main.py", mode="100644", content=b"print()\n"),),
    architecture="arm64",
    base_image="python:3.13-slim-bookworm",
    commit="c0ffee" * 6 + "c0ff",
    origin="https://github.com/example/platform",
)
