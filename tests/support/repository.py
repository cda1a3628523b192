"""The two repositories that tests read: this one, and one whose manifests and environments no team edits."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""This repository. What teams write in it may change on any day, so tests only check that it is valid."""

FIXTURES: Final = ROOT / "tests" / "fixtures" / "repository"
"""Fixed services and environments. Links lead to the real templates, prices and appspec.yaml."""
