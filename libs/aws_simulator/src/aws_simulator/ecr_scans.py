"""Findings of image scans, in one of two forms.

Basic scanning ends in COMPLETE and lists `findings`. Enhanced scanning (Amazon Inspector) continues while the image is
watched, so its status is ACTIVE, and it lists `enhancedFindings`:
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

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
