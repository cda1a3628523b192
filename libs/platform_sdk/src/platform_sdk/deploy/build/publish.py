"""One service's image: named by its content, built and pushed unless the registry has it, let through by its scan."""

import json
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from platform_sdk.deploy.build.changed import Touched, load_graph, touched
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

# The files of an image as they are now, read once: what the tag is made from, and what is handed to Docker.


def read_inputs(root: Path, inputs: ImageInputs) -> tuple[SourceFile, ...]:
    """The files as they are now, committed or not, by path. What git ignores is none of them.

    Raises:
        GitFailed
    """
    git = Git(root)
    paths = git.files() if git.is_clone() else sorted(walked(root, inputs.dockerfile.sources, inputs.path))
    return tuple(file for path in paths if inputs.contains(path) for file in read_file(root, path))


def walked(root: Path, sources: Iterable[str], dockerfile: str) -> set[str]:
    """What is below the copied paths of a folder that is no clone."""
    found = {dockerfile}
    for source in sources:
        for place in root.glob(source):
            files = place.rglob("*") if place.is_dir() and not place.is_symlink() else iter([place])
            found.update(file.relative_to(root).as_posix() for file in files if file.is_symlink() or file.is_file())
    return found


def read_file(root: Path, path: str) -> Iterator[SourceFile]:
    """Nothing for a file that git knows and that is deleted."""
    place = root / path
    if place.is_symlink():
        yield SourceFile(path=path, mode="120000", content=str(place.readlink()).encode())
    elif place.is_file():
        executable = place.stat().st_mode & stat.S_IXUSR
        yield SourceFile(path=path, mode="100755" if executable else "100644", content=place.read_bytes())


PLATFORMS: Final[Mapping[Architecture, str]] = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""Docker's names for ours."""

APPEAR_SECONDS: Final = 10
"""How long a pushed image may take until the registry tells of it."""


class ImageMissing(PlatformError):
    """The registry does not have what was pushed."""


class NoRegistry(PlatformError):
    """What answers for the registry is none to which an image can be pushed."""


class Builder(Protocol):
    """`docker.Docker`, or what stands for it in a test."""

    def build(self, request: BuildRequest) -> None: ...
    def login(self, login: Login) -> None: ...
    def push(self, reference: str) -> None: ...


class Registry(Protocol):
    """`aws.ecr.Ecr`, or what stands for it in a test. `repository` is its name, which is the service's."""

    def image(self, repository: str, tag: str) -> Image | None: ...
    def scan(self, repository: str, digest: str) -> Scan: ...
    def login(self) -> Login: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an image is made from, read once: the same bytes give the tag and the build context.

    `commit` and `origin`, the address of the repository, are empty in a folder that is no clone.
    """

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
    """In the registry. `repository` is its address; `reused` says that nothing was built or pushed."""

    service: str
    tag: str
    digest: str
    repository: str
    commit: str
    reused: bool
    scan: Scan | None

    @property
    def uri(self) -> str:
        """What a task definition names: the digest decides, the tag is for who reads it."""
        return f"{self.repository}:{self.tag}@{self.digest}"


def read_source(root: Path, service: str, architecture: Architecture, base_image: str | None = None) -> Source:
    """Reads the files of the service's image.

    Args:
        base_image: instead of the Dockerfile's default; a mirror of it does not change the tag.

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
    """Raises DockerMissing or DockerFailed."""
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
    tell: Callable[[str], None],
) -> PublishedImage:
    """Does again only what is missing: may be repeated, and run beside another that publishes the same content.

    Raises:
        DockerMissing, DockerFailed: the registry does not have the image, and it cannot be built or pushed.
        NoRegistry, ImageMissing, ScanMissing, ImageRefused, AwsCallFailed
    """
    address = repository_address(environment, source.service)
    found = registry.image(source.service, source.tag)
    reused = found is not None
    if found is not None:
        tell(f"{source.service}: {source.tag} is in the registry; nothing to build")
    else:
        found, reused = publish(source, f"{address}:{source.tag}", registry, builder, clock, tell)
    scan = judge(registry, source.service, found.digest, gate, clock, tell)
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
    tell: Callable[[str], None],
) -> tuple[Image, bool]:
    """The image in the registry, and whether somebody else pushed it. Who may not push hears so before the build."""
    login = registry.login()
    if login.registry != reference.partition("/")[0]:
        raise NoRegistry(
            f"{reference} cannot be pushed",
            because=f"the registry that answers is at {login.registry}",
            hint="name an environment that is on AWS, or leave out --push",
        )
    builder.login(login)
    tell(f"{source.service}: building {source.tag} for {PLATFORMS[source.architecture]}")
    build(source, reference, builder)
    tell(f"{source.service}: pushing {reference}")
    try:
        builder.push(reference)
    except DockerFailed:
        # Tags are immutable. Who loses the race is refused, and has what it wanted.
        winner = registry.image(source.service, source.tag)
        if winner is None:
            raise
        tell(f"{source.service}: another build has pushed {source.tag} meanwhile; it is the same content")
        return winner, True
    return pushed(source, registry, clock), False


def pushed(source: Source, registry: Registry, clock: Clock) -> Image:
    for _ in range(APPEAR_SECONDS):
        found = registry.image(source.service, source.tag)
        if found is not None:
            return found
        clock.sleep(1)
    raise ImageMissing(
        f"the registry does not know {source.service}:{source.tag}",
        because="it was pushed, but cannot be found",
        hint=f"run `platform build {source.service} --push` again",
    )


# The services that what has happened since a revision touches; all of them, where there is none to compare with.


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """`everything` says why every service is listed, where nothing could be compared; then they have no reasons."""

    since: str | None
    services: tuple[Touched, ...]
    everything: str | None = None


def changes_since(root: Path, revision: str | None, environment: str | None = None) -> Changes:
    """Compares the files as they are now, committed or not, with the revision.

    Args:
        environment: the one whose documents count; of all, if None.

    Raises:
        NoHistory, UnknownRevision, GitFailed, NoDockerfile, InvalidDockerfile
    """
    services, git = service_names(root), Git(root)
    if revision is None:
        why = "no revision was given to compare with" if git.is_clone() else "this folder has no history of git"
        every = tuple(Touched(service=service, reasons=()) for service in services)
        return Changes(since=None, services=every, everything=why)
    paths = git.changed_since(revision)
    return Changes(since=revision, services=touched(load_graph(root, services, environment), paths))


# What a build leaves behind for whoever comes next: a JSON document, on stdout or in a file.

FOLDER: Final = Path(".platform/builds")

Json = Mapping[str, object]


def record_of(image: PublishedImage) -> Json:
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
    """Replaces what the last build of the service has left, in one step."""
    place = root / FOLDER / f"{image.service}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_suffix(".new")
    new.write_text(json.dumps(record_of(image), indent=2) + "\n", encoding="utf-8")
    new.replace(place)
    return place


def read_record(root: Path, service: str) -> Json | None:
    """What the last build of the service has left, if anything."""
    place = root / FOLDER / f"{service}.json"
    record: Json | None = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else None
    return record


def changes_of(changes: Changes) -> Json:
    return {
        "since": changes.since,
        "everything": changes.everything,
        "services": [
            {
                "service": one.service,
                "kinds": list(one.kinds),
                "reasons": [{"path": each.path, "kind": each.kind, "edge": each.edge} for each in one.reasons],
            }
            for one in changes.services
        ],
    }
