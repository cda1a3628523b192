"""Changes and the files of an image, from Git and from a folder without it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from platform_sdk.cli import platform
from platform_sdk.deploy.build.git import Git, GitFailed, NoHistory, UnknownRevision
from platform_sdk.deploy.build.publish import read_source
from tests.support.clones import cloned, git

API = "services/orders/src/orders/api.py"


@pytest.fixture
def clone(committed: Path, tmp_path: Path) -> Path:
    return cloned(committed, tmp_path / "clone")


def changed(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.chdir(folder)
    return CliRunner().invoke(platform, ["changed", *arguments])


def append(file: Path, text: str = "\n# A change.\n") -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def tag_of(folder: Path) -> str:
    return read_source(folder, "orders", "x86_64").tag


def test_a_commit_touches_the_service_whose_file_it_changes(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(clone / API)
    git(clone, "commit", "--quiet", "--all", "--message", "Change orders")
    assert changed(clone, monkeypatch, "--since", "HEAD~1").stdout == f"orders: image\n  {API} (service: image)\n"


def test_uncommitted_files_count_and_ignored_files_do_not(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(clone / "requirements/users.txt")
    (clone / "services/orders/src/orders/extra.py").write_text("", encoding="utf-8")
    (clone / "services/inventory/src/inventory/__pycache__").mkdir()
    (clone / "services/inventory/src/inventory/__pycache__/a.pyc").write_text("", encoding="utf-8")
    found = json.loads(changed(clone, monkeypatch, "--since", "HEAD", "--json").stdout)
    assert [(one["service"], one["reasons"][0]["edge"]) for one in found["services"]] == [
        ("orders", "service"),
        ("users", "lock"),
    ]


def test_deleted_and_moved_files_affect_the_service_that_had_them(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(clone, "rm", "--quiet", API)
    git(clone, "mv", "services/users/src/users/api.py", "services/inventory/src/inventory/moved.py")
    found = json.loads(changed(clone, monkeypatch, "--since", "HEAD", "--json").stdout)
    assert [one["service"] for one in found["services"]] == ["inventory", "orders", "users"]


def test_a_page_or_a_test_touches_nothing(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(clone / "services/orders/README.md")
    result = changed(clone, monkeypatch, "--since", "HEAD")
    assert (result.stdout, result.exit_code) == ("", 0)
    assert result.stderr == "no service is affected by the changes since HEAD\n"


def test_only_some_reasons_are_printed_and_the_others_counted(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        (clone / f"services/orders/src/orders/extra{number}.py").write_text("", encoding="utf-8")
    lines = changed(clone, monkeypatch, "--since", "HEAD").stdout.splitlines()
    assert (len(lines), lines[-1]) == (7, "  and 2 more; --json lists them")


def test_without_a_revision_every_service_is_listed_with_the_reason(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = changed(clone, monkeypatch)
    assert result.stdout == "inventory\norders\nusers\n"
    assert result.stderr == "every service: no revision was given to compare with\n"
    shutil.rmtree(clone / ".git")
    assert changed(clone, monkeypatch).stderr == "every service: this folder has no history of git\n"


def test_a_revision_that_git_does_not_know_is_refused(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = changed(clone, monkeypatch, "--since", "v9")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: git knows no revision `v9`\n")
    with pytest.raises(UnknownRevision):
        Git(clone).changed_since("--help")


def test_a_shallow_clone_is_the_reason_of_an_unknown_revision(clone: Path, tmp_path: Path) -> None:
    append(clone / API)
    git(clone, "commit", "--quiet", "--all", "--message", "Change orders")
    first = git(clone, "rev-parse", "HEAD~1").strip()
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{clone}", str(shallow))
    with pytest.raises(UnknownRevision) as raised:
        Git(shallow).changed_since(first)
    assert "the clone is shallow" in str(raised.value.because)


def test_a_folder_without_history_cannot_list_changes(clone: Path) -> None:
    shutil.rmtree(clone / ".git")
    with pytest.raises(NoHistory) as raised:
        Git(clone).changed_since("HEAD~1")
    assert "CODEBUILD_CLONE_REF" in str(raised.value.hint)


def test_the_same_files_have_the_same_tag_in_another_clone_and_without_git(clone: Path, tmp_path: Path) -> None:
    other, archive = tmp_path / "other", tmp_path / "archive"
    cloned(clone, other)
    shutil.copytree(other, archive)
    shutil.rmtree(archive / ".git")
    assert tag_of(clone) == tag_of(other) == tag_of(archive)


def test_uncommitted_files_change_the_tag_and_files_outside_the_image_do_not(clone: Path) -> None:
    before = tag_of(clone)
    append(clone / "README.md")
    append(clone / "services/users/src/users/api.py")
    append(clone / "services/orders/platform.toml")
    (clone / "services/orders/src/orders/__pycache__").mkdir(exist_ok=True)
    (clone / "services/orders/src/orders/__pycache__/api.pyc").write_text("", encoding="utf-8")
    assert tag_of(clone) == before
    append(clone / API)
    changed_once = tag_of(clone)
    (clone / "services/orders/src/orders/extra.py").write_text("", encoding="utf-8")
    assert len({before, changed_once, tag_of(clone)}) == 3


def test_a_deleted_file_is_no_input_although_git_still_knows_it(clone: Path) -> None:
    before = tag_of(clone)
    (clone / "services/orders/src/orders/py.typed").unlink()
    assert tag_of(clone) != before


def test_a_commit_with_changes_beside_it_is_called_so(clone: Path) -> None:
    commit = git(clone, "rev-parse", "HEAD").strip()
    assert Git(clone).commit() == commit
    append(clone / "README.md")
    assert Git(clone).commit() == f"{commit}-dirty"


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://somebody:secret@example.com/team/platform.git", "https://example.com/team/platform"),
        ("git@example.com:team/platform.git", "https://example.com/team/platform"),
        ("ssh://git@example.com:22/team/platform", "https://example.com/team/platform"),
        ("/somewhere/on/this/machine", ""),
    ],
)
def test_the_origin_has_no_credentials(clone: Path, address: str, origin: str) -> None:
    git(clone, "remote", "set-url", "origin", address)
    assert Git(clone).origin() == origin


def test_a_repository_that_git_refuses_is_an_error_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(GitFailed) as raised:
        Git(tmp_path).files()
    assert "not a git repository" in str(raised.value.because)


def test_a_machine_without_git_says_so(clone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitFailed, match="git could not be started"):
        Git(clone).files()
