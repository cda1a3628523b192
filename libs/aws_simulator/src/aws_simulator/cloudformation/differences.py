"""What a change set says: which resources an update would add, modify, replace or remove, and because of what.

The text of before is compared with the text that the template would give now. Where that follows from a resource that
is itself changed, CloudFormation does not know it yet: such a change is Dynamic, and may turn out to be none.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
"""

import json
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any, Final

from aws_simulator.account import Account
from aws_simulator.cloudformation.intrinsics import Unknown, first_unknown, named_in, resolve
from aws_simulator.cloudformation.resource_operation import changed_names
from aws_simulator.cloudformation.resources.handler import create_only
from aws_simulator.cloudformation.stack import Existing, Stack, StackDefinition, StackResource
from aws_simulator.cloudformation.template import Json, Resource, needs

KNOWN_LATER: Final = "{{changeSet:KNOWN_AFTER_APPLY}}"


class Planned(Existing):
    """`Ref` and `Fn::GetAtt` before the update: what the update creates or changes is unknown."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.replaced: set[str] = set()
        self.modified: set[str] = set()

    def reference(self, name: str) -> Any:
        is_unknown = name in self.replaced or name not in self._stack.resources
        return Unknown(name) if is_unknown else super().reference(name)

    def attribute(self, name: str, attribute: str) -> Any:
        is_unknown = name in self.replaced | self.modified or name not in self._stack.resources
        return Unknown(f"{name}.{attribute}") if is_unknown else super().attribute(name, attribute)


def changes(account: Account, stack: Stack, definition: StackDefinition) -> list[dict[str, Any]]:
    """Return the changes as DescribeChangeSet does, with the values of properties."""
    planned = Planned(stack)
    scope = definition.scope(account, stack, planned)
    wanted = definition.wanted(scope)
    found: list[dict[str, Any]] = []
    for name in TopologicalSorter(needs(wanted)).static_order():
        resource, existing = wanted[name], stack.resources.get(name)
        after = resolve(dict(resource.properties), scope)
        if existing is None or not existing.physical_id:
            change: dict[str, Any] | None = added(resource, after)
        else:
            change = modified(stack, definition, existing, resource, after)
        if change is None:
            continue
        planned.modified |= {name}
        planned.replaced |= {name} if change.get("Replacement") in ("True", "Conditional") else set()
        found.append(change)
    found += [removed(resource) for name, resource in stack.resources.items() if name not in wanted]
    found.sort(key=lambda change: str(change["LogicalResourceId"]))
    return [{"Type": "Resource", "ResourceChange": change} for change in found]


def added(resource: Resource, after: Json) -> dict[str, Any]:
    """Return the change of a resource that the update would create."""
    return {
        "Action": "Add",
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.type,
        "Scope": [],
        "Details": [],
        "AfterContext": context(after),
    }


def removed(resource: StackResource) -> dict[str, Any]:
    """Return the change of a resource that the update would delete."""
    policy = resource.definition.deletion_policy
    return {
        "PolicyAction": "Retain" if policy.startswith("Retain") else policy,
        "Action": "Remove",
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.definition.type,
        "Scope": [],
        "Details": [],
        "BeforeContext": context(resource.given),
    }


def modified(
    stack: Stack, definition: StackDefinition, existing: StackResource, resource: Resource, after: Json
) -> dict[str, Any] | None:
    """Return the change of a resource, or None where nothing changes."""
    details = list(details_of(stack, definition, existing, resource, after))
    if not details:
        return None
    replacement = replacement_of(details)
    change: dict[str, Any] = {
        "Action": "Modify",
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": existing.physical_id,
        "ResourceType": resource.type,
        "Replacement": replacement,
        "Scope": list(dict.fromkeys(detail["Target"]["Attribute"] for detail in details)),
        "Details": details,
        "BeforeContext": context(existing.given),
        "AfterContext": context(after),
    }
    if replacement != "False":
        kept = resource.replace_policy == "Retain"
        change["PolicyAction"] = "ReplaceAndRetain" if kept else f"ReplaceAnd{resource.replace_policy}"
    return change


def replacement_of(details: list[dict[str, Any]]) -> str:
    """Return `Conditional` where a value that is not known yet decides whether the resource is replaced."""
    always = [detail["Evaluation"] for detail in details if detail["Target"].get("RequiresRecreation") == "Always"]
    if not always:
        return "False"
    return "True" if "Static" in always else "Conditional"


def details_of(
    stack: Stack, definition: StackDefinition, existing: StackResource, resource: Resource, after: Json
) -> Iterator[dict[str, Any]]:
    for name in sorted(changed_names(existing.given, after)):
        always = name in create_only(resource.type)
        target = {
            "Attribute": "Properties",
            "Name": name,
            "RequiresRecreation": "Always" if always else "Never",
            "Path": f"/Properties/{name}",
            **before_and_after(existing.given, after, name),
        }
        yield {"Target": target, **cause(stack, definition, existing, resource, name, after.get(name))}
    before = existing.definition
    others = {
        "Metadata": before.metadata != resource.metadata,
        "DeletionPolicy": before.deletion_policy != resource.deletion_policy,
        "UpdateReplacePolicy": before.replace_policy != resource.replace_policy,
        "Tags": stack.definition.tags != definition.tags,
    }
    if existing.failed and existing.given == after:
        target = {"Attribute": "Properties", "RequiresRecreation": "Never"}
        yield {"Target": target, "Evaluation": "Static", "ChangeSource": "NoModification"}
    for attribute in (name for name, differs in others.items() if differs):
        target = {"Attribute": attribute, "RequiresRecreation": "Never"}
        yield {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def cause(
    stack: Stack, definition: StackDefinition, existing: StackResource, resource: Resource, name: str, after: Any
) -> dict[str, Any]:
    unknown = first_unknown(after)
    if unknown is not None:
        source = "ResourceAttribute" if "." in unknown.entity else "ResourceReference"
        return {"Evaluation": "Dynamic", "ChangeSource": source, "CausingEntity": unknown.entity}
    text = resource.properties.get(name)
    parameters = [one for _, one in named_in(text) if one in definition.values]
    changed = [one for one in parameters if definition.values[one] != stack.definition.values.get(one)]
    if existing.definition.properties.get(name) == text and changed:
        return {"Evaluation": "Static", "ChangeSource": "ParameterReference", "CausingEntity": changed[0]}
    return {"Evaluation": "Static", "ChangeSource": "DirectModification"}


def before_and_after(before: Json, after: Json, name: str) -> dict[str, str]:
    """Return a property's values, and whether it is added, removed or modified."""
    values = {
        key: shown(given[name]) for key, given in (("BeforeValue", before), ("AfterValue", after)) if name in given
    }
    kind = "Add" if "BeforeValue" not in values else "Remove" if "AfterValue" not in values else "Modify"
    return {**values, "AttributeChangeType": kind}


def shown(value: Any) -> str:
    plain = known(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def context(properties: Json) -> str:
    return json.dumps({"Properties": known(dict(properties))})


def known(value: Any) -> Any:
    """Return a value with a placeholder for everything that is not known yet."""
    match value:
        case Unknown():
            return KNOWN_LATER
        case dict():
            return {key: known(inner) for key, inner in value.items()}
        case list():
            return [known(inner) for inner in value]
        case _:
            return value


def without_values(change: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the values of properties, which DescribeChangeSet shows on demand only."""
    inner = {key: value for key, value in change["ResourceChange"].items() if not key.endswith("Context")}
    hidden = ("Path", "BeforeValue", "AfterValue", "AttributeChangeType")
    inner["Details"] = [
        {**detail, "Target": {key: value for key, value in detail["Target"].items() if key not in hidden}}
        for detail in inner["Details"]
    ]
    return {**change, "ResourceChange": inner}
