"""Log files: limited in size, merged for `platform logs`, followed as they grow."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platform_sdk.errors import PlatformError

MAX_BYTES: Final = 10 * 1024 * 1024
_FOLLOW_SECONDS: Final = 0.1
_TAIL_BYTES_PER_LINE: Final = 600


def limit_size(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Copy a log that has grown too large to `<name>.log.1` and empty it.

    The writers hold the file open in append mode, so they continue at its new end.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > max_bytes:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


class UnknownLog(PlatformError):
    """A name that no log has."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log. `source` is the task or server that wrote it."""

    source: str
    text: str


def logs_of(folder: Path, name: str) -> list[Path]:
    """Return the logs of all tasks of a service, or the one of that name. Raises UnknownLog."""
    found = sorted(folder.glob("*.log"))
    chosen = [log for log in found if log.stem == name] or [log for log in found if _service_of(log.stem) == name]
    if not chosen:
        known = sorted({_service_of(log.stem) for log in found})
        raise UnknownLog(
            f"there is no log of `{name}`",
            because=f"there are logs of {', '.join(known)}" if known else "nothing has run yet",
            hint=None if known else "start it with: platform up",
        )
    return chosen


def _service_of(stem: str) -> str:
    """`orders` for `orders-1`, `orders-worker-1` and `orders-migrate`."""
    return re.sub(r"(-worker)?-\d+$|-migrate$|-demo$", "", stem)


def last_lines(logs: Sequence[Path], count: int) -> list[Line]:
    """Return the last lines of each log, merged in the order of their time stamps where they have one."""
    dated = [(moment, Line(log.stem, text)) for log in logs for moment, text in _dated(end_of(log, count))]
    dated.sort(key=lambda pair: pair[0])
    return [line for _, line in dated][-count:] if count else []


def follow(logs: Sequence[Path]) -> Iterator[Line]:
    """Yield new lines of all logs as they arrive, without end."""
    positions = {log: _size(log) for log in logs}
    rests = dict.fromkeys(logs, b"")
    while True:
        for log in logs:
            data = _read_from(log, positions)
            *lines, rests[log] = (rests[log] + data).split(b"\n")
            yield from (Line(log.stem, line.decode(errors="replace")) for line in lines)
        time.sleep(_FOLLOW_SECONDS)


def _read_from(log: Path, positions: dict[Path, int]) -> bytes:
    if _size(log) < positions[log]:  # emptied meanwhile
        positions[log] = 0
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(positions[log])
        data = file.read()
    positions[log] += len(data)
    return data


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def end_of(log: Path, count: int) -> list[str]:
    """Return the last `count` lines of a log that may be large or absent."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        start = max(0, _size(log) - count * _TAIL_BYTES_PER_LINE)
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return (lines[1:] if start else lines)[-count:]


def _dated(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each line with its time stamp. One without (of a traceback, say) gets that of the line before it."""
    moment = ""
    for line in lines:
        moment = _moment_of(line) or moment
        yield moment, line


def _moment_of(line: str) -> str | None:
    """Return the time stamp of a JSON or a plain line: ISO 8601 in UTC, so that the order of texts is that of times."""
    if line.startswith("{"):
        try:
            document = json.loads(line)
        except ValueError:
            return None
        return next((str(document[key]) for key in ("timestamp", "time", "asctime") if key in document), None)
    return line[:24] if line[:4].isdecimal() and line[4:5] == "-" else None
