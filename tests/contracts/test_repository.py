"""Promises that the repository makes about itself."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.support.repository import ROOT

PAGES: Final = [
    page
    for folder in ("", "docs", "services", "libs", "deploy")
    for page in sorted((ROOT / folder).glob("*.md" if not folder else "**/*.md"))
]
PROJECTS: Final = sorted([*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")])
PROSE_WIDTH: Final = 100

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> list[tuple[int, str]]:
    """Return the lines of a page, with their numbers, that are neither code nor a table."""
    lines: list[tuple[int, str]] = []
    in_code = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith("|"):
            lines.append((number, line))
    return lines


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and GitLab derive them."""
    headings = [line.lstrip("#").strip().lower() for _, line in prose(page) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


@each_page
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        linked = page.parent / target if target else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


@each_page
def test_every_path_in_the_text_exists(page: Path) -> None:
    named = re.findall(
        r"(?<![\w./:-])(?:tests|libs|deploy|docs|services|benchmarks|requirements|platform_sdk)/[\w./-]*\w",
        page.read_text(encoding="utf-8"),
    )
    sdk = ROOT / "libs/platform_sdk/src"
    folders = (ROOT, page.parent, sdk, sdk / "platform_sdk")
    assert [path for path in named if not any((folder / path).exists() for folder in folders)] == []


@each_page
def test_prose_is_wrapped(page: Path) -> None:
    # A link or a word that is longer than a line cannot be wrapped.
    long = [f"{number}: {line}" for number, line in prose(page) if len(line) > PROSE_WIDTH and "](" not in line]
    assert long == []


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.parent.name)
def test_every_package_names_the_license(project: Path) -> None:
    assert tomllib.loads(project.read_text(encoding="utf-8"))["project"]["license"] == "Apache-2.0"


def test_the_changelog_has_the_version_of_the_sdk() -> None:
    project = tomllib.loads((ROOT / "libs/platform_sdk/pyproject.toml").read_text(encoding="utf-8"))["project"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", project["version"]]


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda lock: lock.name)
def test_locks_are_hashed_and_hold_no_download_address(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    pinned = [index for index, line in enumerate(lines) if re.match(r"[a-z0-9]", line)]
    assert pinned
    assert not [lines[index] for index in pinned if "--hash=" not in lines[index + 1]]
