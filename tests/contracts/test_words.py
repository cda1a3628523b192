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


RETIRED: Final = (Retired(r"local region", "local stack"),)

# Texts that are not ours, and lists that other programs write.
NOT_OURS: Final = ("LICENSE", "requirements/", "tests/contracts/test_words.py")
TEXT_SUFFIXES: Final = {"", ".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".json", ".sh"}


@cache
def texts() -> dict[str, str]:
    """Return the text of every tracked file, by path."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a Git working tree")
    paths = [name for name in listed.stdout.split("\0") if name and not name.startswith(NOT_OURS)]
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
        for use in expression.finditer(text)
    ]


@pytest.mark.parametrize("word", RETIRED, ids=lambda word: word.pattern)
def test_a_retired_word_is_not_used(word: Retired) -> None:
    uses = uses_of(word)
    assert not uses, "\n".join(uses)


def test_a_retired_word_would_be_found() -> None:
    assert uses_of(Retired(r"A container platform", "nothing, this is the title"))[0].startswith("README.md:1: ")
