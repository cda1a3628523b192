"""Compare what is rendered with the reviewed files in tests/golden.

After a change that is meant, write the files anew and review the difference:

    UPDATE_GOLDENS=1 make test T=tests/golden && git diff tests/golden

Only `orders` in production is kept whole. Everything else is kept as its differences from that: `masked` replaces the
names that must differ, so that the same document for another service or environment has no differences.
"""

import difflib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from platform_sdk.deploy.environment import Environment
from platform_sdk.deploy.manifest.types import ServiceSpec
from tests.support.repository import ROOT

GOLDENS: Final = ROOT / "tests" / "golden"
UPDATING: Final = bool(os.environ.get("UPDATE_GOLDENS"))
NAMES: Final = ("name", "Name", "Id", "Sid")
HINT: Final = "UPDATE_GOLDENS=1 writes it anew; review the difference"


def agree(name: str, text: str) -> None:
    """Fail unless the golden `name` is `text`; write it first if goldens are being updated."""
    golden = GOLDENS / name
    if UPDATING:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert golden.exists(), HINT
    assert golden.read_text(encoding="utf-8") == text, HINT


def no_stale_goldens(folder: str, names: Collection[str]) -> None:
    """Fail if the folder holds a golden that no test compares; delete it first if goldens are being updated."""
    found = {path.relative_to(GOLDENS).as_posix(): path for path in (GOLDENS / folder).rglob("*") if path.is_file()}
    stale = found.keys() - set(names)
    if UPDATING:
        for name in stale:
            found.pop(name).unlink()
    assert found.keys() == set(names)


def masked(document: Mapping[str, Any], spec: ServiceSpec, environment: Environment) -> Any:
    """Return the document with placeholders for the names of service and environment and for the account."""
    return json.loads(masked_text(json.dumps(document), spec, environment))


def masked_text(text: str, spec: ServiceSpec, environment: Environment) -> str:
    """Return the text with the placeholders of `masked`. No name is lost: another service's stays as it is."""
    for name, placeholder in (
        (spec.name, "{service}"),
        (spec.name.capitalize(), "{Service}"),
        (environment.name, "{environment}"),
        (environment.account_id, "{account}"),
    ):
        assert placeholder not in text
        text = text.replace(name, placeholder)
    return text


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield one line per difference: `+ path: value`, `- path` or `~ path: before -> after`.

    What is removed as a whole is one line, as the golden that `before` comes from holds it.
    """
    match before, after:
        case dict(), dict():
            for key in dict.fromkeys((*before, *after)):
                inner = path + (key if key.startswith("[") or not path else f".{key}")
                if key not in after:
                    yield removed(before[key], inner)
                elif key not in before:
                    yield from added(after[key], inner)
                else:
                    yield from differences(before[key], after[key], inner)
        case list(), list() if (old := named(before)) and (new := named(after)):
            yield from differences(old, new, path)
            if [name for name in old if name in new] != [name for name in new if name in old]:
                yield f"~ {path}: in the order {', '.join(new)}"
        case list(), list():
            yield from differences_of_lists(before, after, path)
        case str(), str() if before != after:
            parts = list(differences(parsed(before), parsed(after), f"{path}|json")) if parsed(before) else []
            yield from parts or [f"~ {path}: {written(before)} -> {written(after)}"]
        case _ if before != after or type(before) is not type(after):
            yield f"~ {path}: {written(before)} -> {written(after)}"


def named(items: list[Any]) -> dict[str, Any]:
    """Return the items by name, if each has one of its own."""
    names = [next((str(item[key]) for key in NAMES if key in item), "") for item in items if isinstance(item, dict)]
    return {f"[{name}]": item for name, item in zip(names, items, strict=True)} if distinct(names, items) else {}


def distinct(names: list[str], items: list[Any]) -> bool:
    return all(names) and len(set(names)) == len(items)


def differences_of_lists(before: list[Any], after: list[Any], path: str) -> Iterator[str]:
    """Items that are equal are matched first; of the others, each is compared with the one in its place."""
    matcher = difflib.SequenceMatcher(a=[written(item) for item in before], b=[written(item) for item in after])
    for kind, low, high, new_low, new_high in matcher.get_opcodes():
        if kind == "equal":
            continue
        both = min(high - low, new_high - new_low)
        for step in range(both):
            yield from differences(before[low + step], after[new_low + step], f"{path}[{low + step}]")
        for index in range(low + both, high):
            yield removed(before[index], f"{path}[{index}]")
        for index in range(new_low + both, new_high):
            yield from added(after[index], f"{path}[{index}]")


def removed(value: Any, path: str) -> str:
    return f"- {path}" if isinstance(value, dict | list) else f"- {path}: {written(value)}"


def added(value: Any, path: str) -> Iterator[str]:
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from added(inner, f"{path}.{key}")
        case list() if any(isinstance(item, dict | list) for item in value):
            for index, item in enumerate(value):
                yield from added(item, f"{path}[{index}]")
        case _:
            yield f"+ {path}: {written(value)}"


def parsed(text: str) -> Any:
    """Return the JSON document that a text holds, such as a dashboard's, or None."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None


def written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
