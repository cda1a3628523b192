"""Logs of several tasks shown as one, found by service, and kept from growing without end."""

from pathlib import Path

import pytest

from local_aws.logs import Line, UnknownLog, last_lines, limit_size, logs_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("orders-1", "orders-2", "orders-worker-1", "orders-migrate", "users-1", "load-balancer"):
        (tmp_path / f"{name}.log").touch()
    return tmp_path


def test_service_has_the_logs_of_all_its_tasks(folder: Path) -> None:
    names = [log.stem for log in logs_of(folder, "orders")]
    assert names == ["orders-1", "orders-2", "orders-migrate", "orders-worker-1"]


@pytest.mark.parametrize("name", ["load-balancer", "orders-2"])
def test_one_log_is_found_by_its_own_name(folder: Path, name: str) -> None:
    assert [log.stem for log in logs_of(folder, name)] == [name]


def test_unknown_name_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(UnknownLog, match="load-balancer, orders, users"):
        logs_of(folder, "payments")


def test_lines_are_merged_by_time_and_a_traceback_stays_with_its_line(folder: Path) -> None:
    first, second = logs_of(folder, "orders")[:2]
    first.write_text('{"timestamp": "2026-01-01T00:00:01Z"}\nTraceback\n{"timestamp": "2026-01-01T00:00:03Z"}\n')
    second.write_text('{"timestamp": "2026-01-01T00:00:02Z"}\n')
    assert last_lines([first, second], 10) == [
        Line("orders-1", '{"timestamp": "2026-01-01T00:00:01Z"}'),
        Line("orders-1", "Traceback"),
        Line("orders-2", '{"timestamp": "2026-01-01T00:00:02Z"}'),
        Line("orders-1", '{"timestamp": "2026-01-01T00:00:03Z"}'),
    ]
    assert last_lines([first, second], 1) == [Line("orders-1", '{"timestamp": "2026-01-01T00:00:03Z"}')]
    assert last_lines([first, second], 0) == []


def test_log_that_grew_too_large_starts_again_and_its_writer_goes_on(folder: Path) -> None:
    log = folder / "orders-1.log"
    with log.open("a") as writer:
        writer.write("x" * 100)
        writer.flush()
        limit_size(folder, max_bytes=50)
        writer.write("next")
    assert log.read_text() == "next"
    assert (folder / "orders-1.log.1").read_text() == "x" * 100
