"""ECR: images by tag or digest, their scan findings, and the login for pushing them."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from platform_sdk.deploy.aws import Client, NotFound, utc
from platform_sdk.deploy.state import Finding, Image, Scan

INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """Credentials for `docker login`, valid for twelve hours. `registry` is a host without scheme."""

    user: str
    password: str = field(repr=False)
    registry: str


class Ecr:
    """The calls of ECR. `repository` is a name, not a URI. All raise AwsCallFailed."""

    def __init__(self, client: Client, account_id: str) -> None:
        self.client = client
        self.account_id = account_id

    def image(self, repository: str, tag_or_digest: str) -> Image | None:
        """Return None where the image, or the repository, does not exist."""
        kind = "imageDigest" if tag_or_digest.startswith("sha256:") else "imageTag"
        wanted = self.about(repository) | {"imageIds": [{kind: tag_or_digest}]}
        purpose = f"look for the image {repository} {tag_or_digest}"
        try:
            details = self.client.call("describe_images", purpose, **wanted)["imageDetails"]
        except NotFound:
            return None
        if not details:
            return None
        found = details[0]
        accepted = {"acceptedMediaTypes": [*INDEXES, *MANIFESTS]}
        answer = self.client.call("batch_get_image", purpose, **wanted, **accepted)
        return Image(
            repository=repository,
            digest=found["imageDigest"],
            tags=tuple(found.get("imageTags", [])),
            pushed_at=utc(found.get("imagePushedAt")),
            size_bytes=found.get("imageSizeInBytes", 0),
            architectures=tuple(architectures_of(answer["images"])),
        )

    def scan(self, repository: str, digest: str) -> Scan:
        """Return the findings of a scan; status NONE where the image was not scanned.

        Raises:
            NotFound: there is no such image.
        """
        purpose = f"read what was found in the image {repository} {digest}"
        wanted = self.about(repository) | {"imageId": {"imageDigest": digest}}
        status: Any = {}
        counts: Mapping[str, int] = {}
        findings: list[Finding] = []
        try:
            for page in self.client.pages("describe_image_scan_findings", purpose, **wanted):
                status = page.get("imageScanStatus", {})
                about = page.get("imageScanFindings", {})
                counts = about.get("findingSeverityCounts", counts)
                findings += findings_of(about)
        except NotFound as error:
            if error.code != "ScanNotFoundException":
                raise
            return Scan(status="NONE", description="", counts={}, findings=())
        return Scan(
            status=status.get("status", "NONE"),
            description=status.get("description", ""),
            counts=dict(counts),
            findings=tuple(findings),
        )

    def login(self) -> RegistryLogin:
        """Return what `docker login` needs. GetAuthorizationToken answers with base64 of `AWS:<password>`."""
        answer = self.client.call("get_authorization_token", "log in to the registry")["authorizationData"][0]
        user, _, password = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
        return RegistryLogin(user=user, password=password, registry=answer["proxyEndpoint"].removeprefix("https://"))

    def about(self, repository: str) -> dict[str, Any]:
        """Name the account, so that AWS refuses another's credentials instead of finding a repository there."""
        return {"registryId": self.account_id, "repositoryName": repository}


def architectures_of(images: Any) -> Iterator[str]:
    """Return the architectures of an index, without attestations; none for a single manifest."""
    for image in images:
        for each in json.loads(image.get("imageManifest", "{}")).get("manifests", []):
            architecture = each.get("platform", {}).get("architecture", "unknown")
            if architecture != "unknown":
                yield str(architecture)


def findings_of(found: Any) -> Iterator[Finding]:
    """Yield the findings of ECR's own scanner, and of Inspector's, which lists every affected package."""
    for each in found.get("findings", []):
        more = {attribute["key"]: attribute.get("value", "") for attribute in each.get("attributes", [])}
        yield Finding(
            name=each.get("name", ""),
            severity=each.get("severity", "UNDEFINED"),
            package=more.get("package_name", ""),
            version=more.get("package_version", ""),
            fixed_in="",
            url=each.get("uri", ""),
        )
    for each in found.get("enhancedFindings", []):
        details = each.get("packageVulnerabilityDetails", {})
        for package in details.get("vulnerablePackages") or [{}]:
            yield Finding(
                name=details.get("vulnerabilityId") or each.get("title", ""),
                severity=each.get("severity", "UNDEFINED"),
                package=package.get("name", ""),
                version=package.get("version", ""),
                fixed_in=package.get("fixedInVersion", ""),
                url=details.get("sourceUrl", ""),
            )
