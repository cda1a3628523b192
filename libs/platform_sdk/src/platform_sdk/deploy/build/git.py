"""What git knows of the repository. One of the two rooms of this package that start processes."""

import subprocess
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from platform_sdk.errors import PlatformError

PROGRAM: Final = "git"


class GitFailed(PlatformError):
    """git is missing, or refused."""


class NoHistory(PlatformError):
    """Nothing to compare with: the folder is no clone."""


class UnknownRevision(PlatformError):
    """git has no such commit, branch or tag."""


class Git:
    def __init__(self, root: Path) -> None:
        self.root = root

    def is_clone(self) -> bool:
        """A source that comes as an archive is none."""
        return (self.root / ".git").exists()

    def files(self) -> list[str]:
        """Those that are committed and those that could be, as they are now; ignored ones are not.

        Raises:
            GitFailed
        """
        listed = self.ask("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return sorted(set(listed.split("\0")) - {""})

    def commit(self) -> str:
        """The commit that is checked out, in 40 digits; with `-dirty` where files differ from it.

        Raises:
            GitFailed: there is no commit yet.
        """
        changes = self.ask("status", "--porcelain")
        return self.ask("rev-parse", "HEAD").strip() + ("-dirty" if changes else "")

    def committed_at(self, commit: str) -> datetime:
        """
        Raises:
            GitFailed: git does not know it.
        """
        return datetime.fromisoformat(self.ask("show", "--no-patch", "--format=%cI", commit).strip())

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Whether the one commit is in the history of the other; None where git does not know one of them, as in a
        shallow clone.
        """
        known = {0: True, 1: False}
        return known.get(self.run("merge-base", "--is-ancestor", older, newer).returncode)

    def origin(self) -> str:
        """Where the clone came from, as a page to look at, without anybody's credentials; empty where nobody said."""
        address = self.run("config", "--get", "remote.origin.url").stdout.strip()
        host, colon, path = address.rpartition("@")[2].partition(":")
        if "://" in address:
            parts = urlsplit(address)
            host, colon, path = parts.hostname or "", ":", parts.path
        return f"https://{host}/{path.strip('/').removesuffix('.git')}" if colon and host else ""

    def changed_since(self, revision: str) -> list[str]:
        """Paths that differ between the revision and the files as they are now; of what was moved, both.

        Raises:
            NoHistory, UnknownRevision, GitFailed
        """
        commit = self.resolved(revision)
        changed = self.ask("diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", "--relative", commit)
        new = self.ask("ls-files", "-z", "--others", "--exclude-standard")
        return sorted({*changed.split("\0"), *new.split("\0")} - {""})

    def resolved(self, revision: str) -> str:
        """The commit's 40 digits.

        Raises:
            NoHistory, UnknownRevision, GitFailed
        """
        if not self.is_clone():
            raise NoHistory(
                f"what changed since {revision} cannot be known",
                because=f"{self.root} is no git clone",
                hint="let the pipeline's source hand over a clone (OutputArtifactFormat: CODEBUILD_CLONE_REF)",
            )
        found = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if found.returncode != 0:
            raise UnknownRevision(
                f"git knows no revision `{revision}`",
                because=self.why_unknown(),
                hint="`git log --oneline` lists the commits of this clone",
            )
        return found.stdout.strip()

    def why_unknown(self) -> str | None:
        is_shallow = self.ask("rev-parse", "--is-shallow-repository").strip() == "true"
        return "the clone is shallow; `git fetch --unshallow` brings the rest" if is_shallow else None

    def ask(self, *arguments: str) -> str:
        answer = self.run(*arguments)
        if answer.returncode != 0:
            raise GitFailed(f"`git {arguments[0]}` failed in {self.root}", because=answer.stderr.strip() or None)
        return answer.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [PROGRAM, "-C", str(self.root), *arguments]
        try:
            return subprocess.run(command, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False)
        except OSError as error:
            raise GitFailed("git could not be started", because=str(error), hint="install git") from error
