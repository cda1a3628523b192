"""What yaml.py has written, read again: CloudFormation answers a template as the text that it was given.

No YAML beyond that: a document that would not be written as the same text is refused.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

from platform_sdk.deploy.render.yaml import PLAIN, WORDS_OF_YAML, to_yaml

ENTRY: Final = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*"|[^"].*?):(?: (?P<value>.*))?$')
ESCAPED: Final = re.compile(r"\\(?:U(?P<code>[0-9a-f]{8})|.)")
BLOCKS: Final = ("|", "|-")
STEP: Final = 2


class ForeignYaml(ValueError):
    """Not written by `to_yaml`."""


def from_yaml(text: str) -> object:
    """
    Raises:
        ForeignYaml
    """
    try:
        value = Reader(text.removesuffix("\n").split("\n")).node(0)
    except (ValueError, IndexError) as error:
        raise ForeignYaml("it is no YAML of this tool") from error
    if to_yaml(value) != text:
        raise ForeignYaml("it is YAML in another form")
    return value


class Reader:
    """Goes through the lines once, from `at` on."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = list(lines)
        self.at = 0

    def node(self, indent: int) -> object:
        """What starts at the line, with this indentation."""
        line = self.lines[self.at][indent:]
        if line.startswith("- "):
            return self.elements(indent)
        if line not in BLOCKS and ENTRY.match(line):
            return self.entries(indent)
        self.at += 1
        return self.block(line, indent) if line in BLOCKS else scalar(line)

    def elements(self, indent: int) -> list[object]:
        found = []
        while self.is_at(indent) and self.lines[self.at].startswith("- ", indent):
            # What stands beside the hyphen starts as deep as what follows below.
            self.lines[self.at] = f"{' ' * (indent + STEP)}{self.lines[self.at][indent + STEP :]}"
            found.append(self.node(indent + STEP))
        return found

    def entries(self, indent: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while self.is_at(indent) and (entry := ENTRY.match(self.lines[self.at][indent:])):
            self.at += 1
            found[str(scalar(entry["key"]))] = self.value(entry["value"], indent)
        return found

    def value(self, text: str | None, indent: int) -> object:
        if text is None:
            return self.node(indent + STEP)
        return self.block(text, indent + STEP) if text in BLOCKS else scalar(text)

    def block(self, kind: str, indent: int) -> str:
        """Text of several lines."""
        found = []
        while self.is_within(indent):
            found.append(self.lines[self.at][indent:])
            self.at += 1
        return "\n".join(found) + ("\n" if kind == "|" else "")

    def is_within(self, indent: int) -> bool:
        if self.at >= len(self.lines):
            return False
        line = self.lines[self.at]
        return line == "" or line.startswith(" " * indent)

    def is_at(self, indent: int) -> bool:
        if self.at >= len(self.lines):
            return False
        line = self.lines[self.at]
        return len(line) - len(line.lstrip(" ")) == indent


def scalar(text: str) -> object:
    if PLAIN.fullmatch(text) and text.lower() not in WORDS_OF_YAML:
        return text
    return json.loads(ESCAPED.sub(unescaped, text))


def unescaped(found: re.Match[str]) -> str:
    """YAML writes a character beyond ASCII as eight digits, and JSON takes it as it is."""
    return chr(int(found["code"], 16)) if found["code"] else found[0]
