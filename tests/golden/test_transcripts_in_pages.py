"""Keep the output that the documentation shows equal to the golden output.

`UPDATE_GOLDENS=1` writes the pages anew, after the goldens: this file's name sorts behind theirs.
"""

import os
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
GOLDENS: Final = ROOT / "tests" / "golden"

LEFT_OUT: Final = re.compile(
    r"  ok    (task definition|secrets|log groups|target groups|deployment group|hooks|no other|not older|alarms)"
    r"|  skip |^ +… |still at | the task is (provisioning|pending|running)| tasks run"
    r"|: (BeforeInstall|Install|AllowTestTraffic|AfterInstall|BeforeAllowTraffic|AllowTraffic|AfterAllowTraffic) "
    r"| at most |waiting for ECS|^exit "
)
"""Lines of a release that README.md leaves out. Several in a row become one `…`."""


def excerpt(lines: list[str]) -> list[str]:
    """Return the lines of a release that README.md shows."""
    shown: list[str] = []
    for line in lines:
        if not LEFT_OUT.search(line):
            shown.append(line)
        elif shown[-1] != "         …":
            shown.append("         …")
    while shown[-1] == "         …":
        shown.pop()
    return shown


def agree(page: str, first_line: str, lines: list[str]) -> None:
    """Compare the block of a page that begins with `first_line` with `lines`, or write it anew."""
    path, wanted = ROOT / page, "\n".join(lines) + "\n"
    block = re.compile(rf"(?<=```text\n){re.escape(first_line)}\n.*?(?=```)", re.DOTALL)
    text = path.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(block.sub(lambda _: wanted, text), encoding="utf-8")
    assert block.findall(path.read_text(encoding="utf-8")) == [wanted]


def test_readme_shows_a_real_release() -> None:
    lines = (GOLDENS / "releases" / "orders-good.txt").read_text(encoding="utf-8").splitlines()
    command = "$ platform deploy orders --env production"
    agree("README.md", command, [command, *excerpt(lines)])


def test_the_page_about_plans_shows_a_real_plan() -> None:
    lines = (GOLDENS / "plans" / "scaling-alone.txt").read_text(encoding="utf-8").splitlines()
    command = "$ platform plan orders --env production"
    agree("docs/howto/plan.md", command, [command, *lines])
