"""The scan of the registry: wait for its result, and refuse an image by the severity of its findings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, Protocol

from platform_sdk.deploy.clock import Clock
from platform_sdk.deploy.config_errors import counted
from platform_sdk.deploy.state import Finding, Scan
from platform_sdk.errors import PlatformError

FailOn = Literal["critical", "high", "never"]
FAIL_ON: Final[tuple[FailOn, ...]] = ("critical", "high", "never")
REFUSED: Final[dict[FailOn, tuple[str, ...]]] = {"critical": ("CRITICAL",), "high": ("CRITICAL", "HIGH"), "never": ()}

HAS_RESULT: Final = frozenset({"COMPLETE", "ACTIVE"})
WILL_HAVE_RESULT: Final = frozenset({"NONE", "PENDING", "IN_PROGRESS"})
"""NONE too: for a moment after a push, ECR has no scan."""

POLL_SECONDS: Final = 5
DEADLINE_SECONDS: Final = 300
MAX_LISTED: Final = 20


class ScanMissing(PlatformError):
    """The scan has no result."""


class ImageRefused(PlatformError):
    """The scan has findings that must not be released."""

    def __init__(self, what: str, findings: Sequence[Finding], because: str, hint: str) -> None:
        super().__init__(what, because=because, hint=hint)
        self.findings = tuple(findings)


class Scanner(Protocol):
    """A registry that scans images, as the gateway `aws.ecr.Ecr` does."""

    def scan(self, repository: str, digest: str) -> Scan: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Which findings stop a release. `deadline_seconds` is how long to wait for a result."""

    fail_on: FailOn = "critical"
    deadline_seconds: int = DEADLINE_SECONDS


def judge(
    scanner: Scanner, repository: str, digest: str, gate: Gate, clock: Clock, report: Callable[[str], None]
) -> Scan | None:
    """Return the scan that accepts the image, or None if the gate asks for no scan.

    Raises:
        ScanMissing: there is no result at the deadline, or the scan failed.
        ImageRefused: the scan has a finding of the severity of the gate, or above.
    """
    if gate.fail_on == "never":
        return None
    scan = _await_scan(scanner, repository, digest, gate, clock, report)
    refused = REFUSED[gate.fail_on]
    number = sum(scan.counts.get(severity, 0) for severity in refused)
    report(f"{repository}: scanned, {counts_of(scan)}")
    if number:
        raise _refusal(f"{repository}@{digest}", scan, refused, number)
    return scan


def _await_scan(
    scanner: Scanner, repository: str, digest: str, gate: Gate, clock: Clock, report: Callable[[str], None]
) -> Scan:
    deadline = clock.now() + timedelta(seconds=gate.deadline_seconds)
    reported = None
    while True:
        scan = scanner.scan(repository, digest)
        if scan.status in HAS_RESULT:
            return scan
        if scan.status not in WILL_HAVE_RESULT:
            raise ScanMissing(
                f"the image {repository}@{digest} could not be scanned",
                because=scan.description or f"the scan's status is {scan.status}",
                hint="`--fail-on never` releases it without a scan",
            )
        if clock.now() >= deadline:
            raise ScanMissing(
                f"the image {repository}@{digest} has no scan result after {gate.deadline_seconds} seconds",
                because="the registry has no scan of it" if scan.status == "NONE" else f"its scan is {scan.status}",
                hint="try again later; the image is not built or pushed twice",
            )
        if scan.status != reported:
            reported = scan.status
            report(f"{repository}: waiting for the scan of {digest[:19]}")
        clock.sleep(POLL_SECONDS)


def counts_of(scan: Scan) -> str:
    """Return a text such as `2 critical, 1 low`."""
    order = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
    counts = [f"{scan.counts[severity]} {severity.lower()}" for severity in order if scan.counts.get(severity)]
    return ", ".join(counts) or "nothing found"


def _refusal(image: str, scan: Scan, refused: Sequence[str], number: int) -> ImageRefused:
    worst = [finding for finding in scan.findings if finding.severity in refused]
    lines = [_line_of(finding) for finding in worst[:MAX_LISTED]]
    if number > len(lines):
        lines.append(f"and {number - len(lines)} more")
    return ImageRefused(
        f"{image} must not be released: the scan has {counted(number, 'finding')} of severity "
        + " or ".join(severity.lower() for severity in refused),
        worst,
        because="\n".join(lines),
        hint="update with `make lock` or a newer base image; `--fail-on never` releases it as it is",
    )


def _line_of(finding: Finding) -> str:
    fixed = f", fixed in {finding.fixed_in}" if finding.fixed_in else ", not fixed yet"
    return (
        f"{finding.severity.lower()} {finding.name}: {finding.package} {finding.version}{fixed} {finding.url}".rstrip()
    )
