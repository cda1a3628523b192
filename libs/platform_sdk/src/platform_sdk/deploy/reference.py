"""`platform reference`: a platform.toml that uses every key there is, each explained above it."""

import textwrap
from collections.abc import Iterator

from platform_sdk.deploy.document import Required
from platform_sdk.deploy.manifest.keys import ANY_NAME, ENVIRONMENTS, ROOT
from platform_sdk.deploy.manifest.keys.kinds import (
    Boolean,
    Choice,
    Default,
    Group,
    Integer,
    Key,
    Kind,
    Number,
    Text,
    Texts,
)

HEAD = """\
# Every key of platform.toml. A key is required unless a default is given; what is written here is an example.
# `platform explain KEY` tells of one key, `platform check` reads your file, `platform render SERVICE` shows what
# becomes of it.
"""

OVERRIDES = """\
[environments.production.scaling]
max_tasks = 50
"""

WIDTH = 118


def reference() -> str:
    return "\n".join((HEAD, *tables(ROOT, ""), *heading(ENVIRONMENTS, ENVIRONMENTS.name), OVERRIDES)).rstrip() + "\n"


def tables(group: Group, path: str) -> Iterator[str]:
    """Each table with its keys; tables below it come after its last key, as TOML wants it."""
    for member in group.keys:
        if isinstance(member, Group) and member is not ENVIRONMENTS:
            own = f"{path}.{member.name}" if path else member.name
            yield from table(member, f"{own}.{member.example}" if member.form == "named" else own)


def table(group: Group, path: str) -> Iterator[str]:
    yield from heading(group, path)
    keys = [key for key in group.keys if isinstance(key, Key)]
    if keys or not group.keys:
        yield f"[[{path}]]\n" if group.form == "list" else f"[{path}]\n"
    for key in keys:
        yield "\n".join(commented(key.meaning) + commented(limits_of(key)))
        yield f"{group.example if key.name == ANY_NAME else key.name} = {key.example}\n"
    yield from tables(group, path)


def heading(group: Group, path: str) -> Iterator[str]:
    needed = " (required)" if group.required else ""
    head = f"[[{path}]]" if group.form == "list" else f"[{path}]"
    yield "\n" + "\n".join(commented(f"{head}: {group.meaning}{needed}"))


def commented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def about(key: Key) -> str:
    """What a key does, what it may hold, its default, and what becomes of it."""
    return f"{key.meaning} {limits_of(key)}"


def limits_of(key: Key) -> str:
    becomes = f"Becomes: {key.becomes}." if key.becomes else ""
    return " ".join(part for part in (said_of(key.kind), default_of(key), becomes) if part)


def default_of(key: Key) -> str:
    if key.name == ANY_NAME:
        return ""
    if isinstance(key.default, Required):
        return "Required."
    return f"Default: {key.default_text or written(key.default)}."


def written(value: Default) -> str:
    """As TOML."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
    return str(value)


def said_of(kind: Kind) -> str:
    match kind:
        case Integer(legal=legal) if legal and len(legal) <= 30:
            return f"One of {', '.join(map(str, legal))}."
        case Integer(low=low, high=high, or_zero=or_zero):
            return f"{low} to {high}{', or 0' if or_zero else ''}."
        case Number(low=low, high=high):
            return f"{low} to {high}."
        case Boolean():
            return "true or false."
        case Choice(values=values):
            return f"One of {', '.join(map(written, values))}."
        case Text(form=form):
            return f"{capitalised(form.description)}."
        case Texts(form=form):
            return f"A list; each {form.description}."


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
