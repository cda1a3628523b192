"""`platform up`: the local stack in the foreground, or detached."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from local_aws.settings import LocalSettings, Report, UpOptions, load_local_settings
from local_aws.state import StateFolder, read_status
from platform_sdk.errors import PlatformError

DEMO_ACCOUNTS: Final = ("admin@example.com", "ada@example.com", "grace@example.com")
DEMO_PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - printed for everyone to see

_ACCOUNTS = f"""
Demo accounts  {", ".join(DEMO_ACCOUNTS)}
Password       {DEMO_PASSWORD}
"""

_ORDER = f"""
Place an order, in another terminal:
  URL=@URL@ JSON='Content-Type: application/json'
  value() {{ python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }}
  TOKEN=$(curl -s $URL/users/sessions -H "$JSON" \\
    -d '{{"email": "{DEMO_ACCOUNTS[1]}", "password": "{DEMO_PASSWORD}"}}' | value '["access_token"]')
  SKU=$(curl -s "$URL/inventory/items?limit=1" | value '["data"][0]["sku"]')
  curl -s $URL/orders -H "$JSON" -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: order-$(date +%s)" \\
    -H 'Prefer: wait=10' -d "{{\\"items\\": [{{\\"sku\\": \\"$SKU\\", \\"quantity\\": 1}}]}}"
"""


def welcome_text(url: str, *, seconds: float, detached: bool, demo: bool) -> str:
    """Return what `platform up` prints once all is healthy: where everything is, and what to do next.

    Args:
        seconds: how long it took to come up.
        detached: whether the terminal is free again, so that Ctrl-C stops nothing.
        demo: whether there are demo accounts.
    """
    parts = [f"The platform is up after {seconds:.1f} s: {url}\n"]
    if demo:
        parts += [_ACCOUNTS, _ORDER.replace("@URL@", url)]
    platform = _as_typed_here()
    stop = f"{platform} down" if detached else "Ctrl-C"
    parts.append(f"\nWhat runs: {platform} status    Logs: {platform} logs orders -f    Stop: {stop}")
    return "".join(parts)


def _as_typed_here() -> str:
    """Return `platform` if the shell finds it by that name, otherwise its path from the current folder."""
    command = Path(sys.executable).with_name("platform")
    found = shutil.which("platform")
    if found is not None and Path(found).resolve() == command.resolve():
        return "platform"
    return os.path.relpath(command)


def up(settings: LocalSettings, options: UpOptions, *, detach: bool, report: Report, print_result: Report) -> int:
    """Start the local stack unless it already runs; return the exit code.

    Args:
        report: takes a line of progress.
        print_result: takes the text that says where everything is.
    """
    folder = StateFolder(settings.state)
    if folder.is_locked():
        print_result(_running_text(folder))
        return 0
    started = time.monotonic()

    def report_with_time(line: str) -> None:
        report(f"{time.monotonic() - started:5.1f} s  {line}")

    def print_welcome(url: str) -> None:
        print_result(welcome_text(url, seconds=time.monotonic() - started, detached=detach, demo=options.demo))

    if detach:
        return start_detached(settings, options, report_with_time, print_welcome)
    # Imported here: it takes half the time of this program's start, and the detached parent does not need it.
    from local_aws.supervisor import supervise

    return supervise(settings, options, report=report_with_time, on_ready=print_welcome)


def _running_text(folder: StateFolder) -> str:
    status = read_status(folder)
    if status["state"] == "stopped":  # the lock is taken before the record is written
        return "The platform is starting already."
    return f"The platform is {status['state']} already (pid {status['pid']}): {status['urls']['load_balancer']}"


# `platform up --detach`: the supervisor is a process of its own, whose progress is printed until all is healthy.
# platform up --detach  ──starts──▶  python -m local_aws.up
#                       ◀──reports, one JSON document a line, through a pipe──


def start_detached(settings: LocalSettings, options: UpOptions, report: Report, on_ready: Callable[[str], None]) -> int:
    """Return once the local stack is ready; raise what made its supervisor fail."""
    folder = StateFolder(settings.state)
    folder.create()
    reading, writing = os.pipe()
    flags = [name for name, wanted in (("--watch", options.watch), ("--demo", options.demo)) if wanted]
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
            return _forward_reports(reports, process, report, on_ready)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        return process.wait() or 130


def _forward_reports(
    reports: IO[str], process: subprocess.Popen[bytes], report: Report, on_ready: Callable[[str], None]
) -> int:
    for line in reports:
        document: dict[str, Any] = json.loads(line)
        if "ready" in document:
            on_ready(document["ready"])
            return 0
        if "failed" in document:
            process.wait()
            raise PlatformError(**document["failed"])
        report(document["progress"])
    raise PlatformError(f"the supervisor ended with exit code {process.wait()}", hint="its log: platform logs platform")


def supervise_detached(descriptor: int, options: UpOptions) -> int:
    """Run the supervisor: report through the pipe until the local stack is ready, and always into the log."""
    from local_aws.supervisor import supervise

    def send(**document: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # the parent has ended
            os.write(descriptor, json.dumps(document).encode() + b"\n")

    def report(line: str) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the local stack
            sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}\n")
        send(progress=line)

    try:
        return supervise(load_local_settings(), options, report=report, on_ready=lambda url: send(ready=url))
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        send(failed={"what": error.what, "because": error.because, "hint": error.hint})
        return error.exit_code


if __name__ == "__main__":
    sys.exit(supervise_detached(int(sys.argv[1]), UpOptions(watch="--watch" in sys.argv, demo="--demo" in sys.argv)))
