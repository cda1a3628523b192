"""`platform reference`: a platform.toml that uses every key there is, each explained above it."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from platform_sdk.deploy.config_errors import did_you_mean
from platform_sdk.deploy.manifest.keys import ANY_NAME, BY_PATH, ENVIRONMENTS, ROOT
from platform_sdk.deploy.manifest.keys.key import (
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
from platform_sdk.deploy.toml_document import Form, Required
from platform_sdk.errors import PlatformError

HEAD = """\
# Every key of platform.toml. A key is required unless a default is given; what is written here is an example.
# `platform explain KEY` tells of one key, `platform check` reads your file, `platform render SERVICE` shows what
# becomes of it.
"""

OVERRIDES_HEAD = """\
[environments.production.scaling]
max_tasks = 50
"""

WIDTH = 118


def reference() -> str:
    lines = (HEAD, *tables(ROOT, ""), *heading(ENVIRONMENTS, ENVIRONMENTS.name), OVERRIDES_HEAD)
    return "\n".join(lines).rstrip() + "\n"


def tables(group: Group, path: str) -> Iterator[str]:
    """Each table with its keys; tables below it come after its last key, as TOML wants it."""
    for member in group.keys:
        if isinstance(member, Group) and member is not ENVIRONMENTS:
            own = f"{path}.{member.name}" if path else member.name
            yield from reference_table(member, f"{own}.{member.example}" if member.form == "named" else own)


def reference_table(group: Group, path: str) -> Iterator[str]:
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


# `platform explain KEY`: what one key of platform.toml does, from the table of keys.


class UnknownKey(PlatformError):
    """platform.toml has no such key."""


def explain(asked: str) -> str:
    """Text for people.

    Args:
        asked: a dotted path as one would write it, such as `scaling.max_tasks` or `queues.orders.consumes`, or only
            its last part, where that is enough.

    Raises:
        UnknownKey: with the closest key there is, or with all that it may mean.
    """
    path = find(asked)
    found = BY_PATH[path]
    return "\n".join(lines_of_key(path, found) if isinstance(found, Key) else lines_of_table(path, found)) + "\n"


def find(asked: str) -> str:
    steps = without_environment(asked.strip("[] ").replace('"', "").split("."))
    for path in BY_PATH:
        if matches(steps, path.split(".")):
            return path
    ends = [path for path in BY_PATH if path.rpartition(".")[2] == asked]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UnknownKey(f"`{asked}` is more than one key", hint=f"say which: {', '.join(ends)}")
    close = did_you_mean(".".join(steps), BY_PATH) or did_you_mean(asked, {path.rpartition(".")[2] for path in BY_PATH})
    raise UnknownKey(
        f"platform.toml has no key `{asked}`", hint=close or "`platform reference` prints every key that there is"
    )


def without_environment(steps: list[str]) -> list[str]:
    """Any key may stand below an environment, and means the same there."""
    return steps[2:] if steps[0] == ENVIRONMENTS.name and len(steps) > 2 else steps


def matches(steps: list[str], path: list[str]) -> bool:
    """Whether the steps lead to the path; a name of the team's may itself hold dots, as those of events do."""
    if path and path[-1] == ANY_NAME:
        return len(steps) >= len(path) and steps[: len(path) - 1] == path[:-1]
    return len(steps) == len(path) and all(own in (ANY_NAME, step) for step, own in zip(steps, path, strict=True))


def lines_of_key(path: str, key: Key) -> Iterator[str]:
    yield f"{path} = {key.example}"
    yield ""
    yield from textwrap.wrap(key.meaning, 100)
    yield ""
    yield f"range:    {said_of(key.kind)}"
    if isinstance(key.default, Required):
        yield "default:  none: it must be given"
    elif key.name != ANY_NAME:
        yield f"default:  {default_of(key).removeprefix('Default: ').removesuffix('.')}"
    yield f"becomes:  {key.becomes or 'nothing on AWS'}"


def lines_of_table(path: str, group: Group) -> Iterator[str]:
    yield f"[[{path}]]" if group.form == "list" else f"[{path}]"
    yield ""
    yield from textwrap.wrap(f"{capitalised(group.meaning)}.", 100)
    if group.keys:
        yield ""
    below = f"{path}.{ANY_NAME}" if group.form == "named" else path
    for member in group.keys:
        what = member.meaning.partition(". ")[0].rstrip(".")
        yield f"  {below}.{member.name}" + ("" if isinstance(member, Key) else " (table)") + f": {what}"


# `platform schema`: the JSON Schema of platform.toml, by which an editor completes keys and marks mistakes.
#
# Draft 7, because that is what Taplo and Even Better TOML read. What a schema cannot say, `platform check` does.

Json = dict[str, object]

FILE: Final = Path("deploy/platform.schema.json")
"""Where the repository keeps it; the platform.toml files name it in their first line."""

OVERRIDES: Final = "overrides"
"""The definition of what may stand below an environment: all keys, none of them required."""


def schema() -> Json:
    environments = {
        "type": "object",
        "description": ENVIRONMENTS.meaning,
        "propertyNames": names_of(ENVIRONMENTS),
        "additionalProperties": {"$ref": f"#/definitions/{OVERRIDES}"},
    }
    whole = schema_table(ROOT, needs=True)
    properties = whole["properties"]
    assert isinstance(properties, dict), "the outermost table has keys"
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "platform.toml",
        **whole,
        "properties": {**properties, ENVIRONMENTS.name: environments},
        "definitions": {OVERRIDES: schema_table(ROOT, needs=False)},
    }


def schema_text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


def member(key: Key | Group, *, needs: bool) -> Json:
    if isinstance(key, Key):
        default = {} if key.default is None or isinstance(key.default, Required) else {"default": key.default}
        return {**value(key.kind), **default, "description": about(key)}
    described = {"description": key.meaning}
    if key.form == "list":
        # A list replaces the whole list, so what is required of an entry is required everywhere.
        return {"type": "array", "items": schema_table(key, needs=True), **described}
    if key.form == "named":
        entries = {"propertyNames": names_of(key), "additionalProperties": schema_table(key, needs=needs)}
        return {"type": "object", **entries, **described}
    return {**schema_table(key, needs=needs), **described}


def schema_table(group: Group, *, needs: bool) -> Json:
    members = {name: key for name, key in group.members().items() if key is not ENVIRONMENTS}
    if set(members) == {ANY_NAME}:
        return {
            "type": "object",
            "propertyNames": names_of(group),
            "additionalProperties": member(members[ANY_NAME], needs=needs),
        }
    required = [name for name, key in members.items() if is_required(key)]
    return {
        "type": "object",
        "properties": {name: member(key, needs=needs) for name, key in members.items()},
        **({"required": required} if needs and required else {}),
        "additionalProperties": False,
    }


def is_required(key: Key | Group) -> bool:
    return isinstance(key.default, Required) if isinstance(key, Key) else key.required


def names_of(group: Group) -> Json:
    assert group.names is not None, f"the names in {group.name} are the team's"
    return text(group.names)


def text(form: Form) -> Json:
    lengths = {"minLength": form.lengths[0], "maxLength": form.lengths[1]} if form.lengths else {}
    return {"type": "string", "pattern": f"^(?:{form.pattern.pattern})$", **lengths}


def value(kind: Kind) -> Json:
    match kind:
        case Integer(legal=legal) if legal:
            return {"type": "integer", "enum": list(legal)}
        case Integer(low=low, high=high, or_zero=True):
            return {"type": "integer", "anyOf": [{"const": 0}, {"minimum": low, "maximum": high}]}
        case Integer(low=low, high=high) | Number(low=low, high=high):
            return {"type": "integer" if isinstance(kind, Integer) else "number", "minimum": low, "maximum": high}
        case Boolean():
            return {"type": "boolean"}
        case Choice(values=values):
            return {"type": "string", "enum": list(values)}
        case Text(form=form):
            return text(form)
        case Texts(form=form, may_be_empty=may_be_empty, unique=unique):
            least = {} if may_be_empty else {"minItems": 1}
            return {"type": "array", "items": text(form), **least, **({"uniqueItems": True} if unique else {})}
