"""The differences between two documents in their canonical form, with paths that people can read.

Elements of lists are named where they have a name: `api · app · environment.LOG_LEVEL`, not `[0]…[17]`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from platform_sdk.deploy.render.service_stack import GIVEN

# The canonical form: one form for documents with the same meaning, so that rendered documents and answers of AWS can be
# compared. ECS sorts lists in its own order, fills in defaults and adds keys.

Json = dict[str, object]

VERSION_TAG: Final = "platform:version"
"""On every revision that a release registers: the tag of its image."""
DOCUMENT_TAG: Final = "platform:document"
"""The digest of its document."""
COMMIT_TAG: Final = "platform:commit"
COMMITTED_AT_TAG: Final = "platform:committed-at"
"""Only where they are known. The time is in ISO 8601."""

READ_ONLY: Final = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
    }
)
"""Keys that ECS adds to a task definition (docs.aws.amazon.com/AmazonECS, "TaskDefinition")."""

SORTED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "containerDefinitions": ("name",),
    "dependsOn": ("containerName",),
    "environment": ("name",),
    "environmentFiles": ("value",),
    "mountPoints": ("containerPath",),
    "portMappings": ("containerPort", "protocol"),
    "secrets": ("name",),
    "secretOptions": ("name",),
    "systemControls": ("namespace",),
    "tags": ("key",),
    "ulimits": ("name",),
    "volumes": ("name",),
}
"""Lists that are sets, with the keys by which to sort them."""
SETS: Final = frozenset({"requiresCompatibilities", "add", "drop"})

TASK_DEFAULTS: Final[Json] = {"enableFaultInjection": False, "ipcMode": "", "pidMode": ""}
"""An emulator answers a missing mode as an empty text, which is no mode of ECS."""
CONTAINER_DEFAULTS: Final[Json] = {
    "cpu": 0,
    "essential": True,
    "privileged": False,
    "interactive": False,
    "pseudoTerminal": False,
    "disableNetworking": False,
    "readonlyRootFilesystem": False,
    "versionConsistency": "enabled",
}
HEALTH_CHECK_DEFAULTS: Final[Json] = {"interval": 30, "timeout": 5, "retries": 3}
"""In seconds and attempts (docs.aws.amazon.com/AmazonECS, "HealthCheck")."""


def canonical_task_definition(document: Mapping[str, object]) -> Json:
    """Return a task definition in awsvpc mode without what ECS adds or assumes, and in one order."""
    written = {key: value for key, value in document.items() if key not in READ_ONLY}
    for key in ("cpu", "memory"):
        if key in written:
            written[key] = str(written[key])
    found = written.get("containerDefinitions", [])
    assert isinstance(found, Sequence), "containers are a list"
    containers = [_canonical_container(container) for container in found]
    meant = without(TASK_DEFAULTS, {**written, "containerDefinitions": containers})
    ordered = in_order(meant)
    assert isinstance(ordered, dict), "a mapping stays one"
    return ordered


def _canonical_container(container: Mapping[str, Any]) -> Json:
    written = without(CONTAINER_DEFAULTS, container)
    if "portMappings" in written:
        written["portMappings"] = [canonical_port(port) for port in container["portMappings"]]
    if "mountPoints" in written:
        written["mountPoints"] = [without({"readOnly": False}, mount) for mount in container["mountPoints"]]
    if "healthCheck" in written:
        written["healthCheck"] = without(HEALTH_CHECK_DEFAULTS, container["healthCheck"])
    return written


def canonical_port(port: Mapping[str, Any]) -> Json:
    """Drop the host port, the same in awsvpc mode, and the name, only for Service Connect, which CodeDeploy lacks."""
    defaults = {"protocol": "tcp", "hostPort": port.get("containerPort"), "name": port.get("name")}
    return without(defaults, port)


def without(defaults: Mapping[str, object], document: Mapping[str, object]) -> Json:
    """Return the keys that differ from their defaults."""
    return {key: value for key, value in document.items() if key not in defaults or value != defaults[key]}


def in_order(value: object, key: str = "") -> object:
    """Drop what is empty, and sort sets."""
    if isinstance(value, Mapping):
        inner = {name: in_order(value[name], name) for name in sorted(value)}
        return {name: one for name, one in inner.items() if not is_empty(one)}
    if not isinstance(value, list | tuple):
        return value
    elements = [in_order(one) for one in value]
    if key in SORTED_BY:
        # ECS answers sets in its own order: without sorting, every plan would show a change.
        return sorted(elements, key=lambda one: [str(_field_of(one, name)) for name in SORTED_BY[key]])
    return sorted(elements, key=str) if key in SETS else elements


def _field_of(element: object, name: str) -> object:
    return element.get(name, "") if isinstance(element, Mapping) else element


def is_empty(value: object) -> bool:
    """Return whether a value says nothing. `False`, `0` and an empty text have a meaning unless they are defaults."""
    return value is None or value in ([], {})


def document_digest(document: Mapping[str, object]) -> str:
    """Return the SHA-256 of a task definition's canonical form without tags, in hexadecimal.

    The tag `platform:document` of a registered revision holds it, so that no document is registered twice.
    """
    meant = canonical_task_definition({key: value for key, value in document.items() if key != "tags"})
    return hashlib.sha256(json.dumps(meant, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def canonical_template(template: Mapping[str, Any]) -> Json:
    """Return what CloudFormation acts on: parameters, conditions and resources.

    Descriptions, metadata and dependencies change nothing on AWS. Defaults of `GIVEN` count only at creation, and so
    does the path of a health check: releases set it (decision 0024).
    """
    parameters = {
        name: {key: value for key, value in body.items() if key != "Description"}
        for name, body in template.get("Parameters", {}).items()
        if name not in GIVEN
    }
    resources = {name: _canonical_resource(body) for name, body in template["Resources"].items()}
    return {"Parameters": parameters, "Conditions": template.get("Conditions", {}), "Resources": resources}


def _canonical_resource(body: Mapping[str, Any]) -> Json:
    kept = {key: body[key] for key in ("Type", "Condition", "DeletionPolicy", "UpdateReplacePolicy") if key in body}
    properties = body.get("Properties", {})
    by_key = {"Tags": "Key", "Dimensions": "Name"}
    ordered = {
        name: sorted(value, key=lambda one, by=by_key[name]: str(one.get(by)))  # type: ignore[misc]
        if name in by_key and isinstance(value, list)
        else value
        for name, value in properties.items()
        if name != "HealthCheckPath"
    }
    return {**kept, "Properties": ordered}


# Differences between canonical forms.

NAMES: Final = ("name", "Name", "key", "Key", "containerName", "sourceVolume", "containerPort", "Field", "Id", "Sid",
                "ScheduledActionName", "PolicyName")  # fmt: skip
"""Keys that name the elements of a list. The first that all elements have counts."""
VALUES: Final = ("value", "valueFrom", "Value")
"""An element with a name and only one of these is shown as that value."""
ALWAYS_ITEMISED: Final = ("environment", "secrets")
"""Listed item by item, even if one side has none."""
CONTAINERS: Final = "containerDefinitions"
SEPARATOR: Final = " · "


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A difference. `before` is None for an addition, `after` for a removal; a secret is only a reference."""

    path: str
    kind: Literal["add", "remove", "change"]
    before: object
    after: object


def diff(before: object, after: object, heading: str = "") -> tuple[Change, ...]:
    """Return the changes from one canonical document to the other, in the order of their paths, below a heading."""
    return tuple(_changes(named(before), named(after), heading))


def diff_task_definitions(
    role: str, before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> tuple[Change, ...]:
    """Return the changes between task definitions in any form, without tags, which only say who registered them."""
    old, new = containers_first(before), containers_first(after)
    found: list[Change] = []
    for name in _ordered_keys(old, new):
        found += _changes(old.get(name), new.get(name), f"{role}{SEPARATOR}{name}" if name else role)
    return tuple(found)


def containers_first(document: Mapping[str, object] | None) -> dict[str, object]:
    """Return each container by its name, and the rest of the task by the empty name."""
    if document is None:
        return {}
    meant = canonical_task_definition({key: value for key, value in document.items() if key != "tags"})
    containers = meant.pop(CONTAINERS, [])
    assert isinstance(containers, Sequence), "containers are a list"
    return {"": named(meant), **{str(each["name"]): named(each) for each in containers}}


def named(value: object) -> object:
    """Turn lists whose elements have names into mappings, at every level."""
    if isinstance(value, Mapping):
        return {str(key): named(inner) for key, inner in value.items()}
    if not isinstance(value, list | tuple):
        return value
    name = _naming_key(value)
    if name is None:
        return [named(inner) for inner in value]
    return {str(element[name]): _body_of(element, name) for element in value}


def _naming_key(elements: Sequence[object]) -> str | None:
    for name in NAMES:
        found = [each[name] for each in elements if isinstance(each, Mapping) and isinstance(each.get(name), str | int)]
        if elements and len(found) == len(elements) and len(set(found)) == len(found):
            return name
    return None


def _body_of(element: Mapping[str, object], name: str) -> object:
    rest = {key: inner for key, inner in element.items() if key != name}
    if len(rest) == 1 and next(iter(rest)) in VALUES:
        return named(next(iter(rest.values())))
    return named(rest)


def _changes(before: object, after: object, heading: str, keys: tuple[str, ...] = ()) -> Iterator[Change]:
    if before == after:
        return
    if keys and keys[-1] in ALWAYS_ITEMISED:
        before, after = before or {}, after or {}
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in _ordered_keys(before, after):
            yield from _changes(before.get(key), after.get(key), heading, (*keys, key))
        return
    if isinstance(before, list) and isinstance(after, list) and _are_objects([*before, *after]):
        # Objects without a name, such as statements of a policy, are removed and added whole.
        for gone in (one for one in before if one not in after):
            yield from _changes(gone, None, heading, keys)
        for new in (one for one in after if one not in before):
            yield from _changes(None, new, heading, keys)
        return
    path = SEPARATOR.join(part for part in (heading, ".".join(keys)) if part)
    if before is None:
        yield Change(path=path, kind="add", before=None, after=after)
    elif after is None:
        yield Change(path=path, kind="remove", before=before, after=None)
    else:
        yield Change(path=path, kind="change", before=before, after=after)


def _are_objects(elements: Sequence[object]) -> bool:
    return bool(elements) and all(isinstance(each, Mapping) for each in elements)


def _ordered_keys(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return sorted({*before, *after})
