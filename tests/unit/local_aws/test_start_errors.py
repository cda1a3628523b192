"""What a person reads when a server does not start."""

from pathlib import Path

from local_aws.errors import DiskFull, ServerDidNotStart, did_not_start
from local_aws.logs import end_of


def test_failed_start_shows_the_end_of_the_log_and_where_the_rest_is(tmp_path: Path) -> None:
    log = tmp_path / "redis.log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))
    error = did_not_start("Redis", log, "it ended with exit code 1")
    assert isinstance(error, ServerDidNotStart)
    assert error.what == "Redis did not start: it ended with exit code 1"
    assert "line 99" in str(error.because)
    assert "line 80" not in str(error.because)
    assert str(log) in str(error.hint)


def test_full_disk_is_called_by_its_name(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    log.write_text("FATAL:  could not write lock file: No space left on device\n")
    error = did_not_start("PostgreSQL", log, "it ended with exit code 1")
    assert isinstance(error, DiskFull)
    assert "PLATFORM_STATE" in str(error.hint)


def test_log_that_was_never_written_has_no_end(tmp_path: Path) -> None:
    assert end_of(tmp_path / "absent.log", 5) == []
