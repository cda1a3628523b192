"""What differs between two documents in their canonical form, in words that people know.

Elements of lists are found by their name where they have one: `api · app · environment.LOG_LEVEL`, not `[0]…[17]`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from platform_sdk.deploy.canonical import canonical_task_definition

NAMES: Final = ("name", "Name", "key", "Key", "containerName", "sourceVolume", "containerPort", "Field", "Id", "Sid",
                "ScheduledActionName", "PolicyName")  # fmt: skip
"""Keys that tell the elements of a list apart, the first that all of them have."""
VALUES: Final = ("value", "valueFrom", "Value")
"""Where an element is a name and one of these alone, it is shown as that."""
TOLD_ONE_BY_ONE: Final = ("environment", "secrets")
"""Even where there was none before, or none is left."""
CONTAINERS: Final = "containerDefinitions"
SEPARATOR: Final = " · "


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`before` is None for what is added and `after` for what is removed; both are JSON values otherwise.

    A secret is shown as the reference that the document holds.
    """

    path: str
    kind: Literal["add", "remove", "change"]
    before: object
    after: object


def diff(before: object, after: object, heading: str = "") -> tuple[Change, ...]:
    """The changes that turn the one document into the other, in the order of their paths, below a heading.

    Both stay as they are, and should be in their canonical form.
    """
    return tuple(changes(named(before), named(after), heading))


def diff_task_definitions(
    role: str, before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> tuple[Change, ...]:
    """Of documents in any form; tags aside, which say who registered a revision and not what runs."""
    old, new = containers_first(before), containers_first(after)
    found: list[Change] = []
    for name in ordered_keys(old, new):
        found += changes(old.get(name), new.get(name), f"{role}{SEPARATOR}{name}" if name else role)
    return tuple(found)


def containers_first(document: Mapping[str, object] | None) -> dict[str, object]:
    """Each container by its name, and the rest of the task under the empty one."""
    if document is None:
        return {}
    meant = canonical_task_definition({key: value for key, value in document.items() if key != "tags"})
    containers = meant.pop(CONTAINERS, [])
    assert isinstance(containers, Sequence), "containers are a list"
    return {"": named(meant), **{str(each["name"]): named(each) for each in containers}}


def named(value: object) -> object:
    """Lists whose elements have names become mappings, all the way down."""
    if isinstance(value, Mapping):
        return {str(key): named(inner) for key, inner in value.items()}
    if not isinstance(value, list | tuple):
        return value
    name = naming_key(value)
    if name is None:
        return [named(inner) for inner in value]
    return {str(element[name]): body_of(element, name) for element in value}


def naming_key(elements: Sequence[object]) -> str | None:
    for name in NAMES:
        found = [each[name] for each in elements if isinstance(each, Mapping) and isinstance(each.get(name), str | int)]
        if elements and len(found) == len(elements) and len(set(found)) == len(found):
            return name
    return None


def body_of(element: Mapping[str, object], name: str) -> object:
    rest = {key: inner for key, inner in element.items() if key != name}
    if len(rest) == 1 and next(iter(rest)) in VALUES:
        return named(next(iter(rest.values())))
    return named(rest)


def changes(before: object, after: object, heading: str, keys: tuple[str, ...] = ()) -> Iterator[Change]:
    if before == after:
        return
    if keys and keys[-1] in TOLD_ONE_BY_ONE:
        before, after = before or {}, after or {}
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in ordered_keys(before, after):
            yield from changes(before.get(key), after.get(key), heading, (*keys, key))
        return
    if isinstance(before, list) and isinstance(after, list) and are_objects([*before, *after]):
        # Of objects without a name, such as statements of a policy: those that go and those that come.
        for gone in (one for one in before if one not in after):
            yield from changes(gone, None, heading, keys)
        for new in (one for one in after if one not in before):
            yield from changes(None, new, heading, keys)
        return
    path = SEPARATOR.join(part for part in (heading, ".".join(keys)) if part)
    if before is None:
        yield Change(path=path, kind="add", before=None, after=after)
    elif after is None:
        yield Change(path=path, kind="remove", before=before, after=None)
    else:
        yield Change(path=path, kind="change", before=before, after=after)


def are_objects(elements: Sequence[object]) -> bool:
    return bool(elements) and all(isinstance(each, Mapping) for each in elements)


def ordered_keys(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return sorted({*before, *after})
