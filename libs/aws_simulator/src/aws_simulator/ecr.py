"""ECR: the images of the services, by digest and tag, and the findings of scans.

An image's architecture can be read from an index only (`docker buildx` pushes one with provenance or for several
platforms): BatchGetImage returns it, and it names the platform of each image. A single manifest names only the digest
of its configuration, which clients fetch by HTTP (GetDownloadUrlForLayer); that is not supported.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aws_simulator.account import Account
from aws_simulator.service import Answer, Paging, Refused, Request, Service, find_or_refuse
from aws_simulator.world import GOOD, Behaviour

INDEX: Final = "application/vnd.oci.image.index.v1+json"
SINGLE: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_ARCHITECTURES: Final[Mapping[str, str]] = {"x86_64": "amd64", "arm64": "arm64"}
"""Fargate's word to that of an image."""

PAGE_SIZE: Final = 100
PAGES: Final = Paging(
    marker="nextToken", next_marker="nextToken", size="maxResults", invalid="InvalidParameterException"
)
Manifest = Literal["index", "single"]


# Findings of image scans. Basic scanning ends in COMPLETE and lists `findings`. Enhanced scanning (Amazon Inspector)
# continues while the image is watched, so its status is ACTIVE, and it lists `enhancedFindings`:
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html

ScanType = Literal["BASIC", "ENHANCED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """`type` is None where the image is not scanned; `severities` counts the findings."""

    type: ScanType | None
    completes: datetime
    severities: Mapping[str, int]
    fails: bool = False


def status_of(scan: Scan, now: datetime) -> str:
    enhanced = scan.type == "ENHANCED"
    if now < scan.completes:
        return "PENDING" if enhanced else "IN_PROGRESS"
    if scan.fails:
        return "FAILED"
    return "ACTIVE" if enhanced else "COMPLETE"


def findings_of(scan: Scan, now: datetime) -> dict[str, Any]:
    """Return `imageScanFindings`, once the scan has any."""
    if now < scan.completes or scan.fails:
        return {}
    form = {"enhancedFindings": list(enhanced(scan))} if scan.type == "ENHANCED" else {"findings": list(basic(scan))}
    return {"imageScanFindings": {"imageScanCompletedAt": scan.completes, **counted(scan), **form}}


def summary_of(scan: Scan, now: datetime) -> dict[str, Any]:
    """Return the summary of DescribeImages."""
    if scan.type is None:
        return {}
    summary = {"imageScanFindingsSummary": {"imageScanCompletedAt": scan.completes, **counted(scan)}}
    done = now >= scan.completes and not scan.fails
    return {"imageScanStatus": {"status": status_of(scan, now)}, **(summary if done else {})}


def counted(scan: Scan) -> dict[str, Any]:
    return {"findingSeverityCounts": {severity: count for severity, count in scan.severities.items() if count}}


def basic(scan: Scan) -> Iterator[dict[str, Any]]:
    for severity, number in each(scan):
        yield {
            "name": f"CVE-2026-{number:04d}",
            "severity": severity,
            "uri": f"https://security-tracker.debian.org/tracker/CVE-2026-{number:04d}",
            "attributes": [{"key": "package_name", "value": "openssl"}, {"key": "package_version", "value": "3.0.1"}],
        }


def enhanced(scan: Scan) -> Iterator[dict[str, Any]]:
    for severity, number in each(scan):
        package = {"name": "openssl", "version": "3.0.1", "fixedInVersion": "3.0.2"}
        yield {
            "title": f"CVE-2026-{number:04d} - openssl",
            "severity": severity,
            "status": "ACTIVE",
            "type": "PACKAGE_VULNERABILITY",
            "fixAvailable": "YES",
            "packageVulnerabilityDetails": {
                "vulnerabilityId": f"CVE-2026-{number:04d}",
                "vulnerablePackages": [package],
            },
        }


def each(scan: Scan) -> Iterator[tuple[str, int]]:
    severities = [severity for severity, count in scan.severities.items() for _ in range(count)]
    return ((severity, number) for number, severity in enumerate(severities, start=1))


# Images and repositories


@dataclass(slots=True, kw_only=True)
class Image:
    """One image of a repository; several tags may name it."""

    digest: str
    tags: list[str]
    manifest: str
    media_type: str
    pushed: datetime
    scan: Scan


@dataclass(slots=True, kw_only=True)
class Repository:
    """`scan_type` is None where nothing scans on push."""

    name: str
    created: datetime
    immutable: bool = False
    scan_type: ScanType | None = "BASIC"
    lifecycle: str | None = None
    images: dict[str, Image] = field(default_factory=dict)

    def find(self, image_id: Mapping[str, str]) -> Image | None:
        """Return an image by digest or, without one, by tag."""
        if "imageDigest" in image_id:
            return self.images.get(image_id["imageDigest"])
        return next((image for image in self.images.values() if image_id.get("imageTag") in image.tags), None)


class Ecr(Service):
    """Repositories with their images. A test pushes an image with `push`, and so decides how its tasks behave."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.repositories: dict[str, Repository] = {}

    def push(
        self,
        repository: str,
        tag: str,
        behaviour: Behaviour = GOOD,
        *,
        digest: str | None = None,
        pushed_at: datetime | None = None,
        architecture: str = "x86_64",
        manifest: Manifest = "index",
        severities: Mapping[str, int] | None = None,
        scan_seconds: float = 20,
    ) -> str:
        """Push an image whose tasks behave so, and return its URI with tag and digest.

        Args:
            digest: `sha256:…`; by default it follows from the repository and the tag.
            severities: what the scan will find, such as `{"CRITICAL": 1}`.

        Raises:
            Refused: the tag is taken and tags are immutable, or there is no such repository.
        """
        media_type, text = manifest_of(f"{repository}:{tag}", architecture, manifest)
        found = self._repository({"repositoryName": repository})
        image = self._put(found, text, media_type, tag, digest=digest, pushed_at=pushed_at)
        done = image.pushed + timedelta(seconds=scan_seconds)
        image.scan = Scan(type=found.scan_type, completes=done, severities=dict(severities or {}))
        self.account.images[image.digest] = behaviour
        return f"{self.uri(repository)}:{tag}@{image.digest}"

    def create_repository(self, request: Request) -> Answer:
        name = request["repositoryName"]
        if name in self.repositories:
            message = f"The repository with name '{name}' already exists {self._in_registry}"
            raise Refused("RepositoryAlreadyExistsException", message)
        scans = request.get("imageScanningConfiguration", {}).get("scanOnPush", False)
        self.repositories[name] = Repository(
            name=name,
            created=self.account.now(),
            immutable=request.get("imageTagMutability") == "IMMUTABLE",
            scan_type="BASIC" if scans else None,
        )
        return {"repository": self._description(self.repositories[name])}

    def delete_repository(self, request: Request) -> Answer:
        repository = self._repository(request)
        if repository.images and not request.get("force", False):
            where = f"in registry with id '{self.account.account_id}'"
            message = f"The repository with name '{repository.name}' {where} cannot be deleted because it still"
            raise Refused("RepositoryNotEmptyException", f"{message} contains images")
        del self.repositories[repository.name]
        return {"repository": self._description(repository)}

    def put_lifecycle_policy(self, request: Request) -> Answer:
        repository = self._repository(request)
        repository.lifecycle = request["lifecyclePolicyText"]
        return {"repositoryName": repository.name, "lifecyclePolicyText": repository.lifecycle}

    def get_authorization_token(self, request: Request) -> Answer:
        data = {
            "authorizationToken": base64.b64encode(b"AWS:token").decode(),
            "expiresAt": self.account.now() + timedelta(hours=12),
            "proxyEndpoint": f"https://{self.uri('')}".rstrip("/"),
        }
        return {"authorizationData": [data]}

    def put_image(self, request: Request) -> Answer:
        repository = self._repository(request)
        media_type = request.get("imageManifestMediaType", SINGLE)
        image = self._put(repository, request["imageManifest"], media_type, request.get("imageTag"))
        return {"image": self._shown(repository, image, request)}

    def batch_get_image(self, request: Request) -> Answer:
        repository = self._repository(request)
        found = [(image_id, repository.find(image_id)) for image_id in request["imageIds"]]
        return {
            "images": [self._shown(repository, image, image_id) for image_id, image in found if image is not None],
            "failures": [
                {"imageId": image_id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
                for image_id, image in found
                if image is None
            ],
        }

    def describe_images(self, request: Request) -> Answer:
        """Describe all images of the repository, in pages, or those of the request, all of which must exist."""
        repository = self._repository(request)
        if "imageIds" in request:
            wanted = [self._image(repository, image_id) for image_id in request["imageIds"]]
            return {"imageDetails": [self._detail(repository, image) for image in wanted]}
        details = [self._detail(repository, image) for _, image in sorted(repository.images.items())]
        return PAGES.answer("imageDetails", details, request, PAGE_SIZE)

    def describe_image_scan_findings(self, request: Request) -> Answer:
        repository = self._repository(request)
        image = self._image(repository, request["imageId"])
        if image.scan.type is None:
            message = f"Image scan does not exist for the image with '{{imageDigest:'{image.digest}'}}'"
            where = f"in the repository with name '{repository.name}' {self._in_registry}"
            raise Refused("ScanNotFoundException", f"{message} {where}")
        return {
            "registryId": self.account.account_id,
            "repositoryName": repository.name,
            "imageId": {"imageDigest": image.digest},
            "imageScanStatus": {"status": status_of(image.scan, self.account.now())},
            **findings_of(image.scan, self.account.now()),
        }

    def iam_resources(self, operation: str, request: Request) -> tuple[str, ...]:
        named = request.get("repositoryNames") or [request[key] for key in ("repositoryName",) if key in request]
        return tuple(self.account.arn("ecr", f"repository/{name}") for name in named)

    def uri(self, repository: str) -> str:
        return f"{self.account.account_id}.dkr.ecr.{self.account.region}.amazonaws.com/{repository}"

    def _put(
        self,
        repository: Repository,
        manifest: str,
        media_type: str,
        tag: str | None,
        *,
        digest: str | None = None,
        pushed_at: datetime | None = None,
    ) -> Image:
        digest = digest or f"sha256:{sha256(manifest)}"
        holder = None if tag is None else repository.find({"imageTag": tag})
        if holder is not None:
            self._refuse_or_move(repository, holder, str(tag), digest)
        pushed = pushed_at or self.account.now()
        scan = Scan(type=repository.scan_type, completes=pushed, severities={})
        new = Image(digest=digest, tags=[], manifest=manifest, media_type=media_type, pushed=pushed, scan=scan)
        image = repository.images.setdefault(digest, new)
        image.tags += [] if tag is None or tag in image.tags else [tag]
        self.account.images.setdefault(digest, GOOD)
        return image

    def _refuse_or_move(self, repository: Repository, holder: Image, tag: str, digest: str) -> None:
        where = f"in the repository with name '{repository.name}' in registry with id '{self.account.account_id}'"
        if holder.digest == digest:
            message = f"Image with digest '{digest}' and tag '{tag}' already exists {where}"
            raise Refused("ImageAlreadyExistsException", message)
        if repository.immutable:
            message = f"The image tag '{tag}' already exists {where} and cannot be overwritten because the tag is"
            raise Refused("ImageTagAlreadyExistsException", f"{message} immutable.")
        holder.tags.remove(tag)

    def _repository(self, request: Request) -> Repository:
        name = request["repositoryName"]
        message = f"The repository with name '{name}' does not exist {self._in_registry}"
        return find_or_refuse(self.repositories, name, "RepositoryNotFoundException", message)

    @property
    def _in_registry(self) -> str:
        return f"in the registry with id '{self.account.account_id}'"

    def _image(self, repository: Repository, image_id: Mapping[str, str]) -> Image:
        found = repository.find(image_id)
        if found is None:
            sought = ", ".join(f"{key}:'{value}'" for key, value in sorted(image_id.items()))
            where = f"within the repository with name '{repository.name}' {self._in_registry}"
            raise Refused("ImageNotFoundException", f"The image with imageId {{{sought}}} does not exist {where}")
        return found

    def _description(self, repository: Repository) -> Answer:
        return {
            "repositoryArn": self.account.arn("ecr", f"repository/{repository.name}"),
            "registryId": self.account.account_id,
            "repositoryName": repository.name,
            "repositoryUri": self.uri(repository.name),
            "createdAt": repository.created,
            "imageTagMutability": "IMMUTABLE" if repository.immutable else "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": repository.scan_type is not None},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        }

    def _detail(self, repository: Repository, image: Image) -> Answer:
        answer: Answer = {
            "registryId": self.account.account_id,
            "repositoryName": repository.name,
            "imageDigest": image.digest,
            "imageSizeInBytes": 90_000_000,
            "imagePushedAt": image.pushed,
            "imageManifestMediaType": image.media_type,
            **summary_of(image.scan, self.account.now()),
        }
        return answer | ({"imageTags": list(image.tags)} if image.tags else {})

    def _shown(self, repository: Repository, image: Image, image_id: Mapping[str, Any]) -> Answer:
        tag = image_id.get("imageTag")
        return {
            "registryId": self.account.account_id,
            "repositoryName": repository.name,
            "imageId": {"imageDigest": image.digest, **({} if tag is None else {"imageTag": tag})},
            "imageManifest": image.manifest,
            "imageManifestMediaType": image.media_type,
        }


def manifest_of(seed: str, architecture: str, kind: Manifest) -> tuple[str, str]:
    """Return media type and text."""
    digests = [f"sha256:{sha256(f'{seed} {part}')}" for part in ("image", "provenance")]
    if kind == "single":
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digests[0], "size": 7023}
        return SINGLE, written(SINGLE, {"config": config, "layers": []})
    platforms: Sequence[Mapping[str, str]] = (
        {"architecture": OCI_ARCHITECTURES[architecture], "os": "linux"},
        {"architecture": "unknown", "os": "unknown"},  # where its provenance is
    )
    manifests = [
        {"mediaType": SINGLE, "digest": digest, "size": 2417, "platform": platform}
        for digest, platform in zip(digests, platforms, strict=True)
    ]
    return INDEX, written(INDEX, {"manifests": manifests})


def sha256(text: str) -> str:
    """Return the hash of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def written(media_type: str, members: Mapping[str, Any]) -> str:
    """Return a manifest as text: https://github.com/opencontainers/image-spec/blob/main/manifest.md"""
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, **members})
