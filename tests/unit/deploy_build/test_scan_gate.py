"""The command waits for a scan, and refuses images by the severity of its findings."""

import pytest

from platform_sdk.deploy.build.scan import FailOn, Gate, ImageRefused, ScanMissing, judge
from platform_sdk.deploy.state import Finding, Scan
from tests.unit.deploy_build.publishing import DIGEST, Clock, Registry, scan_of

OPENSSL = Finding(
    name="CVE-2026-1000",
    severity="CRITICAL",
    package="openssl",
    version="3.0.15",
    fixed_in="3.0.16",
    url="https://example.com/CVE-2026-1000",
)
ZLIB = Finding(name="CVE-2023-45853", severity="HIGH", package="zlib", version="1.2.13", fixed_in="", url="")


class Judged:
    def __init__(self, *scans: Scan, gate: Gate | None = None) -> None:
        self.registry, self.gate, self.clock = Registry(scans=list(scans)), gate or Gate(), Clock()
        self.reported: list[str] = []

    def judge(self) -> Scan | None:
        return judge(self.registry, "orders", DIGEST, self.gate, self.clock, self.reported.append)

    @property
    def seconds(self) -> float:
        return (self.clock.now() - Clock().now()).total_seconds()


def test_an_image_without_findings_passes() -> None:
    judged = Judged(scan_of())
    assert judged.judge() == scan_of()
    assert judged.reported == ["orders: scanned, nothing found"]


def test_the_wait_for_a_result_is_reported_once_for_each_state() -> None:
    judged = Judged(scan_of("NONE"), scan_of("PENDING"), scan_of("IN_PROGRESS"), scan_of("IN_PROGRESS"), scan_of())
    judged.judge()
    assert judged.seconds == 20
    assert len([line for line in judged.reported if "waiting" in line]) == 3


def test_a_continuous_scan_has_a_result() -> None:
    assert Judged(scan_of("ACTIVE", medium=4)).judge() is not None


@pytest.mark.parametrize(
    ("fail_on", "scan", "refused"),
    [
        ("critical", scan_of(critical=1), True),
        ("critical", scan_of(high=9, medium=9), False),
        ("high", scan_of(high=1), True),
        ("high", scan_of(critical=1), True),
        ("high", scan_of(medium=9, low=9), False),
    ],
)
def test_the_severity_decides(fail_on: FailOn, scan: Scan, refused: bool) -> None:
    judged = Judged(scan, gate=Gate(fail_on=fail_on))
    if refused:
        with pytest.raises(ImageRefused):
            judged.judge()
    else:
        assert judged.judge() is not None


def test_a_refusal_names_the_findings_and_their_fixes() -> None:
    judged = Judged(scan_of(findings=(OPENSSL, ZLIB), critical=1, high=1), gate=Gate(fail_on="high"))
    with pytest.raises(ImageRefused) as raised:
        judged.judge()
    assert raised.value.findings == (OPENSSL, ZLIB)
    assert raised.value.what == (
        f"orders@{DIGEST} must not be released: the scan has 2 findings of severity critical or high"
    )
    assert raised.value.because == (
        "critical CVE-2026-1000: openssl 3.0.15, fixed in 3.0.16 https://example.com/CVE-2026-1000\n"
        "high CVE-2023-45853: zlib 1.2.13, not fixed yet"
    )
    assert judged.reported == ["orders: scanned, 1 critical, 1 high"]


def test_findings_that_are_not_listed_are_counted() -> None:
    with pytest.raises(ImageRefused) as raised:
        Judged(scan_of(findings=(OPENSSL,), critical=30)).judge()
    assert str(raised.value.because).endswith("\nand 29 more")


def test_without_a_gate_there_is_no_wait_for_a_scan() -> None:
    judged = Judged(scan_of("FAILED"), gate=Gate(fail_on="never"))
    assert judged.judge() is None
    assert judged.seconds == 0


def test_a_scan_that_failed_is_no_result() -> None:
    with pytest.raises(ScanMissing) as raised:
        Judged(scan_of("FAILED", "UnsupportedImageError")).judge()
    assert raised.value.because == "UnsupportedImageError"


@pytest.mark.parametrize(
    ("status", "because"), [("NONE", "the registry has no scan of it"), ("PENDING", "its scan is PENDING")]
)
def test_a_scan_without_an_end_is_given_up_at_the_deadline(status: str, because: str) -> None:
    judged = Judged(scan_of(status), gate=Gate(deadline_seconds=60))
    with pytest.raises(ScanMissing) as raised:
        judged.judge()
    assert (judged.seconds, raised.value.because) == (60, because)
