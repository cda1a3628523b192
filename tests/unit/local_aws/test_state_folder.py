"""The state folder: one supervisor at a time, documents that are whole or absent, a careful reset."""

import os
from pathlib import Path

import pytest

from local_aws.errors import AlreadyRunning
from local_aws.state import ProcessRecord, StateFolder, end_leftovers, is_healthy, read_status


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.create()
    return folder


def test_document_comes_back_as_written_and_is_ours_alone(folder: StateFolder) -> None:
    folder.write("secrets.json", {"name": "value"})
    assert folder.read("secrets.json") == {"name": "value"}
    assert (folder.path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_absent_or_broken_document_is_empty(folder: StateFolder) -> None:
    (folder.path / "state.json").write_text('{"half')
    assert folder.read("state.json") == folder.read("never-written.json") == {}


def test_second_supervisor_is_refused(folder: StateFolder) -> None:
    with folder.locked():
        assert folder.is_locked()
        with pytest.raises(AlreadyRunning), folder.locked():
            pass
    assert not folder.is_locked()


def test_reset_removes_what_is_ours_and_nothing_else(folder: StateFolder) -> None:
    for name in ("postgres", "logs"):
        (folder.path / name).mkdir(exist_ok=True)
    folder.write("secrets.json", {})
    (folder.path / "thesis.txt").write_text("years of work")

    folder.empty()

    assert [path.name for path in folder.path.iterdir()] == ["thesis.txt"]


def test_process_is_known_by_its_start_not_by_its_number_alone() -> None:
    own = ProcessRecord.of(os.getpid())
    assert own is not None
    assert own.is_alive()
    assert not ProcessRecord(own.pid, own.started_at - 60).is_alive()


def test_process_that_took_over_a_number_is_not_ended(folder: StateFolder) -> None:
    own = ProcessRecord.of(os.getpid())
    assert own is not None
    state = {"processes": [{"pid": own.pid, "started_at": own.started_at - 60}]}
    assert end_leftovers(state) == 0


def test_status_of_a_killed_local_stack_is_stopped(folder: StateFolder) -> None:
    folder.write("state.json", {"state": "running", "supervisor": {"pid": 2**22 + 1, "started_at": 1.0}})
    document = read_status(folder)
    assert document == {"state": "stopped", "state_folder": str(folder.path)}
    assert not is_healthy(document)


@pytest.mark.parametrize(("health", "expected"), [("healthy", True), ("starting", False)])
def test_local_stack_is_healthy_when_every_part_is(health: str, expected: bool) -> None:
    document = {"state": "running", "servers": [{"health": "healthy"}], "tasks": [{"health": health}]}
    assert is_healthy(document) is expected
