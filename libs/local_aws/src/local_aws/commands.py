"""`platform up`, `down`, `status`, `logs`, `reset`: the laptop's commands, a plug-in of the command line.

Everything heavy is imported by the command that needs it, so that `platform --help` stays quick.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from local_aws.logs import Line
    from local_aws.settings import Report
    from local_aws.state import StateFolder


def register(group: click.Group) -> None:
    """Add the commands to `platform`."""
    for command in (up, down, status, logs, reset):
        group.add_command(command)


def report(line: str) -> None:
    """Print progress on stderr, so that stdout holds data only."""
    click.echo(line, err=True)


@click.command()
@click.option("--detach", is_flag=True, help="Return once all is healthy; `platform down` stops it.")
@click.option("--no-watch", is_flag=True, help="Do not replace tasks when their sources change.")
@click.option("--no-demo", is_flag=True, help="Create no demo accounts and no catalogue.")
def up(*, detach: bool, no_watch: bool, no_demo: bool) -> None:
    """Run the whole platform on this machine.

    Starts PostgreSQL, Redis, the AWS API and the load balancer, migrates the databases, starts the tasks of every
    service from its task definition, and waits until all are healthy. Stays in the foreground; Ctrl-C stops it.
    """
    from local_aws.settings import UpOptions, load_local_settings
    from local_aws.up import up as start

    options = UpOptions(watch=not no_watch, demo=not no_demo)
    code = start(load_local_settings(), options, detach=detach, report=report, print_result=click.echo)
    raise SystemExit(code)


@click.command()
def down() -> None:
    """Stop the platform. Its data stays; `platform reset` removes it."""
    stop_local_stack(_folder(), report=report)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def status(*, as_json: bool) -> None:
    """Show what runs, where, since when and how healthy; exit 0 only if all is healthy."""
    from local_aws.state import is_healthy, read_status

    document = read_status(_folder())
    click.echo(json.dumps(document, indent=2) if as_json else status_text(document))
    raise SystemExit(0 if is_healthy(document) else 1)


@click.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they arrive.")
@click.option(
    "-n", "--lines", default=50, show_default=True, type=click.IntRange(min=0), help="Number of lines to start with."
)
def logs(*, name: str, follow: bool, lines: int) -> None:
    """Show the output of all tasks of a service, or of a server.

    NAME is a service, one task as `platform status` calls it, or postgres, redis, aws, load-balancer, platform.
    """
    from local_aws import logs as log_files

    paths = log_files.logs_of(_folder().logs, name)
    for line in log_files.last_lines(paths, lines):
        click.echo(_prefixed(line, len(paths)))
    if follow:
        try:
            for line in log_files.follow(paths):
                click.echo(_prefixed(line, len(paths)))
        except KeyboardInterrupt:
            raise SystemExit(130) from None


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def reset(*, yes: bool) -> None:
    """Stop the platform and remove its data.

    Databases, queues, logs and secrets are removed.
    """
    folder = _folder()
    if not yes:
        click.confirm(f"Remove all data in {folder.path}?", abort=True, err=True)
    stop_local_stack(folder, report=report)
    folder.empty()
    report(f"removed all data in {folder.path}")


def _folder() -> StateFolder:
    from local_aws.settings import load_local_settings
    from local_aws.state import StateFolder

    return StateFolder(load_local_settings().state)


def _prefixed(line: Line, sources: int) -> str:
    return f"{line.source} | {line.text}" if sources > 1 else line.text


def status_text(document: dict[str, Any]) -> str:
    """Return the document as a table for people."""
    if document["state"] == "stopped":
        return f"The platform is not running (state folder {document['state_folder']})."
    head = [f"The platform is {document['state']} (pid {document['pid']}) since {document['since']}", ""]
    urls = [f"{name:<15}{url}" for name, url in document["urls"].items()]
    rows = [("NAME", "HEALTH", "PID", "PORT", "RESTARTS", "SINCE")]
    rows += [_row(part) for part in [*document["servers"], *document["tasks"]]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*head, *urls, "", *table])


def _row(part: dict[str, Any]) -> tuple[str, str, str, str, str, str]:
    pid, port, since = (str(part[key] or "-") for key in ("pid", "port", "since"))
    return (part["name"], part["health"], pid, port, str(part["restarts"]), since)


# A little more than the longest stop timeout of ECS (120 s), after which the supervisor kills tasks itself.
TIMEOUT_SECONDS: Final = 130.0


def stop_local_stack(folder: StateFolder, *, report: Report) -> None:
    """Ask the supervisor to stop, and return when nothing runs any more; clean up after one that was killed."""
    from local_aws.state import STATE_FILE, ProcessRecord, end_leftovers

    state = folder.read(STATE_FILE)
    supervisor = ProcessRecord(**state["supervisor"]) if "supervisor" in state else None
    if supervisor is None or not supervisor.is_alive():
        count = end_leftovers(state)
        report(f"ended {count} processes that a killed run had left" if count else "the platform is not running")
        return
    started = time.monotonic()
    report(f"stopping the platform (pid {supervisor.pid})")
    os.kill(supervisor.pid, signal.SIGTERM)
    while supervisor.is_alive() and time.monotonic() - started < TIMEOUT_SECONDS:
        time.sleep(0.05)
    if supervisor.is_alive():
        report("it does not stop; ending it and all that it started")
        os.kill(supervisor.pid, signal.SIGKILL)
        end_leftovers(folder.read(STATE_FILE))
    report(f"stopped after {time.monotonic() - started:.1f} s; the data stays in {folder.path}")
