"""Whether the registry's scan lets an image through: its result is awaited, then gated by severity."""

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
"""NONE too: for a moment after a push, ECR knows of no scan."""

POLL_SECONDS: Final = 5
DEADLINE_SECONDS: Final = 300
MAX_LISTED: Final = 20


class ScanMissing(PlatformError):
    """There is no result, and so no judgement."""


class ImageRefused(PlatformError):
    """The scan found what must not be released; `findings` are those."""

    def __init__(self, what: str, findings: Sequence[Finding], because: str, hint: str) -> None:
        super().__init__(what, because=because, hint=hint)
        self.findings = tuple(findings)


class Scanner(Protocol):
    def scan(self, repository: str, digest: str) -> Scan: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """`deadline_seconds` is how long a result is awaited."""

    fail_on: FailOn = "critical"
    deadline_seconds: int = DEADLINE_SECONDS


def judge(
    scanner: Scanner, repository: str, digest: str, gate: Gate, clock: Clock, tell: Callable[[str], None]
) -> Scan | None:
    """The scan that let the image through, or None where nobody asked for one.

    Raises:
        ScanMissing: there is no result by the deadline, or there never will be.
        ImageRefused: of the severity that refuses, or above it.
    """
    if gate.fail_on == "never":
        return None
    scan = await_scan(scanner, repository, digest, gate, clock, tell)
    refused = REFUSED[gate.fail_on]
    number = sum(scan.counts.get(severity, 0) for severity in refused)
    tell(f"{repository}: scanned, {said(scan)}")
    if number:
        raise refusal(f"{repository}@{digest}", scan, refused, number)
    return scan


def await_scan(
    scanner: Scanner, repository: str, digest: str, gate: Gate, clock: Clock, tell: Callable[[str], None]
) -> Scan:
    deadline = clock.now() + timedelta(seconds=gate.deadline_seconds)
    told = None
    while True:
        scan = scanner.scan(repository, digest)
        if scan.status in HAS_RESULT:
            return scan
        if scan.status not in WILL_HAVE_RESULT:
            raise ScanMissing(
                f"the image {repository}@{digest} could not be scanned",
                because=scan.description or f"the scan's status is {scan.status}",
                hint="`--fail-on never` releases it without one",
            )
        if clock.now() >= deadline:
            raise ScanMissing(
                f"the image {repository}@{digest} has no scan result after {gate.deadline_seconds} seconds",
                because="the registry knows of no scan" if scan.status == "NONE" else f"its scan is {scan.status}",
                hint="try again later; nothing is built or pushed twice",
            )
        if scan.status != told:
            told = scan.status
            tell(f"{repository}: waiting for the scan of {digest[:19]}")
        clock.sleep(POLL_SECONDS)


def said(scan: Scan) -> str:
    """`2 critical, 1 low`."""
    order = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
    counts = [f"{scan.counts[severity]} {severity.lower()}" for severity in order if scan.counts.get(severity)]
    return ", ".join(counts) or "nothing found"


def refusal(image: str, scan: Scan, refused: Sequence[str], number: int) -> ImageRefused:
    worst = [finding for finding in scan.findings if finding.severity in refused]
    lines = [line_of(finding) for finding in worst[:MAX_LISTED]]
    if number > len(lines):
        lines.append(f"and {number - len(lines)} more")
    return ImageRefused(
        f"{image} must not be released: the scan has {counted(number, 'finding')} of severity "
        + " or ".join(severity.lower() for severity in refused),
        worst,
        because="\n".join(lines),
        hint="take what is fixed: `make lock`, or a newer base image; `--fail-on never` releases it as it is",
    )


def line_of(finding: Finding) -> str:
    fixed = f", fixed in {finding.fixed_in}" if finding.fixed_in else ", not fixed yet"
    return (
        f"{finding.severity.lower()} {finding.name}: {finding.package} {finding.version}{fixed} {finding.url}".rstrip()
    )
