"""Build and push the image of one service unless the registry has it, and record the result."""

import json
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

from platform_sdk.deploy.build.changed import AffectedService, affected_services, load_graph
from platform_sdk.deploy.build.docker import BuildRequest, DockerFailed, Login
from platform_sdk.deploy.build.git import Git
from platform_sdk.deploy.build.image_inputs import (
    BASE_IMAGE_ARGUMENT,
    ImageInputs,
    SourceFile,
    content_tag,
    load_inputs,
)
from platform_sdk.deploy.build.scan import Gate, judge
from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.environment import Environment, service_names
from platform_sdk.deploy.manifest.tasks import Architecture
from platform_sdk.deploy.render.names import repository_address
from platform_sdk.deploy.state import Image, Scan
from platform_sdk.errors import PlatformError

# Reading the files of an image, once: the tag and the build context come from the same bytes.


def read_inputs(root: Path, inputs: ImageInputs) -> tuple[SourceFile, ...]:
    """Return the current files of an image, committed or not, by path. Leave out what Git ignores.

    Raises:
        GitFailed: Git refused.
    """
    git = Git(root)
    paths = git.files() if git.is_clone() else sorted(walked(root, inputs.dockerfile.sources, inputs.path))
    return tuple(file for path in paths if inputs.contains(path) for file in read_file(root, path))


def walked(root: Path, sources: Iterable[str], dockerfile: str) -> set[str]:
    """Return the paths below the copied folders, for a folder that is no clone."""
    found = {dockerfile}
    for source in sources:
        for place in root.glob(source):
            files = place.rglob("*") if place.is_dir() and not place.is_symlink() else iter([place])
            found.update(file.relative_to(root).as_posix() for file in files if file.is_symlink() or file.is_file())
    return found


def read_file(root: Path, path: str) -> Iterator[SourceFile]:
    """Yield the file, or nothing if it is deleted but still in Git."""
    place = root / path
    if place.is_symlink():
        yield SourceFile(path=path, mode="120000", content=str(place.readlink()).encode())
    elif place.is_file():
        executable = place.stat().st_mode & stat.S_IXUSR
        yield SourceFile(path=path, mode="100755" if executable else "100644", content=place.read_bytes())


PLATFORMS: Final[Mapping[Architecture, str]] = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""Architectures by their names in Docker."""

APPEAR_SECONDS: Final = 10
"""How long a pushed image may take to appear in the registry."""


class ImageMissing(PlatformError):
    """The registry does not have the pushed image."""


class NoRegistry(PlatformError):
    """The registry of the environment accepts no images."""


class Builder(Protocol):
    """What builds and pushes images: `docker.Docker`, or a fake."""

    def build(self, request: BuildRequest) -> None: ...
    def login(self, login: Login) -> None: ...
    def push(self, reference: str) -> None: ...


class Registry(Protocol):
    """Where images are: `aws.ecr.Ecr`, or a fake. A repository has the name of its service."""

    def image(self, repository: str, tag: str) -> Image | None: ...
    def scan(self, repository: str, digest: str) -> Scan: ...
    def login(self) -> Login: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The inputs of an image. `commit` and `origin`, an address, are empty in a folder that is no clone."""

    service: str
    dockerfile: str
    files: tuple[SourceFile, ...]
    architecture: Architecture
    base_image: str
    commit: str
    origin: str

    @property
    def tag(self) -> str:
        return content_tag(self.files, architecture=self.architecture, base_image=self.base_image)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedImage:
    """An image in the registry. `repository` is an address; `reused` means that nothing was built or pushed."""

    service: str
    tag: str
    digest: str
    repository: str
    commit: str
    reused: bool
    scan: Scan | None

    @property
    def uri(self) -> str:
        """The image in a task definition: the digest decides, the tag is for readers."""
        return f"{self.repository}:{self.tag}@{self.digest}"


def read_source(root: Path, service: str, architecture: Architecture, base_image: str | None = None) -> Source:
    """Read the inputs of a service's image.

    Args:
        base_image: overrides the Dockerfile's default; a mirror of it does not change the tag.

    Raises:
        NoDockerfile, InvalidDockerfile, GitFailed
    """
    inputs = load_inputs(root, service)
    git = Git(root)
    return Source(
        service=service,
        dockerfile=inputs.path,
        files=read_inputs(root, inputs),
        architecture=architecture,
        base_image=base_image or inputs.dockerfile.base_image,
        commit=git.commit() if git.is_clone() else "",
        origin=git.origin() if git.is_clone() else "",
    )


def build(source: Source, reference: str, builder: Builder) -> None:
    """Build an image on this machine.

    Raises:
        DockerMissing, DockerFailed: see `Docker`.
    """
    arguments = {"VERSION": source.tag, BASE_IMAGE_ARGUMENT: source.base_image}
    labels = {"REVISION": source.commit, "SOURCE": source.origin}
    arguments |= {name: value for name, value in labels.items() if value}
    builder.build(
        BuildRequest(
            dockerfile=source.dockerfile,
            files=source.files,
            platform=PLATFORMS[source.architecture],
            arguments=arguments,
            reference=reference,
        )
    )


def build_and_push(
    source: Source,
    environment: Environment,
    *,
    registry: Registry,
    builder: Builder,
    clock: Clock,
    gate: Gate,
    report: Callable[[str], None],
) -> PublishedImage:
    """Build and push what the registry lacks, and wait for its scan. Safe to repeat, and to run twice at once.

    Raises:
        DockerMissing, DockerFailed: the registry does not have the image, and it cannot be built or pushed.
        NoRegistry, ImageMissing, ScanMissing, ImageRefused, AwsCallFailed
    """
    address = repository_address(environment, source.service)
    found = registry.image(source.service, source.tag)
    reused = found is not None
    if found is not None:
        report(f"{source.service}: {source.tag} is in the registry; nothing to build")
    else:
        found, reused = publish(source, f"{address}:{source.tag}", registry, builder, clock, report)
    scan = judge(registry, source.service, found.digest, gate, clock, report)
    return PublishedImage(
        service=source.service,
        tag=source.tag,
        digest=found.digest,
        repository=address,
        commit=source.commit,
        reused=reused,
        scan=scan,
    )


def publish(
    source: Source,
    reference: str,
    registry: Registry,
    builder: Builder,
    clock: Clock,
    report: Callable[[str], None],
) -> tuple[Image, bool]:
    """Return the image in the registry, and whether another build pushed it. Log in before the build, to fail early."""
    login = registry.login()
    if login.registry != reference.partition("/")[0]:
        raise NoRegistry(
            f"{reference} cannot be pushed",
            because=f"the registry of the environment is {login.registry}",
            hint="name an environment on AWS, or leave out --push",
        )
    builder.login(login)
    report(f"{source.service}: building {source.tag} for {PLATFORMS[source.architecture]}")
    build(source, reference, builder)
    report(f"{source.service}: pushing {reference}")
    try:
        builder.push(reference)
    except DockerFailed:
        # Tags are immutable: if another build pushed the same content first, the registry refuses this push.
        winner = registry.image(source.service, source.tag)
        if winner is None:
            raise
        report(f"{source.service}: another build has pushed {source.tag}, which has the same content")
        return winner, True
    return _pushed(source, registry, clock), False


def _pushed(source: Source, registry: Registry, clock: Clock) -> Image:
    for _ in range(APPEAR_SECONDS):
        found = registry.image(source.service, source.tag)
        if found is not None:
            return found
        clock.sleep(1)
    raise ImageMissing(
        f"the registry does not have {source.service}:{source.tag}",
        because=f"it did not appear within {APPEAR_SECONDS} s after the push",
        hint=f"run `platform build {source.service} --push` again",
    )


# Services affected by the changes since a revision.


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Services that a change affects. `everything` says why all are listed: there was nothing to compare with."""

    since: str | None
    services: tuple[AffectedService, ...]
    everything: str | None = None


def changes_since(root: Path, revision: str | None, environment: str | None = None) -> Changes:
    """Compare the current files, committed or not, with the revision.

    Args:
        environment: consider only its documents; None for all environments.

    Raises:
        NoHistory, UnknownRevision, GitFailed, NoDockerfile, InvalidDockerfile
    """
    services, git = service_names(root), Git(root)
    if revision is None:
        why = "no revision was given to compare with" if git.is_clone() else "this folder has no history of git"
        every = tuple(AffectedService(service=service, reasons=()) for service in services)
        return Changes(since=None, services=every, everything=why)
    paths = git.changed_since(revision)
    return Changes(since=revision, services=affected_services(load_graph(root, services, environment), paths))


# The record of a build, as JSON: for stdout, and for the release that follows.

FOLDER: Final = Path(".platform/builds")

Json = Mapping[str, object]


def record_of(image: PublishedImage) -> Json:
    """Return the JSON document of an image, for the release that follows. `findings` are counts by severity."""
    return {
        "service": image.service,
        "tag": image.tag,
        "digest": image.digest,
        "image": image.uri,
        "commit": image.commit,
        "reused": image.reused,
        "findings": None if image.scan is None else dict(image.scan.counts),
    }


def write_record(root: Path, image: PublishedImage) -> Path:
    """Write the record of a build atomically, and return its path."""
    place = root / FOLDER / f"{image.service}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_suffix(".new")
    new.write_text(json.dumps(record_of(image), indent=2) + "\n", encoding="utf-8")
    new.replace(place)
    return place


def read_record(root: Path, service: str) -> Json | None:
    """Return the record of the last build of a service, or None."""
    place = root / FOLDER / f"{service}.json"
    record: Json | None = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else None
    return record


def changes_of(changes: Changes) -> Json:
    """Return the JSON document of the services that changed."""
    return {
        "since": changes.since,
        "everything": changes.everything,
        "services": [
            {"service": one.service, "kinds": list(one.kinds), "reasons": [asdict(each) for each in one.reasons]}
            for one in changes.services
        ],
    }
