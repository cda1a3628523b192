"""`platform up --detach`: the supervisor as a process of its own, whose progress is passed on until all is healthy.

platform up --detach  ──starts──▶  python -m local_aws.detached
                      ◀──reports, one JSON document a line, through a pipe──
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from local_aws.settings import LocalSettings, Tell, Wishes, load_local_settings
from local_aws.state import StateFolder
from platform_sdk.errors import PlatformError

if TYPE_CHECKING:
    from local_aws.region import Region


def start_detached(settings: LocalSettings, wishes: Wishes, tell: Tell, on_ready: Callable[[str], None]) -> int:
    """Returns once the region is ready; raises what its supervisor could not overcome."""
    folder = StateFolder(settings.state)
    folder.create()
    reading, writing = os.pipe()
    flags = [name for name, wanted in (("--watch", wishes.watch), ("--demo", wishes.demo)) if wanted]
    with (folder.logs / "platform.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_aws.detached", str(writing), *flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=settings.root,
            pass_fds=[writing],
            start_new_session=True,
        )
    os.close(writing)
    try:
        with os.fdopen(reading) as reports:
            return _pass_on(reports, process, tell, on_ready)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        return process.wait() or 130


def _pass_on(reports: IO[str], process: subprocess.Popen[bytes], tell: Tell, on_ready: Callable[[str], None]) -> int:
    for line in reports:
        report: dict[str, Any] = json.loads(line)
        if "ready" in report:
            on_ready(report["ready"])
            return 0
        if "failed" in report:
            process.wait()
            raise PlatformError(**report["failed"])
        tell(report["tell"])
    raise PlatformError(f"the supervisor ended with exit code {process.wait()}", hint="its log: platform logs platform")


class _Reports:
    """The pipe to whoever waits. Nobody may be waiting any more: the region stays, and the reports are dropped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def send(self, **document: object) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, json.dumps(document).encode() + b"\n")
        except BrokenPipeError:
            self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def run_detached(descriptor: int, wishes: Wishes) -> int:
    """The supervisor's side: reports through the pipe until the region is ready, and always into the log."""
    from local_aws.supervisor import supervise

    reports = _Reports(descriptor)

    def tell(line: str) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the region
            sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}\n")
        reports.send(tell=line)

    def ready(region: "Region") -> None:
        reports.send(ready=region.load_balancer.url)
        reports.close()

    try:
        return supervise(load_local_settings(), wishes, tell=tell, on_ready=ready)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        reports.send(failed={"what": error.what, "because": error.because, "hint": error.hint})
        return error.exit_code


if __name__ == "__main__":
    sys.exit(run_detached(int(sys.argv[1]), Wishes(watch="--watch" in sys.argv, demo="--demo" in sys.argv)))
