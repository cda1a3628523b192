"""Print what people and editors read about platform.toml: its reference, the explanation of one key, its JSON Schema.

All three come from the fields that declare the keys, and from their docstrings.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from platform_sdk.deploy.config_errors import did_you_mean
from platform_sdk.deploy.manifest.keys import (
    ANY_NAME,
    Boolean,
    Choice,
    Group,
    Integer,
    Key,
    Kind,
    Number,
    Text,
    Texts,
    written,
)
from platform_sdk.deploy.manifest.types import ENVIRONMENT_OVERRIDES, ENVIRONMENTS, ROOT
from platform_sdk.deploy.toml_document import Form
from platform_sdk.errors import PlatformError


def documented(group: Group) -> Group:
    """Return the same table, in which every key and table has its meaning."""
    meanings = docstrings_of(group.of) if isinstance(group.of, type) else {}
    keys: dict[str, Key | Group] = {}
    for name, member in group.keys.items():
        known = replace(member, meaning=member.meaning or meanings[name])
        keys[name] = documented(known) if isinstance(known, Group) else known
    return replace(group, of=keys)


def docstrings_of(type: type[Any]) -> Mapping[str, str]:
    """Return the docstrings of a class's fields, each on one line. Python does not keep them, so they are parsed."""
    found = {}
    for field, below in pairwise(_class_body(inspect.getmodule(type), type.__name__)):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def _class_body(module: ModuleType | None, name: str) -> list[ast.stmt]:
    assert module is not None, f"{name} is declared in a module"
    return next(node.body for node in _parsed(module).body if isinstance(node, ast.ClassDef) and node.name == name)


@cache
def _parsed(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def walk(group: Group, path: str = "") -> Iterator[tuple[str, Key | Group]]:
    """Yield every key and table with its dotted path, such as `queues.*.consumes`, in the order of the table."""
    for name, member in group.keys.items():
        own = f"{path}.{name}" if path else name
        yield own, member
        if isinstance(member, Group):
            yield from walk(member, f"{own}.{ANY_NAME}" if member.form == "named" else own)


DOCUMENTED: Final = documented(ROOT)
BY_PATH: Final[Mapping[str, Key | Group]] = {**dict(walk(DOCUMENTED)), ENVIRONMENTS: ENVIRONMENT_OVERRIDES}
"""Dotted path, with `*` where the team chooses a name and without the numbers of lists, to the key or table."""

HEAD = """\
# Every key of platform.toml. A key is required unless a default is given; what is written here is an example.
# `platform explain KEY` describes one key, `platform check` checks your file, and `platform render SERVICE` shows the
# AWS documents.
"""

OVERRIDES_HEAD = """\
[environments.production.scaling]
max_tasks = 50
"""

WIDTH = 118


def reference() -> str:
    """Return the commented TOML of `platform reference`: every table and key with meaning, limits and default."""
    lines = (HEAD, *tables(DOCUMENTED, ""), *_heading(ENVIRONMENT_OVERRIDES, ENVIRONMENTS), OVERRIDES_HEAD)
    return "\n".join(lines).rstrip() + "\n"


def tables(group: Group, path: str) -> Iterator[str]:
    """Yield each table with its keys. Tables below it follow its last key, as TOML requires."""
    for name, member in group.keys.items():
        if isinstance(member, Group):
            own = f"{path}.{name}" if path else name
            yield from _reference_table(member, f"{own}.{member.example}" if member.form == "named" else own)


def _reference_table(group: Group, path: str) -> Iterator[str]:
    yield from _heading(group, path)
    keys = {name: key for name, key in group.keys.items() if isinstance(key, Key)}
    if keys or not group.keys:
        yield f"{_head_of(group, path)}\n"
    for name, key in keys.items():
        yield "\n".join(_commented(key.meaning) + _commented(limits_of(name, key)))
        yield f"{group.example if name == ANY_NAME else name} = {key.assigned}\n"
    yield from tables(group, path)


def _heading(group: Group, path: str) -> Iterator[str]:
    needed = " (required)" if group.is_required else ""
    yield "\n" + "\n".join(_commented(f"{_head_of(group, path)}: {group.meaning}{needed}"))


def _head_of(group: Group, path: str) -> str:
    return f"[[{path}]]" if group.form == "list" else f"[{path}]"


def _commented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def limits_of(name: str, key: Key) -> str:
    """Return what a key may hold, its default, and the property of AWS that it sets."""
    becomes = f"Becomes: {key.becomes}." if key.becomes else ""
    return " ".join(part for part in (_range_of(key.kind), _default_of(name, key), becomes) if part)


def _default_of(name: str, key: Key) -> str:
    if name == ANY_NAME:
        return ""
    return "Required." if key.is_required else f"Default: {key.default_text or written(key.default)}."


def _range_of(kind: Kind) -> str:
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
            return f"{_capitalised(form.description)}."
        case Texts(form=form):
            return f"A list; each {form.description}."


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


# `platform explain KEY`


class UnknownKey(PlatformError):
    """platform.toml has no such key."""


def explain(path: str) -> str:
    """Return what one key of platform.toml does, as text for people.

    Args:
        path: a dotted path as one would write it, such as `scaling.max_tasks` or `queues.orders.consumes`, or only
            its last part, where that is enough.

    Raises:
        UnknownKey: with the closest key, or with all that it may mean.
    """
    own = _find(path)
    found = BY_PATH[own]
    return "\n".join(_lines_of_key(own, found) if isinstance(found, Key) else _lines_of_table(own, found)) + "\n"


def _find(name: str) -> str:
    steps = without_environment(name.strip("[] ").replace('"', "").split("."))
    for path in BY_PATH:
        if matches(steps, path.split(".")):
            return path
    ends = [path for path in BY_PATH if path.rpartition(".")[2] == name]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UnknownKey(f"`{name}` is more than one key", hint=f"say which: {', '.join(ends)}")
    close = did_you_mean(".".join(steps), BY_PATH) or did_you_mean(name, {path.rpartition(".")[2] for path in BY_PATH})
    raise UnknownKey(
        f"platform.toml has no key `{name}`", hint=close or "`platform reference` prints every key that there is"
    )


def without_environment(steps: list[str]) -> list[str]:
    """Return the path below an environment, where every key means the same."""
    return steps[2:] if steps[0] == ENVIRONMENTS and len(steps) > 2 else steps


def matches(steps: list[str], path: list[str]) -> bool:
    """Return whether the steps lead to the path. A name that the team chooses may have dots, as those of events."""
    if path and path[-1] == ANY_NAME:
        return len(steps) >= len(path) and steps[: len(path) - 1] == path[:-1]
    return len(steps) == len(path) and all(own in (ANY_NAME, step) for step, own in zip(steps, path, strict=True))


def _lines_of_key(path: str, key: Key) -> Iterator[str]:
    yield f"{path} = {key.assigned}"
    yield ""
    yield from textwrap.wrap(key.meaning, 100)
    yield ""
    yield f"range:    {_range_of(key.kind)}"
    if not path.endswith(ANY_NAME):
        default = key.default_text or written(key.default)
        yield f"default:  {'none: it must be given' if key.is_required else default}"
    yield f"becomes:  {key.becomes or 'nothing on AWS'}"


def _lines_of_table(path: str, group: Group) -> Iterator[str]:
    yield _head_of(group, path)
    yield ""
    yield from textwrap.wrap(f"{_capitalised(group.meaning)}.", 100)
    if group.keys:
        yield ""
    below = f"{path}.{ANY_NAME}" if group.form == "named" else path
    for name, member in group.keys.items():
        what = member.meaning.partition(". ")[0].rstrip(".")
        yield f"  {below}.{name}" + ("" if isinstance(member, Key) else " (table)") + f": {what}"


# `platform schema`: the JSON Schema with which an editor completes keys and marks mistakes. Draft 7, because that is
# what Taplo and Even Better TOML read. `platform check` also checks what a schema cannot express.

Json = dict[str, object]

FILE: Final = Path("deploy/platform.schema.json")
"""Where the repository has it. The platform.toml files name it in their first line."""

OVERRIDES: Final = "overrides"
"""The definition of the keys below an environment: all keys, none of them required."""


def schema() -> Json:
    """Return the JSON Schema (draft 7) of platform.toml. Within `[environments.<name>]` no key is required."""
    environments = {
        "type": "object",
        "description": ENVIRONMENT_OVERRIDES.meaning,
        "propertyNames": _names_of(ENVIRONMENT_OVERRIDES),
        "additionalProperties": {"$ref": f"#/definitions/{OVERRIDES}"},
    }
    whole = _schema_table(DOCUMENTED, needs=True)
    properties = whole["properties"]
    assert isinstance(properties, dict), "the outermost table has keys"
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "platform.toml",
        **whole,
        "properties": {**properties, ENVIRONMENTS: environments},
        "definitions": {OVERRIDES: _schema_table(DOCUMENTED, needs=False)},
    }


def schema_text() -> str:
    """Return the schema as its file has it, with a final newline."""
    return json.dumps(schema(), indent=2) + "\n"


def property_of(name: str, member: Key | Group, *, needs: bool) -> Json:
    """Return the schema of a key or table.

    needs: whether keys may be required; not below `[environments]`.
    """
    if isinstance(member, Key):
        has_default = not member.is_required and not callable(member.default) and member.default is not None
        default = {"default": member.default} if has_default else {}
        return {**_value(member.kind), **default, "description": f"{member.meaning} {limits_of(name, member)}"}
    described = {"description": member.meaning}
    if member.form == "list":
        # A list replaces the whole list, so what is required of an entry is required everywhere.
        return {"type": "array", "items": _schema_table(member, needs=True), **described}
    if member.form == "named":
        entries = {"propertyNames": _names_of(member), "additionalProperties": _schema_table(member, needs=needs)}
        return {"type": "object", **entries, **described}
    return {**_schema_table(member, needs=needs), **described}


def _schema_table(group: Group, *, needs: bool) -> Json:
    properties = {name: property_of(name, member, needs=needs) for name, member in group.keys.items()}
    if ANY_NAME in properties:
        return {"type": "object", "propertyNames": _names_of(group), "additionalProperties": properties[ANY_NAME]}
    required = [name for name, member in group.keys.items() if member.is_required]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if needs and required else {}),
        "additionalProperties": False,
    }


def _names_of(group: Group) -> Json:
    assert group.names is not None, "the team chooses the names"
    return _text_schema(group.names)


def _text_schema(form: Form) -> Json:
    lengths = {"minLength": form.lengths[0], "maxLength": form.lengths[1]} if form.lengths else {}
    return {"type": "string", "pattern": f"^(?:{form.pattern.pattern})$", **lengths}


def _value(kind: Kind) -> Json:
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
            return _text_schema(form)
        case Texts(form=form, may_be_empty=may_be_empty, unique=unique):
            least = {} if may_be_empty else {"minItems": 1}
            return {"type": "array", "items": _text_schema(form), **least, **({"uniqueItems": True} if unique else {})}
