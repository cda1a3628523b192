"""What must hold after every command and every step, whatever was done. Each violation is one sentence."""

from collections.abc import Iterator
from typing import Final

import click

from platform_sdk.cli import platform
from platform_sdk.cli.options import Outside
from platform_sdk.deploy.release.lock import LIFETIME
from tests.histories.simulation import Result, Simulation, Truth

RELEASES: Final = ("deploy", "rollback", "restart", "wait")
UNCHANGED: Final = ("failed_unchanged", "refused", "locked")
"""Outcomes that say that nothing was changed."""

CONTINUES: Final = ("timed_out", "superseded", "interrupted", "detached", "traffic_shifted", "rollback_failed")
"""Outcomes that say that something may continue, or is not as it should be."""

SAID: Final = (
    "still suspended",
    "until the next release or restart",
    "as they were",
    "as it was",
    "but the worker runs",
)
"""Words of outputs that say what is not as it should be."""


def violations_of(result: Result) -> Iterator[str]:
    """Yield what contradicts the result of a command."""
    if result.error is not None:
        yield f"it raised {type(result.error).__name__}: {result.error}"
        return
    if result.killed:
        return
    if result.exit_code == 2 and result.words[0] != "plan":
        yield f"it is no valid command: {result.output.strip()}"
        return
    yield from violations_of_commands(result)
    if result.words[0] in RELEASES and result.document is not None and result.outcome != "error":
        yield from violations_of_outcome(result)
    if result.words[0] in RELEASES and result.outcome == "error" and not result.disturbed:
        yield from violations_of_unchanged(result)
    if result.words[0] == "history" and isinstance(result.document, list):
        yield from violations_of_history(result)


def violations_of_history(result: Result) -> Iterator[str]:
    """Yield entries that AWS does not have, or that it says otherwise of."""
    if result.disturbed:
        return
    live = result.after.revision.rsplit("/", 1)[-1]
    for entry in result.document:
        if entry["deployment_id"] and entry["deployment_id"] not in result.after.deployments:
            yield f"it lists {entry['deployment_id']}, which AWS does not have"
        if entry["is_live"] != (entry["revision"] == live) and entry["revision"]:
            yield f"it says that {entry['revision']} is {'' if entry['is_live'] else 'not '}live, and {live} is"


def violations_of_commands(result: Result) -> Iterator[str]:
    """Yield commands in the output that are none."""
    if "None" in result.output.split() or result.output.rstrip().endswith("None"):
        yield f"its output says None: {result.output}"
    for text in result.printed:
        words = text.split()
        # One word is the name of a command, and capitals stand for what the reader knows.
        if words[0] == "platform" and len(words) > 2 and not any(word.isupper() for word in words):
            try:
                name, command, rest = platform.resolve_command(context_of(), words[1:])
                assert command is not None
                command.make_context(name, rest, parent=context_of())
            except click.UsageError as error:
                yield f"it prints `{text}`, which is no command: {error.format_message()}"
            except click.exceptions.Exit:
                pass


def context_of() -> click.Context:
    return click.Context(platform, obj=Outside(connect=NotImplemented, clock=NotImplemented))


def violations_of_outcome(result: Result) -> Iterator[str]:
    """Yield what contradicts the outcome of a release: its exit code, and its sentence."""
    before, after, version = result.before, result.after, result.document["version"]
    what = f"{result.outcome} ({result.exit_code}): {result.document['what']}"
    # A wait for an old deployment may see another one divide users between old and new tasks of the version.
    divided = result.words[0] == "wait" and after.is_busy
    serves = after.api == version and (after.percent == 100 or divided)
    match result.outcome:
        case "released" | "nothing_to_do" if not serves:
            yield f"{what}; but {words(after)}"
        case "released" | "nothing_to_do" if is_mixed(result):
            yield f"{what}; but {words(after)}"
        case "traffic_shifted" if not serves:
            yield f"{what}; but {words(after)}"
        case "failed_rolled_back":
            yield from violations_of_way_back(result, what)
        # An update whose rollback by ECS fails, too, has replaced tasks that ran. What AWS does not tell is not known.
        case "rollback_failed" if "did not roll it back" in what or "it is not known what runs" in what:
            return
        case "rollback_failed" if is_as_before(before, after) and before.task_sets == after.task_sets == 1:
            yield f"{what}; but {words(after)}, as before"
        case outcome if outcome in UNCHANGED and not result.disturbed:
            yield from violations_of_unchanged(result)
    if result.outcome in ("timed_out", "rollback_failed", "interrupted") and not result.document["resume"]:
        yield f"{what}; but it names no next command"


def is_mixed(result: Result) -> bool:
    """Return whether a command left API and worker in two versions. A wait for an old deployment changes neither."""
    was = (result.before.rolling or not result.before.is_of_one_version) and result.words[0] == "wait"
    return not (result.after.is_of_one_version or result.disturbed or was)


def violations_of_way_back(result: Result, what: str) -> Iterator[str]:
    before, after = result.before, result.after
    is_said = any(said in what for said in SAID)
    is_split = after.percent != 100 and not after.running and not is_said
    was_mixed = not (before.is_of_one_version or before.is_busy) or result.disturbed
    # A wait for an old deployment says nothing of an update of the worker that runs meanwhile.
    was_mixed = was_mixed or is_said or (result.words[0] == "wait" and before.is_busy)
    if is_split or not (after.is_of_one_version or was_mixed):
        yield f"{what}; but {words(after)}"
    elif not (before.is_busy or result.disturbed) and after.api != before.api:
        yield f"{what}; but {words(after)}, and before {words(before)}"


def violations_of_unchanged(result: Result) -> Iterator[str]:
    before, after = result.before, result.after
    if before.is_busy:
        return
    if after.deployments != before.deployments:
        yield f"it says that nothing was changed, but it created {after.deployments - before.deployments}"
    if serving_in(before) != serving_in(after) and not after.is_of_one_version:
        yield f"it says that nothing was changed, but {words(after)}, and before {words(before)}"


def serving_in(truth: Truth) -> tuple[str, int, str]:
    return truth.api, truth.percent, truth.worker


def is_as_before(before: Truth, after: Truth) -> bool:
    """Return whether one version served all users, and does so still."""
    whole = after.percent == 100 and after.is_of_one_version and not after.is_busy
    return whole and serving_in(before) == serving_in(after)


def words(truth: Truth) -> str:
    worker = f" and the worker is {truth.worker}" if truth.worker else ""
    suspended = ", scaling is suspended" if truth.suspended else ""
    sets = f", of {truth.task_sets} task sets" if truth.task_sets != 1 else ""
    return f"{truth.api} has {truth.percent} %{worker}{sets}{suspended}"


# After every step, when no command runs.


def violations_of_state(simulation: Simulation) -> Iterator[str]:
    """Yield what is wrong with the account."""
    truth = simulation.truth()
    note_excuse(simulation)
    yield from violations_of_lock(simulation, truth)
    if truth.suspended and (truth.lock is None or truth.lock.scaling is None):
        yield "scaling is suspended, and no lock says what to restore"
    if truth.is_busy:
        return
    if truth.percent == 100 and truth.api not in simulation.healthy:
        yield f"users are on {truth.api}, which was never healthy"
    if not simulation.excused:
        yield from violations_at_rest(truth)


def violations_of_lock(simulation: Simulation, truth: Truth) -> Iterator[str]:
    ended = [each for each in simulation.results if each.words[0] in RELEASES]
    left = 0.0 if truth.lock is None else (truth.lock.expires_at - simulation.world.simulator.now()).total_seconds()
    if left > LIFETIME.total_seconds():
        yield f"the lock lives for {left} seconds more"
    if left > 0 and ended and not any(each.killed or each.disturbed or each.before.lock for each in ended):
        yield "its lock is still held"


def violations_at_rest(truth: Truth) -> Iterator[str]:
    """Yield what no command may leave without saying so."""
    if truth.percent != 100:
        yield f"users are split: {words(truth)}"
    if not truth.is_of_one_version:
        yield f"API and worker differ: {words(truth)}"
    if truth.task_sets != 1:
        yield f"a task set is orphaned: {words(truth)}"
    if truth.suspended:
        yield "scaling is suspended, and nobody said so"


def is_open(result: Result) -> bool:
    """Return whether a rotation says that it is not at its end: its restart may not be, either."""
    return result.words[0] == "secret" and result.exit_code != 0


def note_excuse(simulation: Simulation) -> None:
    """Note who may have left the account in between, or that a release has ended since, which tidies up."""
    for result in simulation.results:
        if result.words[0] not in (*RELEASES, "secret"):
            continue
        if result.killed:
            simulation.excused = "a process was killed"
        elif result.outcome in CONTINUES or any(said in result.output for said in SAID) or is_open(result):
            simulation.excused = f"it said {result.outcome}"
        elif result.outcome == "released" and not result.disturbed and result.words[0] != "wait":
            simulation.excused = ""
