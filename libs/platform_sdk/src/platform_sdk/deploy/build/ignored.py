"""Which files .dockerignore keeps out (docs.docker.com/build/concepts/context, ".dockerignore files")."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`keeps` is a line that starts with an exclamation mark."""

    pattern: re.Pattern[str]
    keeps: bool


def read_rules(text: str) -> tuple[Rule, ...]:
    return tuple(rules_of(text))


def rules_of(text: str) -> Iterator[Rule]:
    for line in text.splitlines():
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        keeps = written.startswith("!")
        path = PurePosixPath(written.removeprefix("!").strip().lstrip("/")).as_posix()
        yield Rule(pattern=re.compile(expression(path)), keeps=keeps)


def is_ignored(path: str, rules: tuple[Rule, ...]) -> bool:
    """The last rule decides that names the path or a folder above it."""
    inside = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
    ignored = False
    for rule in rules:
        if any(rule.pattern.fullmatch(place) for place in inside):
            ignored = not rule.keeps
    return ignored


def expression(pattern: str) -> str:
    """`*` and `?` stay within a folder, `**` stands for any number of folders, none included."""
    said = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", pattern)
    return "".join(part if part.startswith("[") else said.get(part, re.escape(part)) for part in parts)
