"""Repositories of git for tests: this one as it is now, in one commit of its own."""

import shutil
import subprocess
from pathlib import Path

from tests.support.repository import ROOT

WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *WHO, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def committed_copy(folder: Path) -> Path:
    """The files of this repository, committed here or not, in a new one."""
    for path in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if path and ((ROOT / path).is_file() or (ROOT / path).is_symlink()):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path, follow_symlinks=False)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "All of it")
    return folder


def cloned(origin: Path, folder: Path) -> Path:
    git(origin, "clone", "--quiet", str(origin), str(folder))
    return folder
