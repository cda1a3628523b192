"""Plain values to YAML, always the same text for the same value. A document is written here and parsed by others."""

import json
import re
from collections.abc import Iterator
from typing import Final

# What is read as text without quotes by every version of YAML: no number, no `yes`, no date, no sign of YAML's own.
PLAIN: Final = re.compile(r"[A-Za-z_/$][A-Za-z0-9_./$*+-]*(::?[A-Za-z0-9_./$*+<>-]+)*( [A-Za-z(][A-Za-z0-9_.()/-]*)*")
WORDS_OF_YAML: Final = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null", "none"})


def to_yaml(value: object) -> str:
    """Mappings in their own order."""
    return "\n".join(lines(value, "")) + "\n"


def lines(value: object, indent: str) -> Iterator[str]:
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from entry(f"{indent}{scalar(key)}:", inner, indent)
        case list() | tuple() if value:
            for inner in value:
                yield from item(inner, indent)
        case _:
            yield f"{indent}{scalar(value)}"


def entry(head: str, value: object, indent: str) -> Iterator[str]:
    if isinstance(value, dict | list | tuple) and value:
        yield head
        yield from lines(value, f"{indent}  ")
    elif is_block(value):
        yield f"{head} |{'' if str(value).endswith(chr(10)) else '-'}"
        yield from (f"{indent}  {line}" if line else "" for line in str(value).removesuffix("\n").split("\n"))
    else:
        yield f"{head} {scalar(value)}"


def item(value: object, indent: str) -> Iterator[str]:
    """The first line of what a list holds stands beside its hyphen."""
    if is_block(value):
        yield from entry(f"{indent}-", value, indent)
        return
    inner = list(lines(value, f"{indent}  "))
    yield f"{indent}- {inner[0].removeprefix(indent + '  ')}"
    yield from inner[1:]


def is_block(value: object) -> bool:
    """Text of several lines, none of which YAML would change: every one starts and ends in something visible."""
    if not isinstance(value, str) or "\n" not in value or not re.match(r"[\w{\[]", value) or value.endswith("\n\n"):
        return False
    return all(line.isprintable() and line == line.rstrip() for line in value.split("\n"))


def scalar(value: object) -> str:
    """As JSON has it, which YAML reads, but for two things: a number is one with a point only, and no character is
    written as a pair.
    """
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS_OF_YAML:
        return value
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return text if "." in text else text.replace("e", ".0e")
    return re.sub(r"[^ -~]", lambda character: f"\\U{ord(character[0]):08x}", text)
