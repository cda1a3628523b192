"""Git through its command line: files, commits and changes of the repository."""

import subprocess
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from platform_sdk.errors import PlatformError

PROGRAM: Final = "git"


class GitFailed(PlatformError):
    """Git is not installed, or refused."""


class NoHistory(PlatformError):
    """The folder is no clone, so there is nothing to compare with."""


class UnknownRevision(PlatformError):
    """Git has no such commit, branch or tag."""


class Git:
    """The Git repository in the folder `root`, by its command line."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def is_clone(self) -> bool:
        """Return whether the folder is a clone. An unpacked archive is none."""
        return (self.root / ".git").exists()

    def files(self) -> list[str]:
        """Return the paths of committed and of new files, without ignored ones.

        Raises:
            GitFailed: Git refused.
        """
        listed = self.output("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return sorted(set(listed.split("\0")) - {""})

    def commit(self) -> str:
        """Return the current commit in 40 digits, with `-dirty` if files differ from it.

        Raises:
            GitFailed: there is no commit yet.
        """
        changes = self.output("status", "--porcelain")
        return self.output("rev-parse", "HEAD").strip() + ("-dirty" if changes else "")

    def committed_at(self, commit: str) -> datetime:
        """Return the time of a commit.

        Raises:
            GitFailed: Git does not know the commit.
        """
        return datetime.fromisoformat(self.output("show", "--no-patch", "--format=%cI", commit).strip())

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Return whether `older` is in the history of `newer`.

        None if Git does not know one of them, as in a shallow clone.
        """
        known = {0: True, 1: False}
        return known.get(self.run("merge-base", "--is-ancestor", older, newer).returncode)

    def origin(self) -> str:
        """Return the web address of the origin, without credentials. Empty if there is no origin."""
        address = self.run("config", "--get", "remote.origin.url").stdout.strip()
        host, colon, path = address.rpartition("@")[2].partition(":")
        if "://" in address:
            parts = urlsplit(address)
            host, colon, path = parts.hostname or "", ":", parts.path
        return f"https://{host}/{path.strip('/').removesuffix('.git')}" if colon and host else ""

    def changed_since(self, revision: str) -> list[str]:
        """Return the paths that differ between the revision and the current files. A moved file counts with both paths.

        Raises:
            NoHistory, UnknownRevision, GitFailed
        """
        commit = self.resolved(revision)
        changed = self.output("diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", "--relative", commit)
        new = self.output("ls-files", "-z", "--others", "--exclude-standard")
        return sorted({*changed.split("\0"), *new.split("\0")} - {""})

    def resolved(self, revision: str) -> str:
        """Return the commit of a revision, in 40 digits.

        Raises:
            NoHistory, UnknownRevision, GitFailed
        """
        if not self.is_clone():
            raise NoHistory(
                f"the changes since {revision} are unknown",
                because=f"{self.root} is no git clone",
                hint="let the source of the pipeline provide a clone (OutputArtifactFormat: CODEBUILD_CLONE_REF)",
            )
        found = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if found.returncode != 0:
            raise UnknownRevision(
                f"git knows no revision `{revision}`",
                because="the clone is shallow; `git fetch --unshallow` fetches the rest" if self.is_shallow() else None,
                hint="`git log --oneline` lists the commits of this clone",
            )
        return found.stdout.strip()

    def is_shallow(self) -> bool:
        return self.output("rev-parse", "--is-shallow-repository").strip() == "true"

    def output(self, *arguments: str) -> str:
        """Return what a Git command prints, with line ends. Raises GitFailed if Git is missing or refuses."""
        answer = self.run(*arguments)
        if answer.returncode != 0:
            raise GitFailed(f"`git {arguments[0]}` failed in {self.root}", because=answer.stderr.strip() or None)
        return answer.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a Git command without judging its exit code. Raises GitFailed if Git is missing."""
        command = [PROGRAM, "-C", str(self.root), *arguments]
        try:
            return subprocess.run(command, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False)
        except OSError as error:
            raise GitFailed("git could not be started", because=str(error), hint="install git") from error
