"""Check that every `platform` command and `make` target in the documentation exists, with the options that it names."""

import re
from pathlib import Path
from typing import Final

import click
import pytest

from platform_sdk import cli

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = [
    page
    for folder in ("", "docs", "services", "libs", "deploy")
    for page in sorted((ROOT / folder).glob("*.md" if not folder else "**/*.md"))
]
COMMAND: Final = re.compile(r"(?:^|`|\$ |\.venv/bin/)platform ([a-z-]+)([^`\n#|]*)", re.MULTILINE)
TARGETS: Final = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def unknown(name: str, arguments: str) -> list[str]:
    """Return the command, or those of its options, that the command line does not have."""
    command = cli.platform.get_command(click.Context(cli.platform), name)
    if isinstance(command, click.Group):
        verb = arguments.split()[0] if arguments.split() else ""
        command = command.commands.get(verb, command)
    if command is None:
        return [name]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    return [option for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", arguments) if option not in known]


@each_page
def test_every_documented_command_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [(name, unknown(name, rest)) for name, rest in COMMAND.findall(text) if unknown(name, rest)] == []


@each_page
def test_every_documented_make_target_exists(page: Path) -> None:
    named = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [target for target in named if target not in TARGETS] == []


def test_a_wrong_option_would_be_found() -> None:
    assert unknown("deploy", " orders --environment production") == ["--environment"]
    assert unknown("promote", "") == ["promote"]
