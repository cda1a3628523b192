"""Keep the release transcript in README.md equal to the golden output of a release on the simulated AWS.

`UPDATE_GOLDENS=1` writes it anew, after the goldens themselves: this file's name sorts behind theirs.
"""

import os
import re
from typing import Final

from tests.support.repository import ROOT

README: Final = ROOT / "README.md"
GOLDEN: Final = ROOT / "tests" / "golden" / "releases" / "orders-good.txt"
BLOCK: Final = re.compile(r"(?<=```text\n\$ platform deploy orders --env production\n).*?(?=```)", re.DOTALL)

LEFT_OUT: Final = re.compile(
    r"  ok    (task definition|secrets|log groups|target groups|deployment group|hooks|no other|not older|alarms)"
    r"|  skip |still at | the task is (provisioning|pending|running)| tasks run"
    r"|: (BeforeInstall|Install|AllowTestTraffic|AfterInstall|BeforeAllowTraffic|AllowTraffic|AfterAllowTraffic) "
    r"| at most |waiting for ECS|^exit "
)
"""Lines that the README leaves out. Several in a row become one `…`."""


def excerpt(lines: list[str]) -> str:
    """Return the lines that README.md shows."""
    shown: list[str] = []
    for line in lines:
        if not LEFT_OUT.search(line):
            shown.append(line)
        elif shown[-1] != "         …":
            shown.append("         …")
    while shown[-1] == "         …":
        shown.pop()
    return "\n".join(shown) + "\n"


def test_the_transcript_in_readme_is_a_real_release() -> None:
    text, wanted = README.read_text(encoding="utf-8"), excerpt(GOLDEN.read_text(encoding="utf-8").splitlines())
    (transcript,) = BLOCK.findall(text)
    if os.environ.get("UPDATE_GOLDENS"):
        README.write_text(BLOCK.sub(lambda _: wanted, text), encoding="utf-8")
        transcript = wanted
    assert transcript == wanted
