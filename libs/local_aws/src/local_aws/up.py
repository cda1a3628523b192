"""`platform up`: the supervisor in the foreground, or detached with its progress passed on until all is healthy."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any

from local_aws.region import Region, Tell
from local_aws.report import read_status
from local_aws.settings import LocalSettings, load_local_settings
from local_aws.state import StateFolder
from local_aws.supervisor import Wishes, supervise
from local_aws.welcome import welcome_text
from platform_sdk.errors import PlatformError


def up(settings: LocalSettings, wishes: Wishes, *, detach: bool, say: Tell, show: Tell) -> int:
    """Brings the region up; returns the exit code.

    Args:
        say: takes a line of progress.
        show: takes the text that tells where everything is.
    """
    folder = StateFolder(settings.state)
    if folder.is_locked():
        show(_already(folder))
        return 0
    started = time.monotonic()

    def tell(line: str) -> None:
        say(f"{time.monotonic() - started:5.1f} s  {line}")

    def welcome(url: str) -> None:
        show(welcome_text(url, seconds=time.monotonic() - started, detached=detach, demo=wishes.demo))

    if detach:
        return _detach(settings, wishes, tell, welcome)
    return supervise(settings, wishes, tell=tell, on_ready=lambda region: welcome(region.load_balancer.url))


def _already(folder: StateFolder) -> str:
    status = read_status(folder)
    if status["state"] == "stopped":  # the lock is taken before the record is written
        return "The platform is starting already."
    return f"The platform is {status['state']} already (pid {status['pid']}): {status['urls']['load_balancer']}"


def _detach(settings: LocalSettings, wishes: Wishes, tell: Tell, welcome: Callable[[str], None]) -> int:
    """Starts the supervisor in a session of its own and passes its reports on until it is ready or has failed."""
    folder = StateFolder(settings.state)
    folder.create()
    reading, writing = os.pipe()
    flags = [name for name, wanted in (("--watch", wishes.watch), ("--demo", wishes.demo)) if wanted]
    with (folder.logs / "platform.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_aws.up", str(writing), *flags],
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
            return _pass_on(reports, process, tell, welcome)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        return process.wait() or 130


def _pass_on(reports: IO[str], process: subprocess.Popen[bytes], tell: Tell, welcome: Callable[[str], None]) -> int:
    for line in reports:
        report: dict[str, Any] = json.loads(line)
        if "ready" in report:
            welcome(report["ready"])
            return 0
        if "failed" in report:
            process.wait()
            raise PlatformError(**report["failed"])
        tell(report["tell"])
    raise PlatformError(
        f"the supervisor ended with exit code {process.wait()}", hint="its log: logs/platform.log in the state folder"
    )


def run_detached(descriptor: int, wishes: Wishes) -> int:
    """The detached supervisor: reports through the pipe until it is ready, afterwards into its log."""
    pipe = os.fdopen(descriptor, "w", buffering=1)

    def report(**document: object) -> None:
        if pipe.closed:
            return
        try:
            pipe.write(json.dumps(document) + "\n")
        except BrokenPipeError:  # whoever waited has gone; the region stays
            pipe.close()

    def tell(line: str) -> None:
        sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}\n")
        report(tell=line)

    def ready(region: Region) -> None:
        report(ready=region.load_balancer.url)
        pipe.close()

    try:
        return supervise(load_local_settings(), wishes, tell=tell, on_ready=ready)
    except PlatformError as error:
        tell(str(error))
        report(failed={"what": error.what, "because": error.because, "hint": error.hint})
        return error.exit_code


if __name__ == "__main__":
    sys.exit(run_detached(int(sys.argv[1]), Wishes(watch="--watch" in sys.argv, demo="--demo" in sys.argv)))
