"""`platform schema`: the JSON Schema of platform.toml, by which an editor completes keys and marks mistakes.

Draft 7, because that is what Taplo and Even Better TOML read. What a schema cannot say, `platform check` does.
"""

import json
from pathlib import Path
from typing import Final

from platform_sdk.deploy.document import Form, Required
from platform_sdk.deploy.manifest.keys import ANY_NAME, ENVIRONMENTS, ROOT
from platform_sdk.deploy.manifest.keys.kinds import Boolean, Choice, Group, Integer, Key, Kind, Number, Text, Texts
from platform_sdk.deploy.reference import about

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
    whole = table(ROOT, needs=True)
    properties = whole["properties"]
    assert isinstance(properties, dict), "the outermost table has keys"
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "platform.toml",
        **whole,
        "properties": {**properties, ENVIRONMENTS.name: environments},
        "definitions": {OVERRIDES: table(ROOT, needs=False)},
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
        return {"type": "array", "items": table(key, needs=True), **described}
    if key.form == "named":
        entries = {"propertyNames": names_of(key), "additionalProperties": table(key, needs=needs)}
        return {"type": "object", **entries, **described}
    return {**table(key, needs=needs), **described}


def table(group: Group, *, needs: bool) -> Json:
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
