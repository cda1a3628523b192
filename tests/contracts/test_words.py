"""Keep retired words out of code, documentation and golden output. docs/glossary.md has the words to use instead."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.repository import ROOT


class Retired(NamedTuple):
    """A word that we no longer use.

    Attributes:
        pattern: a regular expression; a space in it also matches a line break and a comment sign.
        replacement: what to write instead.
        suffix: check only files whose name ends so.
    """

    pattern: str
    replacement: str
    suffix: str = ""


RETIRED: Final = (
    # The order is that of docs and code: names first, then phrases.
    Retired(r"deploy[/.]spec\b", "deploy/manifest"),
    Retired(r"deploy[/._]explanation\b", "deploy/diagnosis"),
    Retired(r"runtime[/.]workers\b", "runtime/messaging/handler_pool"),
    Retired(r"local region", "local stack"),
    Retired(r"control plane", "simulator"),
    Retired(r"NotPlayed", "UnsupportedOperation"),
    Retired(r"worker_beside", "paired_worker_revision"),
    Retired(r"left_overs?\b", "recovery, stale"),
    Retired(r"\bput(?:s|ting)?(?:_| )right\b", "recover, fix"),
    Retired(r"broken(?:_| )off\b", "abort, aborted"),
    Retired(r"scaling(?:_| )(?:is |was )?held|hold_scaling", "suspend_autoscaling, scaling is suspended"),
    Retired(r"\bpatiently\b", "with_retries"),
    Retired(r"\bpatience\b", "retry"),
    Retired(r"\bglance\b", "best_effort"),
    Retired(r"[Pp]ainters?\b", "renderer"),
    Retired(r"\bground_of\b|\bGround\b", "TrafficBaseline"),
    Retired(r"\btake_turn\b|\b\w+_turns?\b|\bturn_\w+\b|\bTurn[A-Z]\w*", "lock, acquire_lock", ".py"),
    Retired(r"\bReleasing\b(?! [a-z])", "ReleaseContext", ".py"),
    Retired(r"\bEnding\b(?! [a-z])", "ReleaseEnded, Outcome", ".py"),
    Retired(r"release\.options import [^\n]*\bOrder\b", "ReleaseOptions", ".py"),
    Retired(r"\bconcerned\b", "iam_resources, affected", ".py"),
    Retired(r"manifest(?:\.\w+)? import [^\n]*\bFault\b", "ConfigError", ".py"),
    Retired(r"\bTell\b|\btell\(", "emit, report", ".py"),
    Retired(r"\bWishes\b", "UpOptions", ".py"),
    Retired(r"import (?:\w+, )*by_hand\b|\bdef by_hand\b", "manual_steps, manually", ".py"),
    Retired(r"local_stack import Region\b", "LocalStack", ".py"),
    Retired(
        r"http[/.]exchange\b|\bclass Exchange\b|\bExchange\(|\bexchange\.\w|\b_?exchange\(", "request_guard", ".py"
    ),
    Retired(r"rollback_target import choose\b", "rollback_target", ".py"),
    Retired(r"\bundo\(", "abort", ".py"),
    Retired(r"import (?:\w+, )*settled?\b|\bfound = settled\(", "wait_until_stable, await_rollback", ".py"),
    Retired(r"apply[/.]sound\b|apply import sound\b", "stack_recovery"),
    Retired(r"state[/.]around\b|state import around\b", "load_balancing, scaling"),
    Retired(r"\bformer\b|\bformer_|_former\b", "original, previous, or the version's tag"),
    Retired(r"\btold\b", "reported, printed, shown"),
    Retired(r"\bis telling\b|\btells (?:it|them|events)\b", "emits, reports"),
    Retired(r"\b[Ww]hoever\b", "who, anyone who, the user"),
    Retired(r"\b[Pp]layed\b|\b[Pp]lays\b", "simulated, simulates"),
    Retired(r"\bshall\b", "is, must"),
    Retired(r"\b(?:[Bb]rings?|brought|[Bb]ringing) (?:[\w']+ ){0,6}about\b", "create or update, apply"),
    Retired(r"\bc[oa]mes? into being\b", "be created"),
    Retired(r"\bpast us\b", "outside this tool"),
    Retired(r"\bmend(?:s|ed|ing)?\b", "fix, fixed"),
    Retired(r"\bgo(?:es)? on (?:from|where|to its)\b", "resumes, continues"),
    Retired(r"\b(?:tak(?:e|es|en|ing)|took) back\b", "roll back, rolled back"),
    Retired(r"\b(?:one's own|One's own)\b(?! contracts)", "your own"),
    Retired(r"\btells? the truth\b", "report the outcome"),
    Retired(r"\bcure\b", "fix"),
    Retired(r"\bwhat is as\b", "anything already up to date"),
    Retired(r"\b[Tt]he day when everybody comes\b", "planning for peak traffic"),
    Retired(r"\btruthfully\b", "correctly, as AWS does"),
    Retired(r"\bGiven twice, it\b", "running it twice does not"),
    Retired(r"release[/.](?:turn|take_turn)\b", "release/lock"),
    Retired(r"release[/.]busy\b", "release/concurrency"),
    Retired(r"release[/.]former\b", "release/history"),
    Retired(r"release[/.]left_over\b", "release/recovery"),
    Retired(
        r"release[/.](?:ending|undo|guard|settle|choose)\b",
        "release/outcome, abort, autoscaling, rollback, rollback_target",
    ),
    Retired(r"apply[/.](?:by_hand|settled)\b", "apply/manual_steps, stack_recovery"),
    Retired(r"\bstands? in (?:the|a|its|this|that) (?:file|table|folder|module)\b", "is in"),
    Retired(r"\bgo(?:es)? on to its end\b", "continues to its end"),
    Retired(r"\bfor good\b", "permanently"),
    Retired(r"\bunder way\b", "in progress, running"),
    Retired(r"\ball the same\b", "anyway"),
    Retired(r"\blaid over\b", "merged"),
)

# Texts that are not ours, and lists that other programs write.
NOT_OURS: Final = ("LICENSE", "requirements/", "tests/contracts/test_words.py")
TEXT_SUFFIXES: Final = {"", ".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".json", ".sh"}


@cache
def texts() -> dict[str, str]:
    """Return the text of every tracked file, by path."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [name for name in listed.split("\0") if name and not name.startswith(NOT_OURS)]
    return {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in paths
        if Path(name).suffix in TEXT_SUFFIXES and (ROOT / name).is_file()
    }


def uses_of(word: Retired) -> list[str]:
    """Return a message for every use of the word."""
    expression = re.compile(word.pattern.replace(" ", r"[\s#]+"))
    return [
        f"{name}:{text.count(chr(10), 0, use.start()) + 1}: `{use.group()}` is retired; write {word.replacement}"
        for name, text in texts().items()
        if name.endswith(word.suffix)
        # As it is, and with the words of a name apart.
        for use in (*expression.finditer(text), *expression.finditer(text.replace("_", " ")))
    ]


@pytest.mark.parametrize("word", RETIRED, ids=lambda word: word.pattern)
def test_a_retired_word_is_not_used(word: Retired) -> None:
    uses = uses_of(word)
    assert not uses, "\n".join(uses)


def test_a_retired_word_would_be_found() -> None:
    assert uses_of(Retired(r"A container platform", "nothing, this is the title"))[0].startswith("README.md:1: ")
